"""Detectors: opened by name, and what is believed where windows overlap."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.audio import write  # noqa: E402
from auricle.cli import main  # noqa: E402
from auricle.errors import AuricleError, LibraryError  # noqa: E402
from auricle.hub.detector import TorchDetector, open_detector  # noqa: E402
from auricle.hub.pretrained import save_pretrained  # noqa: E402
from auricle.library import detect  # noqa: E402
from auricle.library.detect import score_steps  # noqa: E402
from auricle.represent import hts_at, panns  # noqa: E402
from auricle.types import Detector, Ear  # noqa: E402

RATE = 8000
SIZES = {"depths": (1, 1), "heads": (1, 2), "size": 32, "bands": 16, "seconds": 1.0, "sample_rate": RATE, "high": 4e3}


class Loud(torch.nn.Module):
    """Hears "loud" wherever the waveform is, in steps of 0.1 s of a window of 1 s."""

    sample_rate, classes, window = RATE, ("quiet", "loud"), 1.0

    def detect(self, wave):
        loud = wave.unflatten(-1, (10, -1)).abs().mean(dim=-1)
        return torch.stack((1 - loud, loud), dim=-1)


def wave(seconds: float) -> np.ndarray:
    """Loud from 1.2 s to 2.3 s."""
    time = np.arange(round(seconds * RATE)) / RATE
    return np.where((time >= 1.2 - 1e-9) & (time < 2.3 - 1e-9), 0.9, 0.0).astype(np.float32)


@pytest.fixture
def recording(tmp_path):
    write(tmp_path / "loud.wav", wave(3.75), RATE)
    return tmp_path / "loud.wav"


@pytest.mark.parametrize("samples", [1, 700, 8000, 8001, 12_000, 30_000, 500_000])
def test_every_step_of_a_recording_is_scored_once(samples):
    detector = TorchDetector("loud", Loud())
    assert isinstance(detector, Detector)
    assert not isinstance(detector, Ear)
    sound = np.random.default_rng(0).uniform(-1, 1, samples).astype(np.float32)
    scores, count = score_steps(detector, np.array_split(sound, 3) if samples > 3 else [sound])
    filled = np.pad(sound, (0, -samples % 800))
    assert count == samples
    np.testing.assert_allclose(scores[:, 1], np.abs(filled).reshape(-1, 800).mean(axis=1), rtol=1e-4)


def test_overlapping_windows_are_believed_in_their_middle():
    class Where(Loud):
        def detect(self, wave):
            return torch.arange(10.0)[None, :, None].expand(1, 10, 2) / 10

    scores, _ = score_steps(TorchDetector("where", Where()), [np.zeros(16_000, np.float32)])
    places = [*range(7), 2, 3, 4, 5, 6, 2, 3, 4, 5, 6, 7, 8, 9]  # three windows, 0.5 s apart
    np.testing.assert_allclose(scores[:, 0] * 10, places, atol=1e-5)


def test_a_file_becomes_events(recording):
    events = detect(recording, TorchDetector("loud", Loud()), labels=["Loud"])
    assert [(event.path, event.start, event.end, event.label) for event in events] == [
        (str(recording), 1.2, 2.3, "loud")
    ]
    with pytest.raises(LibraryError, match="no class 'lout'"):
        detect(recording, TorchDetector("loud", Loud()), labels=["lout"])


def test_what_is_no_detector_is_refused(tmp_path):
    config = panns.Config(channels=(4, 8), kernel=5, embedding=6)
    folder = save_pretrained(panns.Model(config, ("a",)), tmp_path / "panns")
    with pytest.raises(AuricleError, match="does not say when"):
        open_detector(str(folder))


def test_the_command_hears_files_without_a_library(recording, tmp_path, capsys):
    torch.manual_seed(0)
    model = hts_at.Model(hts_at.Config(width=8, **SIZES), ("hum", "buzz"))
    folder = save_pretrained(model, tmp_path / "trained")
    assert main(["events", str(recording), "--system", str(folder), "--on", "0.01", "--json"]) == 0
    assert '"label": "hum"' in capsys.readouterr().out
    assert main(["events", str(tmp_path / "trained"), "--system", str(folder)]) == 0  # no sounds in it
    (tmp_path / "broken.wav").write_bytes(b"this is no sound")
    assert main(["events", str(tmp_path / "broken.wav"), str(recording), "--system", str(folder)]) == 1
    assert main(["events", "--system", str(folder)]) != 0
