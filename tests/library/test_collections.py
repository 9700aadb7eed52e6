import csv
import io
import zipfile

import numpy as np
import pytest
import soundfile
from tests.library.conftest import RATE, save, tone

from auricle.errors import LibraryError, QueryError
from auricle.library import collections as module
from auricle.library import formats
from auricle.library.collections import Collections, Item


@pytest.fixture
def collections(library):
    return Collections(library.store)


@pytest.fixture
def ids(library):
    """Content ids by file name."""
    return {recording.path.rpartition("/")[2]: recording.id for recording in library.recordings()}


def test_collections_persist_in_the_order_of_adding(library, collections, ids):
    rain, owls = collections.create(" Rain "), collections.create("owls")
    late, early = Item(ids["long.flac"], 10.0, 14.0), Item(ids["low 0.wav"], 0.5, 1.0)
    assert collections.add(rain.id, [late, early, late]).items == (late, early)
    assert collections.add(rain.id, [early]).items == (late, early)
    assert collections.take_out(rain.id, [late, Item(ids["low 0.wav"], 9, 10)]).items == (early,)
    assert [(one.name, one.items) for one in Collections(library.store)()] == [("owls", ()), ("Rain", (early,))]
    assert collections.rename(owls.id, "Owls").name == "Owls"


def test_every_change_can_be_undone_a_removal_too(collections, ids):
    one = collections.create("one")
    item = Item(ids["long.flac"], 10.0, 14.0)
    collections.add(one.id, [item])
    collections.rename(one.id, "uno")
    assert collections.remove(one.id).items == (item,)
    assert collections() == []
    undone = collections.undo()
    assert undone == {"action": "remove", "collection": collections.get(one.id)}
    assert collections.get(one.id).items == (item,)
    assert [collections.undo()["action"] for _ in range(3)] == ["rename", "add", "create"]
    assert collections() == []
    assert collections.undo() is None


def test_nothing_is_logged_when_nothing_changes(library, collections, ids):
    one = collections.create("one")
    collections.add(one.id, [])
    collections.take_out(one.id, [Item(ids["long.flac"], 0, 1)])
    assert len(library.store.log("collections")) == 1


def test_nonsense_is_refused(collections, ids):
    one = collections.create("one")
    for name in ("", "  ", "x" * 201, "ONE"):
        with pytest.raises(QueryError):
            collections.create(name)
    for start, end in ((2, 1), (1, 1), (-1, 1), (0, float("inf")), (float("nan"), 1)):
        with pytest.raises(QueryError, match="stretch"):
            collections.add(one.id, [Item(ids["long.flac"], start, end)])
    with pytest.raises(LibraryError, match="recording"):
        collections.add(one.id, [Item("0" * 32, 0, 1)])
    with pytest.raises(LibraryError, match="collection"):
        collections.get("nothing")
    assert collections.get(one.id).items == ()


def unzipped(data: bytes) -> tuple[dict[str, bytes], list[dict[str, str]]]:
    """Clips by name, and the rows of the manifest."""
    with zipfile.ZipFile(io.BytesIO(data)) as archive:
        assert archive.testzip() is None
        entries = {name: archive.read(name) for name in archive.namelist()}
    return entries, list(csv.DictReader(io.StringIO(entries.pop("manifest.csv").decode(), newline="")))


def test_a_zip_holds_the_very_samples_and_a_manifest(library, collections, ids, sounds, tmp_path):
    one = collections.create("one")
    collections.add(one.id, [Item(ids["long.flac"], 9.5, 14.25), Item(ids["low 0.wav"], 0.5, 99.0)])
    collections.add(one.id, [Item(ids["long.flac"], 9.501, 14.251)])  # the same to a hundredth of a second
    clips, manifest = unzipped(b"".join(collections.zipped(one.id)))
    assert list(clips) == ["long_9.50-14.25s.flac", "low 0_0.50-99.00s.flac", "long_9.50-14.25s (2).flac"]
    assert [row["clip"] for row in manifest] == list(clips)
    assert [row["problem"] for row in manifest] == ["", "", ""]
    assert manifest[0]["path"] == str(sounds / "long.flac")
    assert float(manifest[1]["start"]) == 0.5
    whole, _ = soundfile.read(sounds / "long.flac", dtype="int16")
    clip, rate = soundfile.read(io.BytesIO(clips["long_9.50-14.25s.flac"]), dtype="int16")
    assert rate == RATE
    np.testing.assert_array_equal(clip, whole[int(9.5 * RATE) : int(14.25 * RATE)])
    collections.export_zip(one.id, tmp_path / "one.zip")
    assert unzipped((tmp_path / "one.zip").read_bytes())[1] == manifest
    held = io.BytesIO()
    collections.export_zip(one.id, held)
    assert unzipped(held.getvalue())[0].keys() == clips.keys()


