"""The map over HTTP: drawn while nobody waits, then there at once."""

import threading
import time

import numpy as np
import soundfile

from auricle.errors import LibraryError
from auricle.library import Library, atlas
from tests.serve.conftest import BASE, RATE, asking, problem, tone

URL = f"{BASE}/map"


def drawn(client, **params):
    """The answer once the map is drawn."""
    for _ in range(400):
        answer = client.get(URL, params=params)
        if answer.status_code != 202:
            return answer
        assert 0 <= answer.json()["progress"] <= 1
        time.sleep(0.05)
    raise AssertionError("the map was not drawn in 20 s")


def test_what_sounds_alike_lies_close_together(writer, ids):
    assert writer.get(URL).status_code == 202
    answer = drawn(writer)
    assert answer.status_code == 200
    made = answer.json()
    names = [recording["name"] for recording in made["recordings"]]
    assert len(names) == len({recording["id"] for recording in made["recordings"]}) == 7
    by_name = {recording["name"]: recording for recording in made["recordings"]}
    assert by_name["long.flac"]["duration"] == 12
    assert by_name["long.flac"]["id"] == ids["long.flac"]
    places: dict[str, list] = {}
    for x, y, colour, recording, start, end in made["points"]:
        assert -1 <= x <= 1
        assert -1 <= y <= 1
        assert 0 <= colour < len(made["colours"])
        assert 0 <= start < end <= made["recordings"][recording]["duration"] + 1
        kind = made["recordings"][recording]["folder"].rpartition("/")[2]
        if names[recording] == "long.flac":
            kind = "high, long" if 4.5 < (start + end) / 2 < 7.5 else "low, long"
        places.setdefault(kind, []).append((x, y))
    centre = {kind: np.mean(points, axis=0) for kind, points in places.items()}
    assert np.linalg.norm(centre["high, long"] - centre["high"]) < np.linalg.norm(centre["high, long"] - centre["low"])


def test_colours(writer):
    tags, folders = drawn(writer, colour="tag").json(), drawn(writer, colour="folder").json()
    assert [point[:2] for point in tags["points"]] == [point[:2] for point in folders["points"]]
    assert any("high" in name for name in folders["colours"])
    assert {"High tone", "Low tone"} <= set(tags["colours"])
    problem(writer.get(URL, params={"colour": "shape"}), 422)


def test_a_map_the_client_has_is_not_sent_again(writer, tmp_path, sounds):
    first = drawn(writer)
    known = {"if-none-match": first.headers["etag"]}
    assert writer.get(URL, headers=known).status_code == 304
    assert writer.get(URL, headers=known, params={"colour": "folder"}).status_code == 200
    library = writer.app.state.context.shelf["default"].library
    soundfile.write(sounds.parent / "new.wav", tone(2000, 2), RATE)
    library.index(sounds.parent / "new.wav", workers=1)
    assert writer.get(URL, headers=known).status_code == 202
    assert len(drawn(writer).json()["recordings"]) == 8


def test_nothing_to_map(tmp_path):
    with asking(tmp_path / "library", ear="fake_ear") as client:
        assert client.get(URL).json() == {"points": [], "recordings": [], "colours": []}
        (tmp_path / "sounds").mkdir()
        (tmp_path / "sounds" / "broken.wav").write_bytes(b"no sound")
        Library(tmp_path / "library", ear="fake_ear").index(tmp_path / "sounds", workers=1)
        assert drawn(client).json() == {"points": [], "recordings": [], "colours": []}


def test_a_map_is_drawn_once_however_many_ask(writer, monkeypatch):
    going, count = threading.Event(), []

    def slow(store, index, classes, *, progress):
        count.append(1)
        progress(0.25)
        assert going.wait(10)

    with monkeypatch.context() as patch:
        patch.setattr(atlas, "atlas", slow)
        writer.get(URL)
        deadline = time.monotonic() + 5
        while writer.get(URL).json() != {"progress": 0.25}:
            assert time.monotonic() < deadline
            time.sleep(0.01)
        assert [writer.get(URL).status_code for _ in range(5)] == [202] * 5
        going.set()
    assert drawn(writer).status_code == 200
    assert len(count) == 1


def test_drawing_that_fails_is_told_once(writer, monkeypatch):
    def failing(*_, **__):
        raise LibraryError("The disk is full", "Make room")

    with monkeypatch.context() as patch:
        patch.setattr(atlas, "atlas", failing)
        assert "disk is full" in problem(drawn(writer), 409)
    assert drawn(writer).status_code == 200


def test_what_breaks_while_drawing_is_told(writer, monkeypatch):
    def failing(*_, **__):
        raise ValueError("of the library's own")

    monkeypatch.setattr(atlas, "atlas", failing)
    assert "inside auricle" in problem(drawn(writer), 500)


def test_the_server_ends_while_a_map_is_drawn(own, monkeypatch):
    ended = threading.Event()

    def endless(store, index, classes, *, progress):
        try:
            while True:
                progress(0.5)
                time.sleep(0.01)
        finally:
            ended.set()

    monkeypatch.setattr(atlas, "atlas", endless)
    with asking(own) as client:
        assert client.get(URL).status_code == 202
        time.sleep(0.1)
    assert ended.wait(5)
