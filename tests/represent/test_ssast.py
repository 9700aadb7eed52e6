"""SSAST against the authors' code (YuanGongND/ssast a1a3eec) with drawn weights; masks and losses by slow oracles."""

import math

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from auricle.errors import WeightsError  # noqa: E402
from auricle.nn.masked_patches import cluster_mask, info_nce  # noqa: E402
from auricle.represent import ssast  # noqa: E402
from auricle.represent._pretext import Masking  # noqa: E402
from tests.represent import seeded  # noqa: E402

KNOWN, SHAPES = seeded.fixture("ssast")
SIZE = {"patch": (96, 128), "frame": (24, 32)}  # frames and bands
MASKED = torch.tensor([[1, 2, 5, 7, 8, 11], [3, 4, 5, 6, 9, 10]])
SMALL = ssast.Config(width=16, layers=1, heads=2, hidden=32, bands=32, frames=96)


pytestmark = pytest.mark.usefixtures("one_thread")


def mel(kind: str) -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(1).standard_normal((2, *SIZE[kind])).astype(np.float32))


def authors_state(kind: str) -> dict[str, torch.Tensor]:
    frames, bands = SIZE[kind]
    scalars = {"module.p_input_fdim": torch.tensor(bands), "module.p_input_tdim": torch.tensor(frames)}
    unused = {"module.v.head.weight": torch.zeros(1), "module.v.head_dist.bias": torch.zeros(1)}
    return seeded.state(SHAPES[kind]) | scalars | unused


@pytest.fixture
def task(request, tmp_path):
    torch.save(authors_state(request.param), tmp_path / "SSAST.pth")
    return request.param, ssast.load_task(tmp_path / "SSAST.pth")


@pytest.mark.parametrize("task", ["patch", "frame"], indirect=True)
def test_both_losses_are_those_of_the_authors_code(task):
    kind, task = task
    with torch.inference_mode():
        np.testing.assert_allclose(task.model.project(mel(kind)), KNOWN[f"{kind}/projected"], rtol=1e-4, atol=1e-5)
        hidden = task.pretext.predict(task.model, mel(kind), MASKED)
        loss, accuracy = task.pretext.contrast(*hidden)
        assert loss == pytest.approx(KNOWN[f"{kind}/discriminative"], rel=1e-4)
        assert accuracy == pytest.approx(KNOWN[f"{kind}/accuracy"])
        assert task.pretext.reconstruct(*hidden) == pytest.approx(KNOWN[f"{kind}/generative"], rel=1e-4)


def test_fine_tuning_overlaps_patches_as_the_authors_do():
    model = ssast.Model(ssast.config_of(authors_state("patch")), classes=("a", "b", "c")).eval()
    state = ssast.from_authors(authors_state("patch"))
    model.load_state_dict(
        {name[6:]: tensor for name, tensor in state.items() if name.startswith("model.")}, strict=False
    )
    for name, parameter in model.classifier.named_parameters():
        parameter.data = seeded.tensor(f"module.mlp_head.{name}", list(parameter.shape))
    model.overlap((10, 10))
    assert model.config.grid == (12, 9)
    with torch.inference_mode():
        np.testing.assert_allclose(model.positions, KNOWN["positions"], rtol=1e-4, atol=1e-5)
        np.testing.assert_allclose(model.hear(mel("patch"))["logits"], KNOWN["logits"], rtol=1e-4, atol=1e-4)


@pytest.mark.parametrize("task", ["patch"], indirect=True)
def test_a_checkpoint_says_what_it_is(task):
    _, task = task
    assert task.model.config == ssast.Config(64, 2, 1, 256, (16, 16), (16, 16), bands=128, frames=96)
    assert task.masking == Masking()


def test_squares_of_patches_are_masked_as_in_the_authors_code(monkeypatch):
    """Their draws, noted when the fixture was written, give their masks."""
    for draws, expected in zip(KNOWN["draws"], KNOWN["clusters"], strict=True):
        left = list(draws)
        monkeypatch.setattr(torch, "randint", lambda *args, left=left: torch.tensor(left.pop(0) + 3 * (len(args) == 3)))
        assert cluster_mask((8, 64), 400).tolist() == expected.tolist()
        monkeypatch.undo()


