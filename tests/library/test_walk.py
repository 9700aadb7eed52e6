import os

import pytest

from auricle.errors import AuricleError
from auricle.library.walk import Candidate, Refused, walk


@pytest.fixture
def tree(tmp_path):
    for name in ("a.wav", "b.txt", ".hidden.wav", "deep/c.FLAC", "deep/er/d.mp3", ".git/e.wav", "raw/f.wav"):
        path = tmp_path / "tree" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"x")
    return tmp_path / "tree"


def names(tree, *args, **options):
    return [os.path.relpath(item.path, tree) for item in walk(*args, **options) if isinstance(item, Candidate)]


def test_sound_files_only_and_in_order(tree):
    assert names(tree, [tree]) == ["a.wav", "deep/c.FLAC", "deep/er/d.mp3", "raw/f.wav"]


def test_globs(tree):
    assert names(tree, [tree], include=["deep/*"]) == ["deep/c.FLAC", "deep/er/d.mp3"]
    assert names(tree, [tree], include=["*.txt"]) == ["b.txt"]
    assert names(tree, [tree], exclude=["deep"]) == ["a.wav", "raw/f.wav"]
    assert names(tree, [tree], exclude=["*.wav", "er"]) == ["deep/c.FLAC"]


def test_a_file_named_outright_is_tried_whatever_its_ending(tree):
    assert names(tree, [tree / "b.txt"]) == ["b.txt"]


def test_overlapping_roots_count_once(tree):
    assert names(tree, [tree / "deep", tree, tree / "a.wav"]) == [
        "deep/c.FLAC",
        "deep/er/d.mp3",
        "a.wav",
        "raw/f.wav",
    ]


def test_links_are_followed_only_when_asked_and_never_in_circles(tree, tmp_path):
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "g.wav").write_bytes(b"x")
    (tree / "link").symlink_to(outside)
    (outside / "back").symlink_to(tree)
    assert "link/g.wav" not in names(tree, [tree])
    followed = names(tree, [tree], follow_links=True)
    assert "link/g.wav" in followed
    assert len(followed) == len(set(followed)) == 5


def test_a_missing_root_is_an_error(tmp_path):
    with pytest.raises(AuricleError, match="does not exist"):
        list(walk([tmp_path / "nowhere"]))


def test_names_that_are_not_utf8_are_refused_with_a_reason(tree):
    try:
        (tree / os.fsdecode(b"caf\xe9.wav")).write_bytes(b"x")
    except OSError:
        pytest.skip("this file system takes only UTF-8 names")
    refused = [item for item in walk([tree]) if isinstance(item, Refused)]
    assert len(refused) == 1
    assert "UTF-8" in refused[0].reason
    assert "caf" in refused[0].path
