"""Nothing but indexed files is ever sent, whatever the address says and whatever has become of the files."""

import os
import shutil
from pathlib import Path
from urllib.parse import quote

import pytest
import soundfile

from auricle.errors import AudioError
from auricle.library import Library
from auricle.serve.confine import Confined, below
from auricle.serve.names import Names
from tests.serve.conftest import BASE, RATE, asking, problem, tone

SECRET = b"RIFF....WAVE a secret"


@pytest.fixture
def place(tmp_path):
    """A library of one recording below ``tmp_path/in``, and a secret beside it."""
    (tmp_path / "in").mkdir()
    (tmp_path / "secret.wav").write_bytes(SECRET)
    soundfile.write(tmp_path / "in" / "a.wav", tone(500, 2), RATE)
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "in", workers=1)
    with asking(tmp_path / "library") as client:
        yield client, library.recordings()[0].id, tmp_path


def everything(client, id: str) -> list:
    """All that is ever read from the file of a recording."""
    url = f"{BASE}/recordings/{id}"
    paths = ("/audio", "/audio?play=1", "/audio?start=0&end=1", "/peaks", "/spectrogram")
    return [client.get(url + path) for path in paths]


def test_a_recording_in_its_place_is_sent(place):
    client, id, _ = place
    assert [answer.status_code for answer in everything(client, id)] == [200] * 5


@pytest.mark.parametrize("target", ["secret.wav", "in/../secret.wav", "/etc/passwd", "/dev/zero", "in"])
def test_a_link_in_its_place_leads_nowhere(place, target):
    client, id, folder = place
    (folder / "in" / "a.wav").unlink()
    (folder / "in" / "a.wav").symlink_to(folder / target)
    for answer in everything(client, id):
        assert SECRET not in answer.content
        problem(answer, 404)
    assert client.get(f"{BASE}/recordings/{id}").json()["available"] is False


def test_a_link_in_place_of_its_folder_leads_nowhere(place):
    client, id, folder = place
    (folder / "out").mkdir()
    (folder / "out" / "a.wav").write_bytes(SECRET)
    shutil.rmtree(folder / "in")
    (folder / "in").symlink_to(folder / "out")
    # The root itself is what was indexed, wherever it leads; but a folder below it is not.
    (folder / "in").unlink()
    (folder / "in").mkdir()
    (folder / "in" / "sub").symlink_to(folder / "out")
    with pytest.raises(AudioError, match="outside"):
        Confined(str(folder / "in" / "sub" / "a.wav"), [folder / "in"])
    for answer in everything(client, id):
        problem(answer, 404)


def test_a_link_swapped_in_at_the_last_moment_is_noticed(tmp_path, monkeypatch):
    (tmp_path / "in").mkdir()
    good, bad = tmp_path / "in" / "a.wav", tmp_path / "secret.wav"
    good.write_bytes(b"good")
    bad.write_bytes(SECRET)
    swapped = []

    def opening(path, flags, *, really=os.open):
        if not swapped:
            swapped.append(path)
            (tmp_path / "kept.wav").hardlink_to(good)
            good.unlink()
            os.link(bad, good)  # not even a link: the file itself
            opened = really(path, flags)
            good.unlink()
            os.rename(tmp_path / "kept.wav", good)
            return opened
        return really(path, flags)

    monkeypatch.setattr(os, "open", opening)
    with pytest.raises(AudioError, match="no longer"):
        Confined(str(good), [tmp_path / "in"])
    with Confined(str(good), [tmp_path / "in"]) as file:
        assert file.file.read() == b"good"


def test_a_link_that_stays_inside_is_followed(place):
    client, id, folder = place
    (folder / "in" / "a.wav").rename(folder / "in" / "b.wav")
    (folder / "in" / "a.wav").symlink_to(folder / "in" / "b.wav")
    assert [answer.status_code for answer in everything(client, id)] == [200] * 5


def test_a_root_that_is_a_link_is_followed(tmp_path):
    (tmp_path / "real").mkdir()
    soundfile.write(tmp_path / "real" / "a.wav", tone(500, 2), RATE)
    (tmp_path / "root").symlink_to(tmp_path / "real")
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "root", workers=1)
    with asking(tmp_path / "library") as client:
        assert {answer.status_code for answer in everything(client, library.recordings()[0].id)} == {200}


def test_what_is_no_file_any_more_is_not_waited_for(place):
    client, id, folder = place
    (folder / "in" / "a.wav").unlink()
    os.mkfifo(folder / "in" / "a.wav")
    for answer in everything(client, id):
        problem(answer, 404)


def test_a_copy_serves_when_the_first_is_gone(client, ids, indexed, tmp_path):
    for name in ("a", "b"):
        (tmp_path / "in" / name).mkdir(parents=True)
        soundfile.write(tmp_path / "in" / name / "x.wav", tone(500, 2), RATE)
    library = Library(tmp_path / "library", ear="fake_ear")
    library.index(tmp_path / "in", workers=1)
    (tmp_path / "in" / "a" / "x.wav").unlink()
    with asking(tmp_path / "library") as client:
        assert {answer.status_code for answer in everything(client, library.recordings()[0].id)} == {200}


@pytest.mark.parametrize(
    "escape", ["../../etc/passwd", "..%2f..%2fetc%2fpasswd", "%00", "....//", "/etc/passwd", "C:\\x"]
)
def test_addresses_do_not_lead_to_files(client, escape):
    for path in (f"{BASE}/recordings/{escape}/audio", f"/api/v1/libraries/{escape}/stats", f"{BASE}/{escape}"):
        for url in (path, path.replace(escape, quote(escape, safe=""))):
            answer = client.get(url)
            assert answer.status_code in (404, 405, 422), url
            assert "root:" not in answer.text


@pytest.mark.parametrize(
    "escape", ["../app.py", "..%2fapp.py", "%2e%2e/app.py", "js/../../app.py", "//etc/passwd", "js"]
)
def test_the_page_leads_to_its_own_files_only(client, escape):
    answer = client.get(f"/static/{escape}")
    assert answer.status_code == 404
    assert "create_app" not in answer.text


def test_below():
    assert below("/a/b", "/a/b")
    assert below("/a/b/c", "/a/b")
    assert below("/a", "/")
    assert not below("/a/bc", "/a/b")
    assert not below("/a", "/a/b")


@pytest.mark.parametrize(
    ("roots", "path", "shown"),
    [
        (["/music"], "/music/live/a.wav", "live/a.wav"),
        (["/music", "/field"], "/field/a.wav", "field/a.wav"),
        (["/x/music", "/y/music"], "/y/music/b/a.wav", "/y/music/b/a.wav"),
        (["/music"], "/elsewhere/a.wav", "/elsewhere/a.wav"),
        ([], "/music/a.wav", "/music/a.wav"),
    ],
)
def test_shown_paths(roots, path, shown):
    names = Names(map(Path, roots))
    assert names.shown(path) == shown
    assert names.real(names.folder(path)) == os.path.dirname(path)
