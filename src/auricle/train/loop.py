"""The loop: one function trains every task, on whatever devices and processes ``accelerate`` finds.

    order of items ─→ batches ─→ task.training_step ─→ gradients, averaged and clipped ─→ optimiser ─→ average (EMA)
                                                        every evaluate_every steps: valid(task), keep the best weights
                                                        every save_every steps: a checkpoint to go on from

A run folder holds

    run.json             the recipe, the seed, versions, the commit, the fingerprint of the data
    log.jsonl, log.csv   one line for each ``log_every`` steps and for each evaluation
    curves.png           the same as a picture
    weights.safetensors  the weights that were kept: the best by ``monitor``, without ``valid`` the last
    checkpoint-<step>/   all that is needed to go on; removed when a later one is complete, or the run
    finished.json        when the run has ended: its steps and its best evaluation

A run that was killed goes on when ``fit`` is called again with the same folder. On a CPU it then ends in the same bits
as one that was never interrupted: weights, optimiser, average, random numbers and the place in the data are restored.
Whatever a dataset draws for an item must follow from its epoch and index (as in ``auricle.data.clips``) when items are
loaded in ``workers``.
"""

import json
import math
import shutil
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any

import accelerate.optimizer
import torch
from accelerate import Accelerator
from accelerate.state import AcceleratorState, GradientState
from accelerate.utils import broadcast_object_list, set_seed
from safetensors.torch import load_file, save_file
from torch import Tensor

from auricle.errors import AuricleError
from auricle.train.ema import Ema
from auricle.train.log import Log
from auricle.train.optim import build
from auricle.train.order import Order, loader
from auricle.train.recipe import Recipe
from auricle.train.schedule import factor
from auricle.train.task import Metrics, Task

# accelerate looks through all of sys.path for this package twice a step, which takes as long as AdamW itself
accelerate.optimizer.is_lomo_available = cache(accelerate.optimizer.is_lomo_available)

WEIGHTS = "weights.safetensors"
LESS_IS_BETTER = ("loss", "error", "eer", "dcf", "distance")  # parts of the names of metrics that should fall


@dataclass
class Run:
    """What a training run did. ``task`` was left with the weights that were kept, in evaluation mode."""

    history: list[dict[str, float]] = field(default_factory=list)  # lines of the log, each with its "step"
    best: Metrics = field(default_factory=dict)  # the evaluation whose weights were kept, with its "step"
    steps: int = 0  # done, by this run and those it went on from
    seconds: float = 0.0  # of this call
    folder: Path | None = None
    optimizer: torch.optim.Optimizer | None = None  # as the last step left it


def fit(
    task: Task,
    train: Any,
    recipe: Recipe,
    *,
    valid: Callable[[Any], Metrics] | None = None,
    monitor: str = "loss",
    folder: Path | None = None,
    progress: bool = True,
    facts: dict[str, Any] | None = None,
) -> Run:
    """Trains ``task`` on ``train`` and leaves it with the weights that were kept.

    Args:
        train: a map-style dataset of dicts of tensors, arrays or numbers; with ``sampler``, read in its order; with
            ``set_epoch``, told the epoch.
        valid: metrics of the task, called in evaluation mode, without gradients, on the main process. It chooses the
            weights that are kept, so it must not see test data.
        monitor: the metric of ``valid`` to choose by. Less is better when its name holds loss, error, eer, dcf or
            distance, else more is.
        folder: where the run is kept, made if need be; a run found there goes on.
        progress: show a bar when standard error is a terminal.
        facts: more to write into ``run.json``.

    Raises:
        AuricleError: the loss is not finite; ``valid`` does not give ``monitor``; the run in ``folder`` is of another
            recipe.
        ValueError: the dataset is empty or a batch cannot be shared evenly by the processes.
    """
    return _Loop(task, train, recipe, valid, monitor, folder, progress, facts or {}).run()


