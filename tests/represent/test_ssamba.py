"""SSAMBA against the authors' code (SiavashShams/ssamba 019b276 on hustvl/Vim dd0358a) with drawn weights."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from auricle.errors import WeightsError  # noqa: E402
from auricle.represent import ssamba  # noqa: E402
from tests.represent import seeded  # noqa: E402
from tests.represent.learning import learns  # noqa: E402

KNOWN, SHAPES = seeded.fixture("ssamba")
MASKED = torch.tensor([[1, 2, 5, 7, 8, 11], [3, 4, 5, 6, 9, 10]])
SMALL = ssamba.Config(width=16, layers=2, state=4, bands=32, frames=96)
NEAR = {"rtol": 1e-4, "atol": 1e-4}


pytestmark = pytest.mark.usefixtures("one_thread")


def mel() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((2, 96, 128)).astype(np.float32))


@pytest.fixture
def task(tmp_path):
    scalars = {"module.p_input_fdim": torch.tensor(128), "module.p_input_tdim": torch.tensor(96)}
    state = seeded.state(SHAPES["model"]) | scalars | {"module.v.head.weight": torch.zeros(1)}
    torch.save(state, tmp_path / "ssamba.pth")
    return ssamba.load_task(tmp_path / "ssamba.pth")


def test_a_checkpoint_says_what_it_is(task):
    assert task.model.config == ssamba.Config(16, 4, 16, 4, bands=128, frames=96)


def test_a_mixer_is_that_of_vision_mamba(task):
    with torch.inference_mode():
        mixed = task.model.layers[0].mixer(seeded.tensor("tokens", [2, 49, 16]))
    np.testing.assert_allclose(mixed, KNOWN["mixed"], **NEAR)


def test_both_losses_are_those_of_the_authors_code(task):
    with torch.inference_mode():
        hidden = task.pretext.predict(task.model, mel(), MASKED)
        loss, accuracy = task.pretext.contrast(*hidden)
        assert loss == pytest.approx(KNOWN["discriminative"], rel=1e-4)
        assert accuracy == pytest.approx(KNOWN["accuracy"])
        assert task.pretext.reconstruct(*hidden) == pytest.approx(KNOWN["generative"], rel=1e-4)


def test_a_fine_tuned_model_gives_the_authors_logits(task):
    model = ssamba.Model(task.model.config, classes=("a", "b", "c")).eval()
    model.load_state_dict(task.model.state_dict(), strict=False)
    for name, parameter in model.classifier.named_parameters():
        parameter.data = seeded.tensor(f"module.mlp_head.{name}", list(parameter.shape))
    with torch.inference_mode():
        np.testing.assert_allclose(model.hear(mel())["logits"], KNOWN["logits"], **NEAR)


def test_the_published_sizes():
    for size, millions in (("tiny", 6.9), ("small", 25.3), ("base", 96.7)):
        with torch.device("meta"):
            model = ssamba.Model(ssamba.SIZES[size])
        assert sum(parameter.numel() for parameter in model.parameters()) / 1e6 == pytest.approx(millions, abs=0.1)
        assert model.positions.shape[1] == 513


def test_the_rivals_are_of_one_size():
    counts = {
        arm: sum(parameter.numel() for parameter in ssamba.encoder(arm).layers.parameters())
        for arm in ("mamba", "attention")
    }
    assert counts["mamba"] / counts["attention"] == pytest.approx(1.0, abs=0.1)


def test_whole_attention_is_attention():
    torch.manual_seed(0)
    whole, fused = ssamba.stack("attention").eval(), ssamba.stack("fused").eval()
    fused.load_state_dict(whole.state_dict())
    tokens = torch.randn(2, 30, 96)
    with torch.inference_mode():
        np.testing.assert_allclose(whole(tokens), fused(tokens), **NEAR)


def test_exponents():
    lengths = (512, 1024, 2048, 4096, 8192)
    assert ssamba.exponent(lengths, np.array([1.0, 1.0, 4.0, 16.0, 64.0])) == pytest.approx(2.0)
    assert ssamba.exponent((64, 128), np.array([1.0, 2.0])) == pytest.approx(1.0)


def test_cost_is_measured_in_a_process_of_its_own():
    found = ssamba.cost("mamba", (64, 2048))
    assert found["seconds_2048"] > found["seconds_64"] > 0
    assert found["megabytes_2048"] > 1


def test_pretraining_learns_and_every_parameter_is_reached():
    torch.manual_seed(0)
    task = ssamba.Task(ssamba.Model(SMALL), ssamba.Masking(patches=6, clusters=(2, 2)))
    batch = {"wave": 0.1 * torch.randn(4, 16_000)}
    learns(task, batch, steps=30, lr=3e-3, to=0.9)


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(ValueError, match="3 layers cannot be paired"):
        ssamba.Model(ssamba.Config(width=16, layers=3))
    with pytest.raises(WeightsError, match="not fetched"):
        ssamba.load("tiny")
    torch.save({"module.v.cls_token": torch.zeros(1)}, tmp_path / "ssamba.pth")
    with pytest.raises(WeightsError, match="does not hold the weights of an SSAMBA"):
        ssamba.load(path=tmp_path / "ssamba.pth")
