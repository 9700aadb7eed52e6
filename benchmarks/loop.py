"""What training costs besides the model: the loop beside a bare PyTorch step, AdamP beside AdamW and the public AdamP.

    python benchmarks/loop.py [--json FILE] [--quick]

Times are of the processor, on one thread, and medians over rounds in which all contestants take turns, so that what
else the machine does matters little. The public AdamP (``pip install adamp``) is compared with when it is there.
"""

import sys
import time
import warnings
from collections.abc import Callable
from statistics import median
from typing import Any

import torch
from torch import nn
from torch.nn.functional import cross_entropy
from torch.utils.data import DataLoader

from _common import Report, arguments
from auricle.train import Optim, Recipe, Task, fit
from auricle.train.optim.adamp import AdamP

ITEMS, BATCH, FRAMES, BANDS, CLASSES = 512, 32, 64, 64, 10
MOST_OVERHEAD = 3.0  # per cent


class Classify(Task):
    """A small CNN on log-mel patches [batch, 1, frames, bands]."""

    def __init__(self):
        super().__init__()
        torch.manual_seed(0)
        layers: list[nn.Module] = []
        for before, after in ((1, 32), (32, 64), (64, 64), (64, 128)):
            layers += [nn.Conv2d(before, after, 3, 2, 1, bias=False), nn.BatchNorm2d(after), nn.ReLU()]
        self.model = nn.Sequential(*layers, nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(128, CLASSES))

    def training_step(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
        return {"loss": cross_entropy(self.model(batch["mel"]), batch["target"])}


def items() -> list[dict[str, torch.Tensor]]:
    generator = torch.Generator().manual_seed(0)
    mels = torch.randn(ITEMS, 1, FRAMES, BANDS, generator=generator)
    return [{"mel": mel, "target": torch.tensor(row % CLASSES)} for row, mel in enumerate(mels)]


def bare(data: list[dict[str, torch.Tensor]], steps: int) -> float:
    """Milliseconds for each step of the shortest loop that trains, its loader included."""
    task = Classify()
    optimiser = torch.optim.AdamW(task.parameters())
    loader = DataLoader(data, BATCH, shuffle=True)  # pyright: ignore[reportArgumentType]
    batches = iter(())
    begun = 0.0
    for step in range(steps + 1):
        if step == 1:
            begun = time.process_time()  # the first step sets things up
        batch = next(batches, None)
        if batch is None:
            batches = iter(loader)
            batch = next(batches)
        task.training_step(batch)["loss"].backward()
        optimiser.step()
        optimiser.zero_grad()
    return 1e3 * (time.process_time() - begun) / steps


def ours(data: list[dict[str, torch.Tensor]], steps: int) -> float:
    """Milliseconds for each step of ``fit``, without what it does before the second step and after the last."""

    class Timed(Classify):
        calls = 0

        def training_step(self, batch: dict[str, torch.Tensor]) -> dict[str, torch.Tensor]:
            self.calls += 1
            if self.calls == 2:
                self.begun = time.process_time()
            self.ended = time.process_time()
            return super().training_step(batch)

    task = Timed()
    fit(task, data, Recipe(steps=steps + 2, batch=BATCH, optim=Optim(weight_decay=0.01)), progress=False)
    return 1e3 * (task.ended - task.begun) / steps


def stepping(make: Callable[..., torch.optim.Optimizer]) -> Callable[[], float]:
    """A call that times one step, in milliseconds, on the weights of the same network."""
    task = Classify()
    optimiser = make(task.parameters(), lr=1e-3, weight_decay=1e-2)
    for parameter in task.parameters():
        parameter.grad = torch.randn_like(parameter) * 1e-2

    def step() -> float:
        begun = time.process_time()
        optimiser.step()
        return 1e3 * (time.process_time() - begun)

    return step


def main() -> int:
    args = arguments(__doc__)
    torch.set_num_threads(1)
    report = Report("Training", args)
    rounds, steps = (2, 4) if args.quick else (60, 10)
    data = items()

    report.part = "the loop, AdamW, batches of 32 log-mel patches, small CNN"
    bare(data, 2), ours(data, 2)
    pairs = []
    for i in range(rounds):  # by turns first, since the processor's clock is not steady
        if i % 2:
            fitted = ours(data, steps)
            pairs.append((bare(data, steps), fitted))
        else:
            pairs.append((bare(data, steps), ours(data, steps)))
    report.add("bare PyTorch step", median(one for one, _ in pairs), "ms")
    report.add("step of fit", median(one for _, one in pairs), "ms")
    overhead = 100 * (median(fitted / alone for alone, fitted in pairs) - 1)
    report.add("overhead", overhead, "%", at_most=MOST_OVERHEAD)

    report.part = "one step of the optimiser, the same CNN's weights"
    contestants: dict[str, Any] = {"torch AdamW": torch.optim.AdamW, "AdamP": AdamP}
    try:
        from adamp import AdamP as Public  # pyright: ignore[reportMissingImports]

        contestants["AdamP of the package adamp"] = Public
    except ImportError as error:
        report.note(f"The public AdamP was not compared with: {error}")
    timers = {name: stepping(make) for name, make in contestants.items()}
    times: dict[str, list[float]] = {name: [] for name in timers}
    for _ in range(10 if args.quick else 300):
        for name, timer in timers.items():
            times[name].append(timer())
    for name, some in times.items():
        report.add(name, median(some), "ms")
    return report.finish()


if __name__ == "__main__":
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # the public package uses a deprecated way to add tensors
        sys.exit(main())
