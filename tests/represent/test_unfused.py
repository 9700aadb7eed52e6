"""UnFuSeD against the authors' code (Sreyan88/LAPE 81ba8d9) with drawn weights; its stages by slow oracles."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from auricle.errors import WeightsError  # noqa: E402
from auricle.represent import unfused  # noqa: E402
from auricle.represent.unfused import stages  # noqa: E402
from auricle.represent.unfused.model import FrontEnd  # noqa: E402
from tests.represent import seeded  # noqa: E402
from tests.represent.learning import learns  # noqa: E402

KNOWN, SHAPES = seeded.fixture("unfused")
SMALL = unfused.Config(bands=16, channels=8, width=32, dropout=0.0)
NEAR = {"rtol": 1e-4, "atol": 1e-5}


pytestmark = pytest.mark.usefixtures("one_thread")


def mel() -> torch.Tensor:
    return torch.from_numpy(np.random.default_rng(3).standard_normal((3, 40, 32)).astype(np.float32))


def authors_state() -> dict[str, torch.Tensor]:
    state = seeded.state(SHAPES["student"])
    return {name: x.abs() + 0.5 if name.endswith("running_var") else x for name, x in state.items()}


@pytest.fixture
def model(tmp_path):
    counted = {f"encoder_q.encoder.features_{k}.1.num_batches_tracked": torch.tensor(1) for k in (1, 2, 3)}
    torch.save({"state_dict": authors_state() | counted}, tmp_path / "unfused.ckpt")
    return unfused.load(path=tmp_path / "unfused.ckpt")


def test_the_trunk_is_that_of_the_authors_code(model):
    assert model.config == unfused.Config(bands=32, channels=64, width=24)
    with torch.inference_mode():
        heard = model.hear(mel())
    np.testing.assert_allclose(heard["frames"], KNOWN["frames"], **NEAR)
    np.testing.assert_allclose(heard["embedding"], KNOWN["embedding"], **NEAR)
    for depth, middle in enumerate(heard["middles"], 1):
        np.testing.assert_allclose(middle, KNOWN[f"middle{depth}"], **NEAR)


def test_the_students_loss_is_that_of_the_authors_code(model):
    task = unfused.Task(model, 5).eval()
    state = authors_state()
    for part, prefix in [(task.classifier, "classifier.linear.")] + [
        (block, f"p{depth}.projector.") for depth, block in enumerate(task.blocks, 1)
    ]:
        given = {name.removeprefix(prefix): x for name, x in state.items() if name.startswith(prefix)}
        assert not part.load_state_dict(given, strict=False).unexpected_keys
    with torch.inference_mode():
        np.testing.assert_allclose(task.classifier(model.hear(mel())["embedding"]), KNOWN["logits"], **NEAR)
        assert float(task.losses(mel(), torch.tensor([0, 3, 1]))["loss"]) == pytest.approx(KNOWN["loss"], rel=1e-4)


def test_checkpoints_of_the_teacher_and_of_byol_a_load(tmp_path, model):
    wave = 0.1 * torch.randn(1, 16_000)
    old = {}
    for name, tensor in model.state_dict().items():
        block, _, rest = name.removeprefix("blocks.").partition(".")
        if name.startswith("blocks."):
            layer, _, rest = rest.partition(".")
            old[f"features.{4 * int(block) + int(layer)}.{rest}"] = tensor
        elif name.startswith("frames."):
            old[name.replace("frames.", "fc.")] = tensor
    teacher = {f"module.{name}": tensor for name, tensor in old.items()} | {"module.prototypes.x": torch.zeros(1)}
    for name, checkpoint in (("byol.pth", old), ("decar.pth.tar", {"state_dict": teacher})):
        torch.save(checkpoint, tmp_path / name)
        with torch.inference_mode():
            assert torch.equal(unfused.load(path=tmp_path / name).embed(wave), model.embed(wave))


def test_the_published_size():
    with torch.device("meta"):
        model = unfused.Model()
    assert sum(parameter.numel() for parameter in model.parameters()) == 5_321_856


def test_the_front_end_by_definition():
    wave = torch.from_numpy(np.random.default_rng(0).standard_normal((1, 16_000)).astype(np.float32)) * 0.1
    front_end = FrontEnd(unfused.Config())
    window = torch.hann_window(1024)
    power = torch.stft(wave, 1024, 160, window=window, pad_mode="reflect", return_complex=True).abs().square()
    known = (power.transpose(1, 2) @ front_end.bank + 1.1920929e-07).log()
    np.testing.assert_allclose(front_end(wave), known, rtol=1e-4, atol=1e-4)
    short = front_end(torch.zeros(1, 100))
    assert short.shape == (1, 96, 64)
    np.testing.assert_allclose(short, np.log(1.1920929e-07), rtol=1e-6)


def test_views_keep_the_shape_and_move_the_sound():
    torch.manual_seed(0)
    heard = torch.randn(4, 96, 64)
    once, twice = stages.view(heard), stages.view(heard)
    assert once.shape == heard.shape
    assert bool(once.isfinite().all())
    assert not torch.allclose(once, twice)


def test_whole_parts_are_left_as_they_are(monkeypatch):
    monkeypatch.setattr(stages, "_uniform", lambda low, high: 1.5)  # all of the canvas
    heard = torch.randn(64, 16)
    assert torch.allclose(stages._resized(heard)[32], heard[32], atol=1.0)
    monkeypatch.setattr(stages, "_uniform", lambda low, high: 1.0)
    monkeypatch.setattr(torch, "randint", lambda high, size: torch.tensor((high - 1) // 2))
    np.testing.assert_allclose(stages._resized(heard), heard, rtol=1e-5, atol=1e-5)


def test_pseudo_labels_find_what_is_apart():
    rng = np.random.default_rng(0)
    centres = 10 * np.eye(4)[:, 1:]  # whitening makes noise as large where there is nothing else
    truth = rng.integers(4, size=200)
    found = unfused.pseudo_labels((centres[truth] + rng.standard_normal((200, 3))).astype(np.float32), 4, seed=0)
    assert len({(a, b) for a, b in zip(truth, found, strict=True)}) == 4


def test_the_teacher_clusters_once_an_epoch_and_learns_the_other_views_cluster():
    torch.manual_seed(0)
    waves = 0.1 * torch.randn(8, 16_000)
    teacher = unfused.Teacher(unfused.Model(SMALL), 8, clusters=3, width=8, temperature=0.1)
    teacher.remember([{"wave": wave.numpy()} for wave in waves])
    np.testing.assert_allclose(teacher.bank.norm(dim=1), 1, rtol=1e-5)
    assert torch.equal(teacher.labels, (teacher.bank @ teacher.prototypes.T).argmax(dim=1))
    before, labels = teacher.prototypes.clone(), teacher.labels.clone()
    optimiser = torch.optim.Adam(teacher.parameters(), 1e-3)
    for places in torch.arange(8).split(4):
        loss = teacher.training_step({"wave": waves[places], "index": places})["loss"]
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    assert torch.equal(teacher.prototypes, before)
    assert torch.equal(teacher.labels, labels)
    teacher.training_step({"wave": waves[:4], "index": torch.arange(4)})
    assert not torch.equal(teacher.prototypes, before)
    assert all(parameter.grad is not None for parameter in teacher.parameters())


def test_the_student_learns_and_every_parameter_is_reached():
    torch.manual_seed(0)
    task = unfused.Task(unfused.Model(SMALL), 3)
    batch = {"wave": 0.1 * torch.randn(6, 16_000) * torch.rand(6, 1), "target": torch.tensor([0, 1, 2, 0, 1, 2])}
    learns(task, batch, steps=25, lr=3e-3, to=0.95)


def test_linear_evaluation_reports_the_last_and_the_best_epoch():
    rng = np.random.default_rng(0)
    targets = torch.from_numpy(rng.integers(3, size=120))
    noise = torch.from_numpy(rng.standard_normal((120, 3))).float()
    features = torch.nn.functional.one_hot(targets, 3) + 0.3 * noise
    train, test = (features[:60], targets[:60]), (features[60:], targets[60:])
    found = unfused.linear_evaluation(train, test, epochs=400)
    assert found == unfused.linear_evaluation(train, test, epochs=400)
    assert 0.8 < found["last"] <= found["best"] <= 1.0


def test_what_cannot_be_is_refused(tmp_path):
    with pytest.raises(WeightsError, match="not published"):
        unfused.load()
    torch.save({"fc.0.weight": torch.zeros(3)}, tmp_path / "a.pth")
    with pytest.raises(WeightsError, match="does not hold the weights"):
        unfused.load(path=tmp_path / "a.pth")