class _Loop:
    """One call of ``fit``."""

    def __init__(self, task, train, recipe, valid, monitor, folder, progress, facts):
        self.recipe, self.valid, self.monitor = recipe, valid, monitor
        self.sign = -1.0 if any(word in monitor.lower() for word in LESS_IS_BETTER) else 1.0
        AcceleratorState._reset_state()  # else the precision of an earlier run in this process would hold
        GradientState._reset_state()
        self.accelerator = Accelerator(
            mixed_precision=recipe.precision,
            gradient_accumulation_steps=recipe.accumulate,
            step_scheduler_with_optimizer=False,
        )
        set_seed(recipe.seed, device_specific=True)
        self.task: Task = task
        self.train = train
        self.ema = None
        self.optimizer = build(recipe.optim, task)
        self.result = Run(folder=Path(folder) if folder else None, optimizer=self.optimizer)
        self.wrapped, self.optimizer = self.accelerator.prepare(task, self.optimizer)
        self.base = [group["lr"] for group in self.optimizer.param_groups]
        if recipe.ema:
            self.ema = Ema(task, recipe.ema)
            self.accelerator.register_for_checkpointing(self.ema)
        self.kept: dict[str, Tensor] = {}
        self.waited = 0  # evaluations without improvement
        self.log = Log(self.result.folder if self.main else None, recipe.steps, progress and self.main)
        self.facts = facts

    @property
    def main(self) -> bool:
        return self.accelerator.is_main_process

    def run(self) -> Run:
        begun, result = time.monotonic(), self.result
        if not self._open():
            if not self._out_of_patience:
                with self.log:
                    self._train()
            if not result.best:
                self._keep()
            self._finish()
        self.task.load_state_dict(self.kept or load_file(self._folder / WEIGHTS))
        self.task.eval()
        self.accelerator.unwrap_model(self.wrapped, keep_fp32_wrapper=False)
        self.accelerator.free_memory()
        result.history = self.log.lines
        result.seconds = time.monotonic() - begun
        return result

    def _train(self) -> None:
        recipe, result = self.recipe, self.result
        first = result.steps * recipe.accumulate
        order = Order(
            self.train,
            recipe.batch,
            recipe.seed,
            first,
            recipe.steps * recipe.accumulate - first,
            self.accelerator.process_index,
            self.accelerator.num_processes,
        )
        device = self.accelerator.device
        batches = iter(loader(order, recipe.workers, pin=device.type == "cuda"))
        self.task.train()
        sums: dict[str, Tensor] = {}
        since = result.steps
        for step in range(result.steps, recipe.steps):
            scale = factor(recipe.schedule, step, recipe.steps)
            for group, base in zip(self.optimizer.param_groups, self.base, strict=True):
                group["lr"] = base * scale
            for _ in range(recipe.accumulate):
                batch = _to(next(batches), device)
                with self.accelerator.accumulate(self.wrapped):
                    parts = self.wrapped(batch)
                    self.accelerator.backward(parts["loss"])
                    if recipe.clip and self.accelerator.sync_gradients:
                        self.accelerator.clip_grad_norm_(self.task.parameters(), recipe.clip)
                    self.optimizer.step()
                    self.optimizer.zero_grad()
                for name, value in parts.items():
                    value = value.detach().float() / recipe.accumulate
                    sums[name] = sums[name] + value if name in sums else value
            if self.ema:
                self.ema.update()
            result.steps = done = step + 1
            evaluate = self.valid and (done == recipe.steps or _due(done, recipe.evaluate_every))
            save = result.folder and (_due(done, recipe.save_every) if recipe.save_every else evaluate)
            if _due(done, recipe.log_every) or evaluate or save or done == recipe.steps:
                self._tell(sums, since, self.base[0] * scale)
                sums, since = {}, done
            else:
                self.log.advance(done)
            if evaluate:
                self._evaluate()
            if save and done < recipe.steps:
                self._save()
            if self._out_of_patience:
                break

    def _tell(self, sums: dict[str, Tensor], since: int, rate: float) -> None:
        """Logs the means since the last line, over all processes."""
        names, done = list(sums), self.result.steps
        means: Any = self.accelerator.reduce(torch.stack([sums[name] for name in names]), "mean")
        means = means / (done - since)
        line = dict(zip(names, means.tolist(), strict=True))
        if not math.isfinite(line["loss"]):
            raise AuricleError(
                f"The loss is {line['loss']} between steps {since + 1} and {done}",
                "Lower the learning rate, clip the gradient, or look for silence and NaN in the data",
            )
        self.log.add({"step": done, **line, "lr": rate})

    # --- evaluation ------------------------------------------------------------------------------------------------

    def _evaluate(self) -> None:
        """Evaluates on the main process, tells the others, and keeps the weights if they are the best so far."""
        told: list[Metrics] = [{}]
        if self.main and self.valid:
            self.task.eval()
            with self.ema.applied() if self.ema else torch.no_grad(), torch.no_grad():
                told = [{name: float(value) for name, value in self.valid(self.task).items()}]
            self.task.train()
        metrics = broadcast_object_list(told)[0]
        if self.monitor not in metrics:
            raise AuricleError(
                f"The evaluation gives no {self.monitor!r} to choose the weights by", f"It gives {', '.join(metrics)}"
            )
        self.log.add({"step": self.result.steps, **{f"valid/{name}": value for name, value in metrics.items()}})
        best = self.result.best
        if not best or self.sign * metrics[self.monitor] > self.sign * best[self.monitor]:
            self.result.best = {"step": self.result.steps, **metrics}
            self.waited = 0
            self._keep()
        else:
            self.waited += 1

    @property
    def _out_of_patience(self) -> bool:
        return self.recipe.patience is not None and self.waited >= self.recipe.patience

    def _keep(self) -> None:
        """Remembers the present weights (their average, when there is one) as those to be kept."""
        state = self.ema.average if self.ema else self.task.state_dict()
        self.kept = {name: tensor.detach().cpu().clone() for name, tensor in state.items()}
        if self.main and self.result.folder:
            part = self.result.folder / f"{WEIGHTS}.part"
            save_file(self.kept, part)
            part.replace(self.result.folder / WEIGHTS)

    # --- the run folder --------------------------------------------------------------------------------------------

    @property
    def _folder(self) -> Path:
        assert self.result.folder, "nothing is kept of a run without a folder"
        return self.result.folder

    def _open(self) -> bool:
        """Makes the run folder, or goes on from the last checkpoint in it; whether that run had ended."""
        if self.result.folder is None:
            return False
        from auricle.train.provenance import provenance

        folder, about = self._folder, {"recipe": json.loads(json.dumps(asdict(self.recipe))), **self.facts}
        file, ended = folder / "run.json", folder / "finished.json"
        if file.exists() and json.loads(file.read_text())["recipe"] != about["recipe"]:
            raise AuricleError(f"{folder} holds a run of another recipe", "Choose another folder, or the same recipe")
        if self.main:
            folder.mkdir(parents=True, exist_ok=True)
            if not file.exists():
                file.write_text(json.dumps(about | provenance(), indent=1, default=str) + "\n")
        self.accelerator.wait_for_everyone()
        if ended.exists():
            self._set(json.loads(ended.read_text()))
        elif saved := _checkpoints(folder):
            self.accelerator.load_state(str(saved[-1]))
            self._set(json.loads((saved[-1] / "state.json").read_text()))
        return ended.exists()

    @property
    def _state(self) -> dict[str, Any]:
        return {"step": self.result.steps, "best": self.result.best, "waited": self.waited}

    def _set(self, state: dict[str, Any]) -> None:
        self.result.steps, self.result.best, self.waited = state["step"], state["best"], state["waited"]
        self.log.resume(state["step"])

    def _finish(self) -> None:
        if self.main and self.result.folder:
            self.log.draw()
            (self._folder / "finished.json").write_text(json.dumps(self._state))
            for place in _checkpoints(self._folder):
                shutil.rmtree(place)

    def _save(self) -> None:
        place = self._folder / f"checkpoint-{self.result.steps:08d}"
        part = place.with_suffix(".part")
        if self.main:
            shutil.rmtree(part, ignore_errors=True)
            part.mkdir()
        self.accelerator.wait_for_everyone()
        self.accelerator.save_state(str(part))
        self.accelerator.wait_for_everyone()
        if self.main:
            (part / "state.json").write_text(json.dumps(self._state))
            earlier = _checkpoints(self._folder)
            part.rename(place)
            for old in earlier:
                shutil.rmtree(old)


def _checkpoints(folder: Path) -> list[Path]:
    """Complete checkpoints, oldest first."""
    return sorted(place for place in folder.glob("checkpoint-*") if place.suffix != ".part")


def _due(step: int, every: int | None) -> bool:
    return every is not None and step % every == 0


def _to(batch: Any, device: torch.device) -> Any:
    """``batch`` on ``device``, containers item by item."""
    if isinstance(batch, Tensor):
        return batch.to(device, non_blocking=True)
    if isinstance(batch, dict):
        return {name: _to(value, device) for name, value in batch.items()}
    if isinstance(batch, (list, tuple)):
        return type(batch)(_to(value, device) for value in batch)
    return batch
