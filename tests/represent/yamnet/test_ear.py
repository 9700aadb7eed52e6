"""The ear: the protocol, bits whatever the batch, and with weights the published behaviour."""

import subprocess
import sys

import numpy as np
import pytest

import auricle
from auricle.data.audioset import classes, descriptions, mids
from auricle.represent.yamnet import CARD
from auricle.represent.yamnet.ear import BATCH, YamnetEar
from auricle.represent.yamnet.graph import float_graph, int8_graph
from auricle.types import Ear, windows_in

WINDOW, HOP = 15_600, 7_680
TIME = np.arange(3 * 16_000) / 16_000


@pytest.fixture(scope="module", params=[int8_graph, float_graph])
def ear(request, random_network, tmp_path_factory) -> YamnetEar:
    path = tmp_path_factory.mktemp("ear") / "graph.onnx"
    path.write_bytes(request.param(random_network).SerializeToString())
    return YamnetEar("yamnet@random", path)


def noise(rows):
    return np.random.default_rng(7).normal(0, 0.1, WINDOW + (rows - 1) * HOP).astype(np.float32)


def filled(waveform):
    rows = windows_in(len(waveform), WINDOW, HOP)
    return np.pad(waveform, (0, WINDOW + (rows - 1) * HOP - len(waveform))).astype(np.float32)


def test_is_an_ear(ear):
    assert isinstance(ear, Ear)
    assert (ear.sample_rate, ear.window, ear.hop, ear.dim) == (16_000, WINDOW, HOP, 1024)
    assert len(ear.classes) == 521
    assert [ear.classes[i] for i in (0, 132, 494, 495, 514)] == [
        "Speech",
        "Music",
        "Silence",
        "Sine wave",
        "White noise",
    ]
    assert CARD.ear
    assert CARD.tag == "int8"


@pytest.mark.parametrize("rows", [1, 2, BATCH, BATCH + 1])
def test_a_row_per_window(ear, rows):
    heard = ear.hear(noise(rows))
    assert heard.embeddings.shape == (rows, 1024)
    assert heard.scores.shape == (rows, 521)
    assert heard.embeddings.dtype == heard.scores.dtype == np.float32
    assert heard.embeddings.min() >= 0
    assert 0 <= heard.scores.min() <= heard.scores.max() <= 1


def test_a_row_depends_on_its_own_samples_only(ear):
    """The same bits alone, in one go, in blocks of any length, and among other neighbours."""
    rows = BATCH + 5
    waveform = noise(rows)
    whole = ear.hear(waveform)

    def part(first, last):
        return ear.hear(waveform[first * HOP : (last - 1) * HOP + WINDOW])

    for size in (1, 2, 7, BATCH):
        for first in range(0, rows, size):
            last = min(first + size, rows)
            for found, wanted in zip(part(first, last)[:2], whole[:2], strict=True):
                assert np.array_equal(found, wanted[first:last])
    waveform[:HOP] = 0.5  # heard by the first window alone
    for found, wanted in zip(ear.hear(waveform)[:2], whole[:2], strict=True):
        assert np.array_equal(found[1:], wanted[1:])
        assert not np.array_equal(found[0], wanted[0])


@pytest.mark.parametrize("shape", [(0,), (WINDOW - 1,), (WINDOW + 1,), (WINDOW + HOP - 1,), (WINDOW, 1), (WINDOW, 2)])
def test_refuses_parts_of_windows(ear, shape):
    with pytest.raises(ValueError, match="shape"):
        ear.hear(np.zeros(shape, np.float32))


def test_importing_it_is_light():
    code = (
        "import sys, auricle.represent.yamnet; print([m for m in ('onnx', 'onnxruntime', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_class_list():
    assert len(set(classes())) == len(set(mids())) == 521
    assert set(descriptions()) == set(classes())
    assert all(descriptions().values())


def sweep(start, rate):
    time = np.arange(WINDOW) / 16_000
    return np.sin(2 * np.pi * (start * time + rate * time**2))


GOLDEN = {  # of one window, float: leading scores, sum of the embedding, non-zero entries
    "tone": (0.5 * sweep(1000, 0), {"Beep, bleep": 0.9315, "Sine wave": 0.1253}, 92.42, 70),
    "chirp": (0.3 * sweep(200, 1435.897), {"Alarm": 0.4072, "Sine wave": 0.3079, "Siren": 0.1591}, 82.58, 111),
    "clicks": (np.where(np.arange(WINDOW) % 1600 == 0, 0.9, 0.0), {"Synthesizer": 0.1794}, 31.94, 112),
}


@pytest.mark.weights
@pytest.mark.parametrize("signal", GOLDEN)
def test_golden_scores(signal):
    waveform, scores, total, active = GOLDEN[signal]
    ear = auricle.load("yamnet@float")
    heard = ear.hear(waveform.astype(np.float32))
    assert heard.scores[0].max() == pytest.approx(next(iter(scores.values())), abs=2e-3)
    for name, score in scores.items():
        assert heard.scores[0, ear.classes.index(name)] == pytest.approx(score, abs=2e-3)
    assert heard.embeddings.sum() == pytest.approx(total, rel=1e-3)
    assert np.count_nonzero(heard.embeddings) == pytest.approx(active, abs=1)


SMOKE = {  # three seconds, float: leading scores of the clip
    "zeros": (np.zeros_like(TIME), {"Silence": 1.0}),
    "noise": (
        np.random.RandomState(51773).uniform(-1, 1, len(TIME)),
        {"White noise": 0.335, "Noise": 0.256, "Static": 0.198},
    ),
    "sine": (
        np.sin(2 * np.pi * 440 * TIME),
        {
            "Telephone": 0.996,
            "Dial tone": 0.983,
            "Busy signal": 0.983,
            "Alarm": 0.966,
            "Sine wave": 0.029,
        },
    ),
}


@pytest.mark.weights
@pytest.mark.parametrize("signal", SMOKE)
def test_smoke_float(signal):
    waveform, scores = SMOKE[signal]
    ear = auricle.load("yamnet@float")
    clip = ear.hear(filled(waveform)).scores.mean(axis=0)
    for name, score in scores.items():
        assert clip[ear.classes.index(name)] == pytest.approx(score, abs=2e-3)


@pytest.mark.weights
@pytest.mark.parametrize("signal", SMOKE)
def test_smoke_int8(signal):
    """The authors' own test of a port: the class is among the ten best; here the best one is also float's."""
    waveform, scores = SMOKE[signal]
    ear = auricle.load("yamnet")
    assert ear.name == "yamnet@int8"
    best = [ear.classes[i] for i in ear.hear(filled(waveform)).scores.mean(axis=0).argsort()[::-1][:10]]
    assert best[0] == next(iter(scores))
    assert {"zeros": "Silence", "noise": "White noise", "sine": "Sine wave"}[signal] in best
