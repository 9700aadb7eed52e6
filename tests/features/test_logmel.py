"""The torch front-ends against the public ones: torchlibrosa (through librosa's definition), Kaldi, torchaudio."""

from pathlib import Path

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.features.kaldi import Fbank, frame_matrix, kaldi_window  # noqa: E402
from auricle.features.logmel import LogMel  # noqa: E402
from auricle.features.mel import periodic_hann, slaney_bank  # noqa: E402


def sound(samples: int, seed: int = 0) -> np.ndarray:
    """A sweep in noise [samples]; the stored references heard the same."""
    time = np.arange(samples)
    noise = np.random.default_rng(seed).standard_normal(samples)
    return (0.3 * np.sin(2 * np.pi * (0.01 * time + 2e-7 * time * time)) + 0.1 * noise).astype(np.float32)


def batch(waveform: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(waveform)[None]


@pytest.fixture(scope="module")
def kaldi():
    """Every 12th frame of ``torchaudio.compliance.kaldi.fbank``, run in float64 on ``sound(16000)``, four settings."""
    return np.load(Path(__file__).parent / "kaldi.npz")


SETTINGS = {
    "ast": {"bands": 128, "window": "hanning"},
    "beats": {"bands": 128, "window": "povey", "scale": 32768.0},
    "cut": {"bands": 40, "window": "povey", "scale": 32768.0, "low": 40.0, "high": -200.0},
    "hamming": {"bands": 64, "window": "hamming", "high": 7600.0, "preemphasis": 0.0},
}


@pytest.mark.parametrize("name", SETTINGS)
def test_fbank_is_torchaudios(kaldi, name):
    ours = Fbank(16_000, **SETTINGS[name])(batch(sound(16_000)))[0].numpy()
    assert ours.shape == (98, SETTINGS[name]["bands"])  # 1 + (16000 - 400) // 160
    np.testing.assert_allclose(ours[::12], kaldi[name], rtol=0, atol=1e-4)


def test_fbank_of_silence_is_its_floor():
    np.testing.assert_allclose(Fbank()(torch.zeros(1, 4000)).numpy(), np.log(1.1920929e-07), rtol=1e-6)


def test_fbank_removes_the_mean_of_each_frame():
    waveform = sound(4000)
    np.testing.assert_allclose(Fbank()(batch(waveform + 0.25)), Fbank()(batch(waveform)), rtol=0, atol=2e-3)


def test_frame_matrix_is_kaldis_loop():
    frame = sound(9).astype(np.float64)
    centred = frame - frame.mean()
    expected = [centred[0] - 0.97 * centred[0], *(centred[i] - 0.97 * centred[i - 1] for i in range(1, 9))]
    np.testing.assert_allclose(frame_matrix(9, 0.97) @ frame, expected, atol=1e-12)


@pytest.mark.parametrize(("name", "edge"), [("hanning", 0.0), ("povey", 0.0), ("hamming", 0.08)])
def test_windows_are_symmetric(name, edge):
    window = kaldi_window(name, 400)
    np.testing.assert_allclose(window, window[::-1], atol=1e-12)
    assert window[0] == pytest.approx(edge, abs=1e-12)


PANNS = [
    (32_000, 1024, 320, 64, 50.0, 14_000.0),
    (16_000, 512, 160, 64, 50.0, 8000.0),
    (8000, 256, 80, 64, 50.0, 4000.0),
]


@pytest.mark.parametrize("settings", PANNS)
def test_logmel_is_librosas_definition(settings):
    rate, fft, hop, bands, low, high = settings
    waveform = sound(rate // 2 + 7)
    padded = np.pad(waveform.astype(np.float64), fft // 2, mode="reflect")
    frames = np.lib.stride_tricks.sliding_window_view(padded, fft)[::hop] * periodic_hann(fft)
    mel = np.abs(np.fft.rfft(frames)) ** 2 @ slaney_bank(rate, fft, bands, low, high)
    ours = LogMel(*settings)(batch(waveform))[0].numpy()
    assert ours.shape == (1 + len(waveform) // hop, bands)
    np.testing.assert_allclose(ours, 10 * np.log10(np.maximum(mel, 1e-10)), rtol=0, atol=1e-4)


def test_logmel_of_silence_is_minus_100_decibels():
    assert (LogMel(*PANNS[0])(torch.zeros(2, 4000)) == -100).all()


@pytest.mark.parametrize(("front_end", "least"), [(LogMel(*PANNS[1]), 257), (Fbank(), 400)])
def test_too_short_a_waveform_is_refused(front_end, least):
    assert front_end(torch.zeros(1, least)).shape[1] >= 1
    with pytest.raises(ValueError, match="too few"):
        front_end(torch.zeros(1, least - 1))


@pytest.mark.parametrize("front_end", [LogMel(*PANNS[1]), Fbank()])
def test_autocast_does_not_touch_the_front_end(front_end):
    waveform = batch(sound(4000))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        heard = front_end(waveform)
    assert heard.dtype == torch.float32
    assert torch.equal(heard, front_end(waveform))


@pytest.mark.filterwarnings("default")  # torch's exporter warns of itself
@pytest.mark.parametrize("front_end", [LogMel(*PANNS[1]), Fbank()])
def test_onnx_gives_the_same_numbers_at_any_length(tmp_path, front_end):
    onnxruntime = pytest.importorskip("onnxruntime")
    pytest.importorskip("onnxscript")
    shapes = ({0: torch.export.Dim("batch"), 1: torch.export.Dim("samples", min=1024)},)
    program = torch.onnx.export(
        front_end.eval(), (torch.zeros(2, 4000),), dynamo=True, dynamic_shapes=shapes, verbose=False
    )
    program.save(tmp_path / "front_end.onnx")
    session = onnxruntime.InferenceSession(tmp_path / "front_end.onnx")
    waveform = np.stack([sound(7001), sound(7001, seed=1), np.zeros(7001, np.float32)])
    heard = session.run(None, {session.get_inputs()[0].name: waveform})[0]
    np.testing.assert_allclose(heard, front_end(torch.from_numpy(waveform)), rtol=0, atol=1e-4)
