"""ModNet and SincModNet: envelopes, modulations and passbands by known signals; training. For the filters see nn."""

import dataclasses

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from auricle.errors import WeightsError  # noqa: E402
from auricle.hub.pretrained import save_pretrained  # noqa: E402
from auricle.nn.sinc import SincConv  # noqa: E402
from auricle.represent import modnet  # noqa: E402

RATE = modnet.MINI.sample_rate


pytestmark = pytest.mark.usefixtures("one_thread")


def swinging(rate: float, carrier: float = 800.0, seconds: float = 3.0) -> torch.Tensor:
    time = torch.arange(round(seconds * RATE)) / RATE
    swing = 1 + 0.9 * torch.sin(2 * torch.pi * rate * time)
    return (0.3 * swing * torch.sin(2 * torch.pi * carrier * time))[None]


def test_an_envelope_follows_the_loudness():
    front_end = modnet.FrontEnd(modnet.MINI)
    with torch.inference_mode():
        envelopes = front_end.envelopes(swinging(4.0))[0]
    assert envelopes.shape == (24, 300)  # 100 a second
    band = envelopes[envelopes.mean(dim=1).argmax()].exp()
    time = torch.arange(300) / 100
    known = 1 + 0.9 * torch.sin(2 * torch.pi * 4.0 * time)
    correlation = float(torch.corrcoef(torch.stack((band, known)))[0, 1])
    assert correlation > 0.98
    low, high = front_end.filters.bands()
    loudest = int(envelopes.mean(dim=1).argmax())
    assert float(low[loudest].detach()) - 50 < 800 < float(high[loudest].detach()) + 50


@pytest.mark.parametrize("rate", [3.0, 6.0, 12.0, 24.0])
def test_the_loudest_modulation_is_the_one_that_is_there(rate):
    front_end = modnet.FrontEnd(modnet.MINI)
    with torch.inference_mode():
        modulations = front_end(swinging(rate))[0]
        low, _, high = modnet.passbands(front_end.modulations.kernels(), 100.0).T
        envelopes = front_end.envelopes(swinging(rate))[0]
    assert modulations.shape == (24, 8, 300)
    heard = int(modulations[envelopes.mean(dim=1).argmax()].mean(dim=1).argmax())
    assert low[heard] <= rate <= high[heard]


def test_passbands_are_those_of_the_sinc_filters():
    bank = SincConv(4, 401, 200.0, edges=[5, 10, 20, 40, 80], least_low=0.0, least_band=0.0)
    found = modnet.passbands(bank.kernels(), 200.0)
    low, high = (edge.detach() for edge in bank.bands())
    np.testing.assert_allclose(found[:, 0], low, atol=0.5)
    np.testing.assert_allclose(found[:, 2], high, atol=0.5)
    assert bool(((found[:, 0] < found[:, 1]) & (found[:, 1] < found[:, 2])).all())


def test_strides_subsample_what_the_modulation_filters_give():
    config = dataclasses.replace(modnet.MINI, modulation_stride=4)
    once, fourth = modnet.FrontEnd(modnet.MINI), modnet.FrontEnd(config)
    fourth.load_state_dict(once.state_dict())
    with torch.inference_mode():
        full, part = once(swinging(6.0)), fourth(swinging(6.0))
    assert part.shape[-1] == 75
    np.testing.assert_allclose(part[..., 20:50], full[..., 1:][..., 80:200:4], rtol=1e-3, atol=1e-5)


def test_the_default_is_that_of_the_documentation():
    model = modnet.Model(classes=tuple("abc")).eval()
    with torch.inference_mode():
        heard = model(0.1 * torch.randn(1, 59_049))
        assert heard["modulations"].shape == (1, 96, 16, 738)
        assert heard["embedding"].shape == (1, 200)
        assert modnet.tag_clip(model, 0.1 * torch.randn(62_000), windows=2).shape == (3,)


def test_a_clip_is_the_mean_of_its_windows():
    model = modnet.mini_model("none", 0).eval()
    length = round(model.window * RATE)
    wave = 0.1 * torch.randn(length + 8000)
    with torch.inference_mode():
        known = model.tag(torch.stack([wave[:length], wave[4000 : 4000 + length]])).mean(dim=0)
        np.testing.assert_allclose(modnet.tag_clip(model, wave, windows=2), known, rtol=1e-5)
        assert bool(modnet.tag_clip(model, wave[:100]).isfinite().all())


@pytest.mark.parametrize("arm", modnet.ARMS)
def test_every_arm_learns_and_every_parameter_is_reached(arm):
    task = modnet.Task(modnet.mini_model(arm, 0))
    waves, tags = (torch.from_numpy(part) for part in modnet.swings(12, 0))
    optimiser = torch.optim.Adam(task.parameters(), 5e-3)
    losses = []
    for _ in range(15):
        loss = task.training_step({"wave": waves, "target": tags})["loss"]
        optimiser.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in task.parameters())
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < 0.8 * losses[0]


def test_swings_carry_their_tags():
    waves, tags = modnet.swings(50, 0)
    assert waves.shape == (50, 12_000)
    assert set(tags[:, :3].sum(axis=1)) <= {1.0, 2.0}
    assert set(tags[:, 3:].sum(axis=1)) <= {1.0, 2.0}
    again, _ = modnet.swings(50, 0)
    assert np.array_equal(waves, again)


def test_it_is_saved_and_what_cannot_be_is_refused(tmp_path):
    model = modnet.mini_model("sinc", 0).eval()
    again = modnet.load(path=save_pretrained(model, tmp_path / "modnet"))
    assert torch.equal(again.tag(swinging(3.0)), model.tag(swinging(3.0)))
    with pytest.raises(WeightsError, match="not published"):
        modnet.load()
