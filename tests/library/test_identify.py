"""Identification: clips of indexed recordings, whatever was done to them."""

import shutil
from pathlib import Path

import numpy as np
import pytest
import soxr
from tests.identify.test_moco_fingerprint import RATE, melody
from tests.library.conftest import save

from auricle.errors import LibraryError, QueryError
from auricle.library import Library, identify, prints
from auricle.library.store import Store

SECONDS = 24.0


@pytest.fixture(scope="module")
def library(tmp_path_factory) -> Library:
    """Six melodies and a copy of one."""
    folder = tmp_path_factory.mktemp("prints")
    for seed in range(6):
        save(folder / "music" / f"{seed}.wav", melody(seed, SECONDS), RATE)
    shutil.copy(folder / "music" / "2.wav", folder / "music" / "copy of 2.wav")
    library = Library(folder / "library", ear=identify.EAR)
    library.index(folder / "music", workers=1)
    return library


def found(library: Library, clip: np.ndarray, folder: Path) -> list[identify.Match]:
    return library.identify(save(folder / "clip.wav", clip, RATE))


def test_a_clip_is_found_where_it_was_taken(library, tmp_path):
    clip = melody(3, SECONDS)[round(7.3 * RATE) : round(13.3 * RATE)]
    best = found(library, clip, tmp_path)[0]
    assert Path(best.path).name == "3.wav"
    assert best.start - best.offset * best.speed == pytest.approx(7.3, abs=0.3)
    assert best.end == pytest.approx(13.3, abs=0.7)
    assert best.speed == pytest.approx(1, abs=0.02)
    assert best.score > 0.5


def test_an_excerpt_of_a_file_is_a_clip(library):
    path = library.recordings()[0].path
    best = library.identify(f"{path}@10-16")[0]
    assert best.path == path
    assert best.start == pytest.approx(10, abs=0.3)


@pytest.mark.parametrize("factor", [0.84, 0.9, 1.1, 1.2])
def test_a_clip_that_is_played_faster_or_slower(library, tmp_path, factor):
    clip = soxr.resample(melody(1, SECONDS)[4 * RATE : 16 * RATE], RATE * factor, RATE)[: 8 * RATE]
    best = found(library, clip, tmp_path)[0]
    assert Path(best.path).name == "1.wav"
    assert best.speed == pytest.approx(factor, rel=0.07)  # the nearest semitone, or the next
    assert best.start - best.offset * best.speed == pytest.approx(4, abs=0.6)


def test_copies_are_listed_once(library, tmp_path):
    matches = found(library, melody(2, SECONDS)[5 * RATE : 11 * RATE], tmp_path)
    assert sum("2.wav" in match.path for match in matches) == 1


def test_a_clip_of_two_recordings_holds_both(library, tmp_path):
    first, then = melody(0, SECONDS)[: 15 * RATE], melody(5, SECONDS)[3 * RATE : 18 * RATE]
    matches = found(library, np.concatenate([first, then]), tmp_path)
    assert {Path(match.path).name for match in matches} >= {"0.wav", "5.wav"}
    later = next(match for match in matches if match.path.endswith("5.wav"))
    assert later.offset == pytest.approx(15, abs=1.5)


def test_a_long_clip_of_one_recording_is_one_match(library, tmp_path):
    matches = found(library, melody(4, SECONDS), tmp_path)
    assert Path(matches[0].path).name == "4.wav"
    assert matches[0].end - matches[0].start > 20
    assert sum(match.path.endswith("4.wav") for match in matches) == 1


def test_what_is_not_there_is_not_found(library, tmp_path):
    rng = np.random.default_rng(0)
    assert found(library, np.zeros(6 * RATE, np.float32), tmp_path) == []
    assert found(library, (0.1 * rng.standard_normal(6 * RATE)).astype(np.float32), tmp_path) == []


def test_in_a_large_library_clips_are_found_as_in_a_small_one(library, tmp_path, monkeypatch):
    clips = [
        melody(3, SECONDS)[round(7.3 * RATE) : round(13.3 * RATE)],
        soxr.resample(melody(1, SECONDS)[4 * RATE : 16 * RATE], RATE * 1.1, RATE)[: 8 * RATE],
        np.concatenate([melody(0, SECONDS)[: 15 * RATE], melody(5, SECONDS)[3 * RATE : 18 * RATE]]),
        (0.1 * np.random.default_rng(0).standard_normal(6 * RATE)).astype(np.float32),
    ]
    all_compared = [found(library, clip, tmp_path) for clip in clips]
    monkeypatch.setattr(prints, "MANY", 100)
    monkeypatch.setattr(prints, "CANDIDATES", 32)
    large = Library(library.path)
    assert large.identifier.prints.cells
    for few, many in zip(all_compared, (found(large, clip, tmp_path) for clip in clips), strict=True):
        assert {match.path for match in few[:2]} == {match.path for match in many[:2]}
        for was, then in zip(few[:1], many[:1], strict=True):
            assert (then.path, then.pitch) == (was.path, was.pitch)
            assert then.start - then.offset * then.speed == pytest.approx(was.start - was.offset * was.speed, abs=0.1)


