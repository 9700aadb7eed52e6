"""The encoder against PASE's (santi-pdp/pase 2a41e63) with drawn weights; workers by definition; training."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from auricle.errors import WeightsError  # noqa: E402
from auricle.nn.weighting import WEIGHTINGS  # noqa: E402
from auricle.represent import _notes  # noqa: E402
from auricle.represent import multitask_music_ssl as music  # noqa: E402
from auricle.represent.multitask_music_ssl import model as encoders  # noqa: E402
from auricle.represent.multitask_music_ssl import training, workers  # noqa: E402
from tests.represent import seeded  # noqa: E402

KNOWN, SHAPES = seeded.fixture("pase")
RATE = training.MINI.sample_rate


pytestmark = pytest.mark.usefixtures("one_thread")


def authors_state() -> dict[str, torch.Tensor]:
    state = seeded.state(SHAPES["encoder"])
    state |= {name: x.abs() + 0.5 for name, x in state.items() if name.endswith("running_var")}
    state["blocks.0.conv.low_hz_"] = torch.linspace(30, 6000, 8)[:, None]
    state["blocks.0.conv.band_hz_"] = torch.linspace(60, 900, 8)[:, None]
    counted = {f"{name}.num_batches_tracked": torch.tensor(1) for name in ("norm_out", *_norms(4))}
    return state | counted


def _norms(blocks: int) -> list[str]:
    return [f"blocks.{index}.norm" for index in range(blocks)]


def notes(count: int = 8) -> torch.Tensor:
    return torch.from_numpy(_notes.notes(count, 0, 1.5).waves)


def test_the_encoder_is_that_of_pase():
    config = music.Config(kernels=(251, 20, 11, 11), strides=(1, 10, 2, 2), channels=(8, 8, 12, 16), width=10)
    model = music.Model(config).eval()
    model.load_state_dict(encoders.from_pase(authors_state()))
    wave = torch.from_numpy((0.3 * np.random.default_rng(0).standard_normal((2, 4000))).astype(np.float32))
    with torch.inference_mode():
        np.testing.assert_allclose(model.frames(wave), KNOWN["frames"], rtol=1e-4, atol=1e-4)


def test_a_checkpoint_says_what_it_is(tmp_path):
    torch.manual_seed(0)
    given = music.Model(music.Config(channels=(4,) * 8, width=6)).eval()
    renames = (
        (".convolution.low", ".conv.low_hz_"),
        (".convolution.band", ".conv.band_hz_"),
        (".convolution", ".conv"),
        (".slope", ".act"),
        ("project.", "W."),
    )
    state = {}
    for name, tensor in given.state_dict().items():
        for ours, theirs in renames:
            name = name.replace(ours, theirs)
        name = name.replace("norm.", "norm_out.") if name.startswith("norm.") else name
        state[name] = tensor[:, None] if name.endswith("_hz_") else tensor
    torch.save(state, tmp_path / "pase.ckpt")
    model = music.load(path=tmp_path / "pase.ckpt")
    assert model.config == given.config
    wave = 0.1 * torch.randn(1, 8000)
    with torch.inference_mode():
        assert torch.equal(model.embed(wave), given.embed(wave))


def test_targets_are_those_of_the_frames():
    targets = workers.Targets(training.MINI, low=65.4, octaves=4, lags=32)
    found = targets(notes())
    assert {worker: values.shape[2] for worker, values in found.items()} == targets.sizes
    assert {values.shape[:2] for values in found.values()} == {(8, 75)}
    assert all(bool(values.isfinite().all()) for values in targets(torch.zeros(1, 12_000)).values())
    assert torch.equal(found["waveform"].flatten(1), notes()[:, : 75 * 160])
    mel = targets.mel(notes())[:, :75]
    scipy_fft = pytest.importorskip("scipy.fft")
    known = scipy_fft.dct(mel.numpy(), norm="ortho")[..., :20] * np.array([2**0.5] + [1] * 19)
    np.testing.assert_allclose(found["mfcc"], known, rtol=1e-3, atol=1e-3)


def test_chroma_names_the_pitch_class():
    targets = workers.Targets(training.MINI, ("chroma",), low=65.4, octaves=4)  # from C2
    time = torch.arange(12_000) / RATE
    tones = torch.stack([torch.sin(2 * torch.pi * f * time) for f in (220.0, 261.63, 523.25)])
    classes = targets(tones)["chroma"][:, 40].argmax(dim=1)
    assert classes.tolist() == [9, 0, 0]
    assert float(targets(tones)["chroma"].max()) == pytest.approx(1.0)


def test_the_tempogram_peaks_at_the_period():
    clicks = torch.zeros(1, 12_000)
    clicks[:, ::2000] = 1.0  # every 12.5 frames
    found = workers.Targets(training.MINI, ("tempogram",), low=65.4, octaves=4, lags=32)(clicks)["tempogram"]
    middle = found[0, 37]
    assert float(middle[0]) == pytest.approx(1.0)
    assert int(middle[5:20].argmax()) + 5 in (12, 13)


def test_the_shape_of_noise_and_of_a_tone():
    torch.manual_seed(0)
    sounds = torch.stack((torch.sin(2 * torch.pi * 440 * torch.arange(12_000) / RATE), 0.5 * torch.randn(12_000)))
    found = workers.Targets(training.MINI, ("shape",), low=65.4, octaves=4)(sounds)["shape"].mean(dim=1)
    changes, centroid, rolloff, flatness = found.T[1:]
    assert float(changes[0]) == pytest.approx(2 * 440 / RATE, rel=0.02)
    assert float(changes[1]) == pytest.approx(0.5, abs=0.02)
    assert centroid[0] < centroid[1]
    assert rolloff[0] < rolloff[1]
    assert flatness[0] < -20 < flatness[1] < 0


@pytest.mark.parametrize("weighting", WEIGHTINGS)
def test_every_weighting_trains_every_worker(weighting):
    torch.manual_seed(0)
    targets = workers.Targets(training.MINI, low=65.4, octaves=4, lags=32)
    task = music.Task(music.Model(training.MINI), targets, notes(), weighting, hidden=16)
    optimiser = torch.optim.Adam(task.parameters(), 3e-3)
    sums = []
    for _ in range(8):
        parts = task.training_step({"wave": notes()})
        optimiser.zero_grad()
        parts.pop("loss").backward()
        assert all(parameter.grad is not None for parameter in task.parameters())
        optimiser.step()
        sums.append(float(sum(part.detach() for part in parts.values())))
    assert sums[-1] < sums[0]


def test_the_other_encoder_hears_a_spectrogram():
    torch.manual_seed(0)
    model = music.Model(music.Config(encoder="mel", channels=(8,) * 8, width=6), ("a", "b")).eval()
    with torch.inference_mode():
        heard = model(0.1 * torch.randn(2, 16_000))
    assert heard["frames"].shape == (2, 100, 6)
    assert heard["scores"].shape == (2, 2)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="no worker 'melody'"):
        workers.Targets(training.MINI, ("melody",))
    with pytest.raises(WeightsError, match="not published"):
        music.load()
    torch.save({"W.weight": torch.zeros(1)}, tmp_path / "a.ckpt")
    with pytest.raises(WeightsError, match="does not hold the weights of PASE"):
        music.load(path=tmp_path / "a.ckpt")
