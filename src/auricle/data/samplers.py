"""Orders in which a loader draws clips, the same for the same seed and epoch: ``DataLoader(clips, sampler=...)``."""

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from auricle.data.manifest import Manifest
from auricle.errors import DataError


class Drawn(ABC):
    """Rows drawn by a seed: every epoch in another order, the same whenever it is drawn."""

    def __init__(self, length: int, seed: int):
        self.length = length
        self.seed = seed
        self.epoch = 0

    def __len__(self) -> int:
        return self.length

    def set_epoch(self, epoch: int) -> None:
        """Draws anew; without it, every pass is the same."""
        self.epoch = epoch

    def __iter__(self) -> Iterator[int]:
        return self.draw(np.random.default_rng((self.seed, self.epoch)))

    @abstractmethod
    def draw(self, rng: np.random.Generator) -> Iterator[int]:
        """The rows of an epoch."""


class Weighted(Drawn):
    """Draws ``length`` rows with replacement, each with a chance in proportion to its weight. Made by ``weighted``."""

    def __init__(self, weights: NDArray[np.float64], length: int, seed: int):
        super().__init__(length, seed)
        self.chances = weights / weights.sum()

    def draw(self, rng: np.random.Generator) -> Iterator[int]:
        return iter(rng.choice(len(self.chances), self.length, p=self.chances).tolist())


class Balanced(Drawn):
    """Draws the classes in rounds, each round a new order of all of them, and for each one of its clips in turn.

    The sampler of PANNs (Kong et al. 2020, section 4.3) in rounds: in any ``classes`` draws in a row that begin a
    round, every class is drawn once; a class's clips are all drawn before one is drawn again. Made by ``balanced``.
    """

    def __init__(self, members: Sequence[NDArray[np.int64]], length: int, seed: int):
        super().__init__(length, seed)
        self.members = members

    def draw(self, rng: np.random.Generator) -> Iterator[int]:
        queues: list[list[int]] = [[] for _ in self.members]
        for at in range(self.length):
            if at % len(self.members) == 0:
                classes = rng.permutation(len(self.members))
            drawn = classes[at % len(self.members)]
            if not queues[drawn]:
                queues[drawn] = rng.permutation(self.members[drawn]).tolist()
            yield queues[drawn].pop()


class Grouped(Drawn):
    """Draws ``groups`` classes and ``each`` items of every one, again and again: the P x K batches of metric learning.

    An epoch passes once over all classes in a new order, less those that do not fill a batch. A class of fewer items
    than ``each`` repeats some. Made by ``grouped``.
    """

    def __init__(self, members: Sequence[NDArray[np.int64]], groups: int, each: int, seed: int):
        super().__init__(len(members) // groups * groups * each, seed)
        self.members, self.groups, self.each = members, groups, each

    def draw(self, rng: np.random.Generator) -> Iterator[int]:
        order = rng.permutation(len(self.members))[: self.length // self.each]
        for members in (self.members[kind] for kind in order):
            rounds = -(-self.each // len(members))
            drawn = np.concatenate([rng.permutation(members) for _ in range(rounds)])
            yield from drawn[: self.each].tolist()


def weighted(weights: ArrayLike, length: int | None = None, seed: int = 0) -> Weighted:
    """A sampler of rows in proportion to ``weights`` [rows], ``length`` of them (as many as rows unless said).

    Raises:
        DataError: a weight is negative or not finite, or all are 0.
    """
    values = np.asarray(weights, np.float64)
    if values.ndim != 1 or not np.isfinite(values).all() or (values < 0).any() or not values.any():
        raise DataError("Weights must be finite and not negative, and not all of them 0")
    return Weighted(values, len(values) if length is None else length, seed)


def by_frequency(manifest: Manifest, offset: float = 100.0, length: int | None = None, seed: int = 0) -> Weighted:
    """A sampler that favours clips of rare classes: a clip weighs the sum of ``1 / (count + offset)`` of its classes.

    The weights of AST and PaSST (offset 100 in PaSST; 0 makes single-label classes equally likely). Clips without
    labels are never drawn.
    """
    targets = manifest.targets(multilabel=True).astype(np.float64)
    count = targets.sum(0)
    return weighted(targets @ (1 / np.maximum(count + offset, 1e-9) * (count > 0)), length, seed)


def balanced(manifest: Manifest, length: int | None = None, seed: int = 0) -> Balanced:
    """A sampler that draws every class equally often, ``length`` clips (as many as there are unless said).

    Raises:
        DataError: no clip has a label.
    """
    targets = manifest.targets(multilabel=True)
    members = [np.flatnonzero(column) for column in targets.T if column.any()]
    if not members:
        raise DataError("No clip has a label")
    return Balanced(members, len(manifest) if length is None else length, seed)


def grouped(labels: ArrayLike, groups: int, each: int, seed: int = 0) -> Grouped:
    """A sampler of batches of ``groups`` classes with ``each`` items of every one; a batch is ``groups * each`` items.

    Args:
        labels: [items], the class of each.
        groups: classes of a batch.
        each: items of a class in a batch.

    Raises:
        DataError: there are fewer classes than a batch needs.
    """
    kinds, of = np.unique(np.asarray(labels), return_inverse=True)
    if len(kinds) < groups:
        raise DataError(f"A batch of {groups} classes where there are {len(kinds)}")
    return Grouped([np.flatnonzero(of == kind) for kind in range(len(kinds))], groups, each, seed)