def test_in_much_noise_the_sound_tells_what_the_prints_do_not(library, tmp_path):
    clip = melody(3, SECONDS)[round(7.3 * RATE) : round(12.3 * RATE)]
    noise = np.random.default_rng(1).standard_normal(len(clip)).astype(np.float32)
    clip += noise * clip.std()
    place = library.identifier.hashed(clip, 4)[0]
    assert library.identifier.prints.ids[place.recording] == next(
        row.id for row in library.recordings() if row.path.endswith("3.wav")
    )
    assert place.start - place.offset == pytest.approx(7.3, abs=0.1)
    best = found(library, clip, tmp_path)[0]
    assert Path(best.path).name == "3.wav"
    assert best.start - best.offset * best.speed == pytest.approx(7.3, abs=0.1)
    assert 0.3 < best.score < 1


def test_where_a_recording_cannot_be_read_its_prints_must_be_evidence_enough(tmp_path):
    for seed in range(4):
        save(tmp_path / "music" / f"{seed}.wav", melody(seed, SECONDS), RATE)
    own = Library(tmp_path / "library", ear=identify.EAR)
    own.index(tmp_path / "music", workers=1)
    (tmp_path / "music").rename(tmp_path / "elsewhere")
    clip = melody(3, SECONDS)[round(7.3 * RATE) : round(13.3 * RATE)]
    best = found(own, clip, tmp_path)[0]
    assert Path(best.path).name == "3.wav"
    assert best.start - best.offset * best.speed == pytest.approx(7.3, abs=0.3)
    assert found(own, melody(9, 6.0), tmp_path) == []


@pytest.mark.parametrize(("rivals", "needed"), [((0.0, 0.0), 1), ((9.0, 0.0), 1), ((9.0, 9.0), 2)])
def test_evidence_must_stand_out_from_what_the_clip_reaches_in_the_third_best_recording(library, rivals, needed):
    """The second may be a copy."""
    least = library.identifier.enough(10.0, 1, 0.0)
    assert library.identifier.enough(10.0, 1, sorted([9.0, *rivals])[-3]) >= least * needed


def test_a_short_clip_is_refused(library, tmp_path):
    with pytest.raises(QueryError, match="too short"):
        found(library, melody(0, 1.0), tmp_path)


def test_prints_are_taken_when_asked_and_then_kept_up_to_date(sounds, tmp_path):
    library = Library(tmp_path / "own", ear="fake_ear")
    library.index(sounds, workers=1)
    with pytest.raises(LibraryError, match=r"no prints.*--prints"):
        library.identify(sounds / "long.flac")
    report = library.index(sounds, workers=1, prints=True)
    assert report.heard == 0
    name, _ = library.store.ear(identify.EAR) or ("", "")
    heard = len(library.store.heard(name))
    assert heard == report.total
    assert library.ear.startswith("fake_ear")
    save(sounds / "new.wav", melody(9, 8.0), RATE)
    library.index(sounds, workers=1)
    assert len(library.store.heard(name)) == heard + 1
    assert Path(library.identify(f"{sounds / 'new.wav'}@1-7")[0].path).name == "new.wav"
    save(sounds / "newer.wav", melody(10, 8.0), RATE)
    library.index(sounds, workers=1, prints=False)
    assert len(library.store.heard(name)) == heard + 1


def test_the_speed_is_measured_between_prints():
    rng = np.random.default_rng(0)
    walk = np.cumsum(rng.standard_normal((4000, 64)), axis=0)  # a print changes slowly
    smooth = np.stack([np.convolve(walk[:, d] - walk[:, d].mean(), np.hanning(200), "same") for d in range(64)], axis=1)
    unit = smooth / np.linalg.norm(smooth, axis=1, keepdims=True)
    own = unit[::100].astype(np.float32)  # a hop is 100 steps
    x = np.arange(0, 15, 0.5)
    clip = unit[np.rint((12.3 + 1.02 * x) * 100).astype(int)].astype(np.float32)
    place, slope = identify.measured(clip, own, 12, x)
    assert place == pytest.approx(12.3, abs=0.15)
    assert slope == pytest.approx(1.016, abs=0.01)  # nearer to 1 than it is, for 7 s are short


def test_of_several_versions_of_an_ear_the_last_answers(tmp_path):
    store = Store(tmp_path)
    with store.lock():
        store.remember(ears={"prints@1": "prints"})
        store.remember(ears={"prints@2": "prints"})
    assert store.ear("prints") == ("prints@2", "prints")
    assert store.ear("prints@1") == ("prints@1", "prints")
