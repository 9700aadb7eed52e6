"""Side by side: the correlation against a slow oracle, and where a clip is found to lie."""

import numpy as np
import pytest
import soxr
from tests.identify.test_moco_fingerprint import RATE, melody
from tests.library.conftest import save

from auricle.identify.moco_fingerprint import load
from auricle.library.beside import Beside, Clip, Side, Span


@pytest.fixture(scope="module")
def recording(tmp_path_factory):
    return save(tmp_path_factory.mktemp("beside") / "0.wav", melody(0, 20.0), RATE)


def heard(clip: np.ndarray, recording, span: Span) -> Beside:
    return Clip(load(), clip.astype(np.float32)).beside(recording, [span])[0]


def test_correlations_are_those_of_every_stretch():
    rng = np.random.default_rng(0)
    levels, part = rng.standard_normal((20, 5)).astype(np.float32), rng.standard_normal((8, 5)).astype(np.float32)
    found = Side(levels).correlations(part)
    assert len(found) == 13
    for at, correlation in enumerate(found):
        there = levels[at : at + 8] - levels[at : at + 8].mean(axis=0)
        own = part - part.mean(axis=0)
        assert correlation == pytest.approx((there * own).sum() / np.sqrt((there**2).sum() * (own**2).sum()), abs=1e-5)


def test_a_clip_is_found_half_a_second_from_where_it_was_said_to_be(recording):
    clip = melody(0, 20.0)[5 * RATE : 10 * RATE]
    likeness, span = heard(clip, recording, Span(0.0, 5.0, 5.5, 1.0, 0))
    assert likeness > 0.95
    assert span.start == pytest.approx(5.0, abs=0.02)
    assert (span.tempo, span.pitch) == (1.0, 0)


def test_speed_and_pitch_are_measured(recording):
    clip = soxr.resample(melody(0, 20.0)[5 * RATE : 12 * RATE], RATE * 1.1, RATE)[: 5 * RATE]
    likeness, span = heard(clip, recording, Span(0.0, 5.0, 5.0, 2 ** (1 / 12), 2))
    assert likeness > 0.8
    assert span.tempo == pytest.approx(1.1, abs=0.01)
    assert span.pitch == 1.5


def test_loudness_equalisers_and_noise_leave_it_clear(recording):
    rng = np.random.default_rng(0)
    clip = melody(0, 20.0)[5 * RATE : 10 * RATE]
    bright = 0.05 * np.diff(clip, prepend=0)
    noisy = clip + clip.std() * rng.standard_normal(len(clip))
    for other in (bright, noisy):
        assert heard(other, recording, Span(0.0, 5.0, 5.0, 1.0, 0)).clear


def test_other_sounds_are_not_clear(recording):
    for other in (melody(1, 5.0), np.random.default_rng(0).standard_normal(5 * RATE), np.zeros(5 * RATE)):
        assert not heard(other, recording, Span(0.0, 5.0, 5.0, 1.0, 0)).clear


def test_what_a_recording_has_no_more_of_is_not_compared(recording):
    clip = melody(0, 20.0)[5 * RATE : 10 * RATE]
    for span in (Span(4.5, 5.0, 19.9, 1.0, 0), Span(3.0, 3.0, 9.0, 1.0, 0), Span(3.0, 2.0, 9.0, 1.0, 0)):
        assert heard(clip, recording, span).clarity == 0


def test_what_is_played_otherwise_must_be_more_alike():
    as_it_was, slow = Span(0.0, 5.0, 3.0, 1.01, 0.0), Span(0.0, 5.0, 3.0, 0.9, 0.0)
    assert as_it_was.as_it_was
    assert not slow.as_it_was
    assert not Span(0.0, 5.0, 3.0, 1.0, 0.5).as_it_was
    assert Beside(0.4, as_it_was).clear
    assert not Beside(0.4, slow).clear
    assert Beside(0.6, slow).clear