def test_masks_are_of_the_right_number_and_never_twice():
    torch.manual_seed(0)
    patches = ssast.Task(ssast.Model(SMALL), Masking(patches=7, clusters=(2, 3))).masks(20)
    singles = ssast.Task(ssast.Model(SMALL), Masking(patches=7, clusters=None)).masks(20)
    for masks in (patches, singles):
        assert masks.shape == (20, 7)
        assert all(len(set(row)) == 7 for row in masks.tolist())
        assert 0 <= masks.min() <= masks.max() < 12
    assert patches.min() > 0
    with pytest.raises(ValueError, match="two must stay"):
        cluster_mask((2, 6), 11)


@pytest.mark.parametrize("over", ["predictions", "patches"])
def test_the_contrast_is_equation_one(over):
    rng = np.random.default_rng(0)
    predictions, patches = rng.standard_normal((2, 2, 5, 4))
    losses, right = [], 0
    for clip in range(2):
        shares = np.empty((5, 5))  # of patch i in what j predicts
        for i in range(5):
            for j in range(5):
                others = (
                    [patches[clip, i] @ predictions[clip, k] for k in range(5)]
                    if over == "predictions"
                    else [patches[clip, k] @ predictions[clip, j] for k in range(5)]
                )
                shares[i, j] = math.exp(patches[clip, i] @ predictions[clip, j]) / sum(map(math.exp, others))
        losses += [-math.log(shares[i, i]) for i in range(5)]
        right += sum(shares[i, i] == max(shares[:, i]) for i in range(5))
    loss, accuracy = info_nce(torch.from_numpy(predictions), torch.from_numpy(patches), over)
    assert loss == pytest.approx(np.mean(losses))
    assert accuracy == pytest.approx(right / 10)


def test_the_published_sizes():
    for size, millions in (("tiny", 5.5), ("small", 21.6), ("base", 85.6)):
        with torch.device("meta"):
            model = ssast.Model(ssast.SIZES[size])
        encoder = sum(parameter.numel() for parameter in model.parameters())
        assert encoder / 1e6 == pytest.approx(millions, abs=0.25)
        assert model.positions.shape[1] == 514


def test_pretraining_learns_and_every_parameter_is_reached():
    torch.manual_seed(0)
    task = ssast.Task(ssast.Model(SMALL), Masking(patches=6, clusters=(2, 2)))
    batch = {"wave": 0.1 * torch.randn(4, 16_000)}
    optimiser = torch.optim.Adam(task.parameters(), 3e-3)
    losses = []
    for _ in range(60):
        parts = task.training_step(batch)
        optimiser.zero_grad()
        parts["loss"].backward()
        assert all(parameter.grad is not None for parameter in task.parameters())
        optimiser.step()
        losses.append(float(parts["loss"].detach()))
    assert np.mean(losses[-5:]) < 0.9 * losses[0]
    assert set(parts) == {"loss", "discriminative", "accuracy", "generative"}


def test_one_objective_alone():
    for masking, names in (
        (Masking(patches=6, clusters=(2, 2), generative=0.0), {"loss", "discriminative", "accuracy"}),
        (Masking(patches=6, clusters=(2, 2), discriminative=0.0), {"loss", "generative"}),
    ):
        assert set(ssast.Task(ssast.Model(SMALL), masking).training_step({"wave": torch.zeros(2, 8000)})) == names


def test_without_a_file_it_says_where_they_are(tmp_path):
    with pytest.raises(WeightsError, match="not fetched"):
        ssast.load("base-patch-400")
    (tmp_path / "SSAST.pth").write_bytes(b"nothing")
    with pytest.raises(WeightsError, match="cannot be read"):
        ssast.load(path=tmp_path / "SSAST.pth")
    torch.save({"module.v.cls_token": torch.zeros(1)}, tmp_path / "SSAST.pth")
    with pytest.raises(WeightsError, match="does not hold the weights of an SSAST"):
        ssast.load(path=tmp_path / "SSAST.pth")
