"""Trains the ear of ``bytecover3`` that comes with the package, and writes it there as an ONNX file.

    scripts/train_versions.py --cache DIR [--steps N] [--start FILE] [--out FILE]

It learns from works composed by rule and from old tunes (see ``tunes``), 2,000 and about 3,900 of them, played anew by
rule for every batch; as pictures, without any sound (``auricle.identify._works.picture``). Tunes that two collections
print are kept out, for they are what benchmarks/versions.py tests on. One core, about 25 minutes.

What the package holds was trained in two rounds: 1,000 of the 3,000 steps of the first, then ``--start`` with its
weights and ``--steps 800``, in which performances are as free as they get from the start.
"""

import argparse
from dataclasses import replace
from pathlib import Path

import numpy as np
import torch
from safetensors.torch import load_file
from tunes import families, fetch, tunes

from auricle.hub.export import export
from auricle.identify import _works
from auricle.identify._versions import Pictures, cosine, performances, ranking, spectrograms
from auricle.identify.bytecover3 import CARD, GRAPH
from auricle.identify.bytecover3.model import Config, LocalAlignment, Model, Task
from auricle.train import Optim, Recipe, Schedule, fit

CONFIG = Config(
    sample_rate=11_025, hop=256, pool=8, exponent=0.5, stem=32, widths=(16, 24, 32, 48), depths=(1, 1, 1, 1),
    projection=128, seconds=10.0,
)  # fmt: skip
COMPOSED = 2_000
FRAMES = 54  # 10 s; to learn on these is enough
WINDOW, HOP = 20.0, 10.0  # seconds, of the ear
MANNER = _works.Manner(tempo=(77.0, 143.0), noise=(5.0, 35.0))
RECIPE = Recipe(
    steps=3_000, batch=64, clip=5.0, log_every=50, evaluate_every=250, save_every=500,
    optim=Optim(name="adamw", lr=2e-3, weight_decay=1e-4), schedule=Schedule("cosine", warmup=30, floor=0.02),
)  # fmt: skip


def works(cache: Path) -> list[_works.Work]:
    """What is learned on: composed works, and tunes of no family."""
    found = list(tunes(fetch(cache)))
    held = {tune.name for family in families(found) for tune in family}
    return [_works.compose(number) for number in range(COMPOSED)] + [t.work for t in found if t.name not in held]


@torch.inference_mode()
def valid(task: Task) -> dict[str, float]:
    """MAP among sounding performances of composed works that are not learned on."""
    waves, numbers = performances(range(90_000, 90_030), 4, 20.0, CONFIG.sample_rate)
    vectors = torch.cat([task.model.encode(one[None]) for one in spectrograms(waves, task.model.spectrogram)]).numpy()
    return ranking(cosine(vectors, vectors), numbers)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--cache", type=Path, required=True, help="for music21's wheel and the run")
    parser.add_argument("--steps", type=int, default=RECIPE.steps)
    parser.add_argument("--start", type=Path, help="weights.safetensors of an earlier run, to go on from")
    parser.add_argument("--out", type=Path, default=GRAPH)
    options = parser.parse_args()
    torch.set_num_threads(1)
    heard = works(options.cache)
    print(f"{len(heard)} works")
    torch.manual_seed(RECIPE.seed)
    model = Model(CONFIG)
    task = Task(model, LocalAlignment(len(heard), model.dim, prototypes=0, scale=10.0, smoothing=0.0, closeness=0.0))
    recipe, ramp = replace(RECIPE, steps=options.steps), 700
    if options.start:
        task.load_state_dict(load_file(options.start))
        recipe, ramp = replace(recipe, optim=replace(RECIPE.optim, lr=1.5e-3), seed=RECIPE.seed + 1), 0
    rate = CONFIG.sample_rate / (CONFIG.hop * CONFIG.pool)
    pictures = Pictures(heard, rate, FRAMES, 32, 2, recipe.seed, ramp, MANNER)
    run = fit(task, pictures, recipe, valid=valid, monitor="map", folder=options.cache / f"run-{recipe.seed}")
    print({name: round(float(np.round(value, 4)), 4) for name, value in run.best.items()}, f"{run.seconds:.0f} s")
    print(export(model, options.out, name=CARD.name, window=WINDOW, hop=HOP))


if __name__ == "__main__":
    main()
