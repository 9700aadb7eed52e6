"""PANNs as a system: published checkpoints by name, the loss, the miniature transfer."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from safetensors.torch import save_file  # noqa: E402

from auricle import hub  # noqa: E402
from auricle.errors import WeightsError  # noqa: E402
from auricle.represent import panns  # noqa: E402
from auricle.represent.panns import Config, Model, Task, transfer  # noqa: E402
from tests.represent.panns.test_panns_model import official_state  # noqa: E402

TINY = Config(channels=(4, 8), kernel=5, embedding=16, sample_rate=8000, fft=256, hop=80, high=4000.0)


pytestmark = pytest.mark.usefixtures("one_thread")


@pytest.fixture(scope="module")
def checkpoint(tmp_path_factory):
    """A file as published: a pickle of the weights, the iteration, and the sampler's arrays."""
    path = tmp_path_factory.mktemp("panns") / "LeeNet11_mAP=0.266.pth"
    sampler = {"indexes": np.arange(4), "pointer": 2, "targets": np.zeros((2, 2), np.float32), "left": np.array([True])}
    torch.save({"iteration": 600_000, "model": official_state("LeeNet11"), "sampler": sampler}, path)
    return path


def test_a_published_checkpoint_loads_by_its_name(checkpoint):
    model = hub.load("panns@LeeNet11_mAP=0.266", path=checkpoint)
    assert model.config == panns.VARIANTS["LeeNet11"]
    assert not model.training
    assert torch.equal(model.fc1.weight, official_state("LeeNet11")["fc1.weight"])
    assert torch.equal(hub.load("panns", path=checkpoint).fc1.weight, model.fc1.weight)


def test_so_does_one_in_safetensors(checkpoint, tmp_path):
    save_file(official_state("LeeNet11"), tmp_path / "LeeNet11.safetensors")
    assert panns.load(path=tmp_path / "LeeNet11.safetensors").classes == panns.load(path=checkpoint).classes


def test_nothing_in_a_checkpoint_is_run(tmp_path):
    class Bad:
        def __reduce__(self):
            return (print, ("run",))

    torch.save({"model": {}, "sampler": Bad()}, tmp_path / "Cnn14.pth")
    with pytest.raises(WeightsError, match="cannot be read"):
        panns.load(path=tmp_path / "Cnn14.pth")


@pytest.mark.parametrize(("tag", "problem"), [("Cnn15", "no variant 'Cnn15'"), ("Cnn10", "not fetched by themselves")])
def test_what_cannot_be_loaded_says_why(tag, problem):
    with pytest.raises(WeightsError, match=problem):
        panns.load(tag)


def batch(classes: int = 3) -> dict[str, torch.Tensor]:
    rng = np.random.default_rng(0)
    wave = torch.from_numpy(rng.uniform(-0.5, 0.5, (4, 8000)).astype(np.float32))
    return {"wave": wave, "target": torch.from_numpy(rng.integers(0, 2, (4, classes)).astype(np.float32))}


def test_the_loss_is_the_papers_cross_entropy():
    torch.manual_seed(0)
    task = Task(Model(TINY, ("a", "b", "c")), mixup=False).eval()
    p, y = task.model.tag(batch()["wave"]), batch()["target"]
    expected = -(y * p.log() + (1 - y) * (1 - p).log()).mean()
    torch.testing.assert_close(task.training_step(batch())["loss"], expected)


def test_class_numbers_are_targets_too():
    torch.manual_seed(0)
    model = Model(TINY, ("a", "b", "c")).eval()
    numbers = batch() | {"target": torch.tensor([0, 2, 1, 1])}
    logits = model(numbers["wave"])["logits"]
    expected = torch.nn.functional.cross_entropy(logits, numbers["target"])
    torch.testing.assert_close(Task(model, mixup=False).eval().training_step(numbers)["loss"], expected)
    assert Task(model).training_step(numbers)["loss"].isfinite()


def test_one_batch_is_learned_by_heart():
    torch.manual_seed(0)
    plain = {"body_dropout": 0.0, "feature_dropout": 0.0, "spec_augment": False}
    task = Task(Model(Config(**{**vars(TINY), **plain}), ("a", "b", "c")), mixup=False)
    optimiser = torch.optim.Adam(task.parameters(), 1e-2)
    for _ in range(60):
        optimiser.zero_grad()
        loss = task.training_step(batch())["loss"]
        loss.backward()
        optimiser.step()
    assert loss.item() < 0.05


def test_scenes_are_the_same_each_time_and_new_each_epoch():
    first, again = transfer.Scenes(8, 0), transfer.Scenes(8, 0)
    np.testing.assert_array_equal(first[3]["wave"], again[3]["wave"])
    assert np.abs(first[3]["wave"]).max() <= 1
    assert 1 <= first[3]["target"].sum() <= 3
    again.set_epoch(1)
    assert not np.array_equal(first[3]["wave"], again[3]["wave"])


def test_few_takes_so_many_of_each_class():
    clips = [{"target": target} for target in [0, 0, 0, 0, 1, 1, 2]]
    assert [clip["target"] for clip in transfer.few(clips, 2, seed=0)] == [0, 0, 1, 1, 2]


def test_the_frozen_arm_trains_the_last_layer_only():
    task = transfer.Probe(Model(TINY, ("a", "b"))).train()
    assert not task.model.training
    assert {name for name, p in task.model.named_parameters() if p.requires_grad} == {
        "fc_audioset.weight",
        "fc_audioset.bias",
    }


@pytest.mark.parametrize("arm", panns.ARMS)
def test_an_arm_runs(arm):
    metrics = panns.replicate(0, arm, "smoke")
    assert set(metrics) == {"map", "accuracy", "few_map", "few_accuracy"}
    assert all(0 <= value <= 1 for value in metrics.values())


def test_claims_ask_for_more_than_a_tie():
    tie = {arm: {name: np.full(3, 0.5) for name in ("map", "few_map")} for arm in panns.ARMS}
    assert not any(panns.claims(tie).values())
    better = {name: np.full(3, 0.6) for name in ("map", "few_map")}
    assert all(panns.claims(tie | {"finetuned": better}).values())