def test_a_zip_says_what_could_not_be_cut(library, collections, ids, sounds, tmp_path):
    one = collections.create("one")
    names = ("low 0.wav", "low 1.wav", "high 0.wav")
    collections.add(one.id, [Item(ids[name], 0, 1) for name in names])
    (sounds / "low" / "low 0.wav").unlink()
    library.store.forget([str(sounds / "low" / "low 1.wav")])
    clips, manifest = unzipped(b"".join(collections.zipped(one.id)))
    assert list(clips) == ["high 0_0.00-1.00s.flac"]
    assert [row["clip"] for row in manifest] == ["", "", *clips]
    assert manifest[0]["problem"] == "There is no such file"
    assert manifest[1]["problem"] == "The recording is no longer in the library"
    assert [hit.path for hit in collections.hits(one.id)] == [str(sounds / "low" / "low 0.wav"), manifest[2]["path"]]
    with pytest.raises(LibraryError, match="written"):
        collections.export_zip(one.id, tmp_path / "nowhere" / "one.zip")
    with pytest.raises(LibraryError, match="no collection"):
        collections.zipped("nothing")


def test_a_long_stretch_is_cut_into_parts(collections, ids, monkeypatch):
    monkeypatch.setattr(module, "CLIP_VALUES", 4 * RATE)
    one = collections.create("one")
    collections.add(one.id, [Item(ids["long.flac"], 1.0, 11.0)])
    clips, manifest = unzipped(b"".join(collections.zipped(one.id)))
    assert list(clips) == ["long_1.00-5.00s.flac", "long_5.00-9.00s.flac", "long_9.00-11.00s.flac"]
    assert [(float(row["start"]), float(row["end"])) for row in manifest] == [(1, 5), (5, 9), (9, 11)]
    assert sum(soundfile.info(io.BytesIO(clip)).frames for clip in clips.values()) == 10 * RATE


def test_clips_keep_their_depth_and_channels(library, collections, tmp_path):
    stereo = np.stack([tone(300, 1.0), tone(500, 1.0)], axis=1)
    many = np.repeat(tone(300, 1.0)[:, None], 9, axis=1)
    for name, sound in (("stereo", stereo), ("many", many)):
        path = save(tmp_path / "more" / f"{name}.wav", sound)
        soundfile.write(path, sound, 44_100, subtype="PCM_24")
    library.index(tmp_path / "more", workers=1)
    one = collections.create("one")
    more = [r for r in library.recordings() if "/more/" in r.path]
    collections.add(one.id, [Item(recording.id, 0.0, 0.3) for recording in more])
    clips, _ = unzipped(b"".join(collections.zipped(one.id)))
    kinds = {name: soundfile.info(io.BytesIO(clip)) for name, clip in clips.items()}
    assert {name: (info.channels, info.subtype, info.samplerate) for name, info in kinds.items()} == {
        "many_0.00-0.30s.wav": (9, "PCM_24", 44_100),
        "stereo_0.00-0.30s.flac": (2, "PCM_24", 44_100),
    }


def test_a_playlist_reads_back(collections, ids, tmp_path):
    one = collections.create("one")
    collections.add(one.id, [Item(ids["long.flac"], 10.0, 14.0), Item(ids["low 0.wav"], 0.5, 1.0)])
    collections.export_m3u8(one.id, tmp_path / "one.m3u8")
    events = formats.read("m3u8", tmp_path / "one.m3u8")
    assert [(event.path, event.start, event.end) for event in events] == [
        (hit.path, hit.start, hit.end) for hit in collections.hits(one.id)
    ]
    assert [event.label for event in events] == ["long", "low 0"]
