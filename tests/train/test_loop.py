"""The loop: interrupted runs, accumulation, early stopping, averages, errors."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file

from auricle.errors import AuricleError
from auricle.library.pool import ONE_THREAD
from auricle.train import Optim, Schedule, fit
from tests.train.tiny import Noisy, Regress, recipe, rich, train

ROOT = Path(__file__).parents[2]


def bits(module: torch.nn.Module) -> dict[str, bytes]:
    return {name: tensor.numpy().tobytes() for name, tensor in module.state_dict().items()}


def furthest(one: torch.nn.Module, other: torch.nn.Module) -> float:
    pairs = zip(one.state_dict().values(), other.state_dict().values(), strict=True)
    return max(float((a.double() - b.double()).abs().max()) for a, b in pairs)


@pytest.fixture(scope="module")
def whole(one_thread, tmp_path_factory):
    """A run that nothing interrupted, on one thread: sums in another number of parts end in other bits."""
    return train(rich(), tmp_path_factory.mktemp("whole") / "run")


def test_learns_and_keeps_the_best(whole):
    task, run = whole
    evaluations = [line for line in run.history if "valid/loss" in line]
    assert [line["step"] for line in evaluations] == [6, 12, 18, 24]
    best = min(evaluations, key=lambda line: line["valid/loss"])
    assert run.best == {"step": best["step"], "loss": best["valid/loss"]}
    assert best["valid/loss"] < 0.5 * evaluations[0]["valid/loss"]
    assert not task.training


def test_a_run_folder_tells_everything(whole):
    task, run = whole
    about = json.loads((run.folder / "run.json").read_text())
    assert about["recipe"]["optim"]["name"] == "adamp"
    assert {"commit", "versions", "machine", "date"} <= about.keys()
    assert [json.loads(line) for line in (run.folder / "log.jsonl").read_text().splitlines()] == run.history
    assert (run.folder / "log.csv").read_text().startswith("step,loss,bias,lr,valid/loss\n4,")
    assert (run.folder / "curves.png").read_bytes().startswith(b"\x89PNG")
    kept = load_file(run.folder / "weights.safetensors")
    assert all(torch.equal(kept[name], tensor) for name, tensor in task.state_dict().items())
    assert not list(run.folder.glob("checkpoint-*"))


def test_a_finished_run_is_read_back(whole):
    task, run = whole
    again, read = train(rich(), run.folder)
    assert bits(again) == bits(task)
    assert (read.best, read.steps, read.history) == (run.best, 24, run.history)


@pytest.mark.parametrize(("call", "saved"), [(2, []), (19, [6]), (31, [12])])
def test_a_broken_run_goes_on_to_the_same_bits(whole, tmp_path, call, saved):
    task, run = whole
    with pytest.raises(ZeroDivisionError):
        train(rich(), tmp_path / "run", at=call, stop=lambda: 1 // 0)
    assert [int(place.name[-8:]) for place in (tmp_path / "run").glob("checkpoint-*")] == saved
    with (tmp_path / "run" / "log.jsonl").open("a") as log:
        log.write('{"step": 99, "lo')  # as when the machine stops in the middle of a line
    again, resumed = train(rich(), tmp_path / "run")
    assert bits(again) == bits(task)
    assert (resumed.history, resumed.best) == (run.history, run.best)


@pytest.mark.slow
def test_a_killed_run_goes_on_to_the_same_bits(whole, tmp_path):
    task, run = whole
    killed = _python("-m", "tests.train.tiny", tmp_path / "run", "kill", "31")
    assert killed.returncode == -9, killed.stderr
    assert (tmp_path / "run" / "checkpoint-00000012").is_dir()
    again, resumed = train(rich(), tmp_path / "run")
    assert bits(again) == bits(task)
    assert (resumed.history, resumed.best) == (run.history, run.best)


def test_loaded_by_workers_the_order_is_the_same():
    alone, _ = train(recipe(steps=8), plain=True)
    helped, _ = train(recipe(steps=8, workers=2), plain=True)
    assert bits(alone) == bits(helped)


def test_accumulating_equals_larger_batches():
    at_once, _ = train(recipe(batch=16), plain=True)
    in_parts, _ = train(recipe(batch=8, accumulate=2), plain=True)
    assert furthest(at_once, in_parts) < 1e-5


@pytest.mark.slow
def test_two_processes_equal_one(tmp_path):
    launch = ("-m", "torch.distributed.run", "--standalone", "--nproc_per_node=2")
    done = _python(*launch, "-m", "tests.train.tiny", tmp_path / "two", "plain")
    assert done.returncode == 0, done.stderr
    two = load_file(tmp_path / "two" / "weights.safetensors")
    one, run = train(recipe(accumulate=2), tmp_path / "one", plain=True)
    assert max(float((two[name] - tensor).abs().max()) for name, tensor in one.state_dict().items()) < 1e-5
    lines = [json.loads(line) for line in (tmp_path / "two" / "log.jsonl").read_text().splitlines()]
    assert [line.keys() for line in lines] == [line.keys() for line in run.history]
    for theirs, ours in zip(lines, run.history, strict=True):
        assert list(theirs.values()) == pytest.approx(list(ours.values()), abs=1e-5)


def test_patience_ends_a_run_that_gets_no_better():
    values = iter([3.0, 1.0, 2.0, 2.0, 0.0])
    run = fit(
        Regress(),
        Noisy(),
        recipe(evaluate_every=2, patience=2),
        valid=lambda task: {"accuracy": -next(values)},
        monitor="accuracy",
        progress=False,
    )
    assert run.steps == 8
    assert run.best == {"step": 4, "accuracy": -1.0}


def test_the_schedule_moves_every_group():
    class Grouped(Regress):
        def parameter_groups(self):
            return [{"params": self.model[0].parameters(), "lr": 0.5}, {"params": self.model[-1].parameters()}]

    run = fit(Grouped(), Noisy(), recipe(steps=5, schedule=Schedule("linear", floor=0.0)), progress=False)
    rates = [group["lr"] for group in run.optimizer.param_groups]
    assert rates == pytest.approx([0.5 * 0.2, 0.03 * 0.2])


def test_half_precision_learns():
    _, run = train(recipe(precision="bf16"), plain=True)
    assert run.history[-2]["loss"] < 0.5 * run.history[0]["loss"]


def test_a_loss_that_is_not_finite_is_reported():
    class Diverging(Regress):
        def training_step(self, batch):
            return {"loss": super().training_step(batch)["loss"] * float("nan")}

    with pytest.raises(AuricleError, match=r"The loss is nan between steps 1 and 4.*learning rate"):
        fit(Diverging(), Noisy(), recipe(), progress=False)


def test_a_folder_keeps_to_its_recipe(whole):
    _, run = whole
    with pytest.raises(AuricleError, match="another recipe"):
        train(rich(optim=Optim(lr=9.0)), run.folder)


def test_the_monitor_must_be_measured():
    with pytest.raises(AuricleError, match=r"no 'map'.*It gives loss"):
        fit(Regress(), Noisy(), recipe(), valid=lambda task: {"loss": 1.0}, monitor="map", progress=False)


def test_nothing_to_train_on():
    with pytest.raises(ValueError, match="the dataset is empty"):
        fit(Regress(), [], recipe(), progress=False)


def _python(*words: object) -> subprocess.CompletedProcess[str]:
    environment = os.environ | ONE_THREAD | {"ACCELERATE_USE_CPU": "true"}
    command = [sys.executable, *map(str, words)]
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True)
