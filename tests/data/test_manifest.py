"""Manifests keep what they are given, in both formats, and say what is wrong with what is not one."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from auricle.data import Manifest
from auricle.errors import DataError

ROWS = [
    {"path": "a.wav", "labels": ["dog"], "source": "x", "split": "train", "take": "1"},
    {"path": "b.wav", "labels": ["cat", "dog"], "start": 0.5, "end": 2.0, "source": "y", "split": "test", "take": "2"},
    {"path": "c.wav", "labels": [], "source": "y", "split": "test", "take": "3"},
]


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_it_comes_back_as_it_was_written(tmp_path, suffix):
    manifest = Manifest.from_rows(ROWS, tmp_path)
    manifest.write(tmp_path / f"clips{suffix}")
    again = Manifest.read(tmp_path / f"clips{suffix}")
    assert list(again) == list(manifest)
    assert again.classes == manifest.classes == ("cat", "dog")
    assert again.fingerprint() == manifest.fingerprint()


def test_paths_follow_the_file_that_names_them(tmp_path):
    (tmp_path / "lists").mkdir()
    Manifest.from_rows(ROWS, tmp_path / "sounds").write(tmp_path / "lists/clips.csv")
    again = Manifest.read(tmp_path / "lists/clips.csv")
    assert again.column("path")[0] == "../sounds/a.wav"
    assert again.paths[0].resolve() == (tmp_path / "sounds/a.wav").resolve()


def test_parquet_keeps_the_vocabulary(tmp_path):
    Manifest.from_rows(ROWS, tmp_path, ["dog", "wolf", "cat"]).write(tmp_path / "clips.parquet")
    assert Manifest.read(tmp_path / "clips.parquet").classes == ("dog", "wolf", "cat")


def test_parts_keep_the_vocabulary_of_the_whole():
    manifest = Manifest.from_rows(ROWS)
    assert manifest.split("train").classes == ("cat", "dog")
    assert manifest.filter(source="y").column("path") == ["b.wav", "c.wav"]
    assert manifest.filter(lambda row: "dog" in row["labels"], source=("x", "y")).column("take") == ["1", "2"]
    assert manifest.take([2, 0]).column("path") == ["c.wav", "a.wav"]
    assert manifest.keep_classes(["cat"]).column("labels") == [["cat"]]


def test_targets():
    manifest = Manifest.from_rows(ROWS)
    assert manifest.targets(multilabel=True).tolist() == [[0, 1], [1, 1], [0, 0]]
    assert manifest.split("train").targets().tolist() == [1]
    assert manifest.split("train").targets(["dog"]).dtype == np.int64
    with pytest.raises(DataError, match=r"b\.wav has 2 labels"):
        manifest.targets()
    with pytest.raises(DataError, match=r"'cat' is not one of the 1 classes"):
        manifest.targets(["dog"])


def test_two_become_one():
    first, second = Manifest.from_rows(ROWS, "one"), Manifest.from_rows([{"path": "d.wav", "labels": ["ape"]}], "two")
    both = first + second
    assert both.classes == ("cat", "dog", "ape")
    assert [path.name for path in both.paths] == ["a.wav", "b.wav", "c.wav", "d.wav"]
    assert all(path.is_absolute() for path in both.paths)
    assert both.column("take")[3] is None


@pytest.mark.parametrize("change", [{"path": "z.wav"}, {"labels": ["cat"]}, {"split": "valid"}, {"take": "9"}])
def test_any_change_changes_the_fingerprint(change):
    changed = [ROWS[0] | change, *ROWS[1:]]
    assert Manifest.from_rows(changed, classes=["cat", "dog"]).fingerprint() != Manifest.from_rows(ROWS).fingerprint()


def test_the_fingerprint_is_the_same_elsewhere():
    assert Manifest.from_rows(ROWS, "here").fingerprint() == Manifest.from_rows(ROWS, "there").fingerprint()


def test_what_is_wrong_is_said(tmp_path):
    (tmp_path / "bad.csv").write_text("file,labels\na.wav,dog\n")
    with pytest.raises(DataError, match="needs a column 'path'"):
        Manifest.read(tmp_path / "bad.csv")
    (tmp_path / "bad.csv").write_text("path,start\na.wav,soon\n")
    with pytest.raises(DataError, match=r"bad\.csv is not a readable manifest"):
        Manifest.read(tmp_path / "bad.csv")
    with pytest.raises(DataError, match=r"'valid'.*The splits are: test, train"):
        Manifest.from_rows(ROWS).split("valid")
    with pytest.raises(DataError, match="no column 'colour'"):
        Manifest.from_rows(ROWS).column("colour")
    with pytest.raises(DataError, match="cannot stand in a CSV"):
        Manifest.from_rows([{"path": "a.wav", "labels": ["a;b"]}]).write(tmp_path / "x.csv")
    with pytest.raises(DataError, match="no format"):
        Manifest.from_rows(ROWS).write(tmp_path / "x.txt")
    with pytest.raises(DataError, match="'dog' is not one of"):
        Manifest.from_rows(ROWS, classes=["cat"])


LABELS = st.lists(st.text(st.characters(blacklist_characters=";\r\n\0", blacklist_categories=["Cs"]), min_size=1))


@given(st.lists(LABELS, min_size=1, max_size=5))
def test_any_label_survives_csv(tmp_path_factory, labels):
    labels = [[name for name in row if name.strip() == name] for row in labels]
    folder = tmp_path_factory.mktemp("labels")
    Manifest.from_rows([{"path": "a.wav", "labels": row} for row in labels], folder).write(folder / "m.csv")
    assert Manifest.read(folder / "m.csv").column("labels") == labels
