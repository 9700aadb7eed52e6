"""The order of the data: an endless row of items, cut into batches, that any step can be found in again.

Epoch after epoch is shuffled and laid end to end; batch ``k`` is items ``[k * size, (k + 1) * size)`` of that row. No
item is dropped, no batch is short, and the order depends on the seed alone: neither on how many processes share a batch
nor on where a run was interrupted.
"""

from collections.abc import Iterator
from itertools import islice
from typing import Any

import torch
from torch.utils.data import DataLoader, Dataset

Key = tuple[int, int]  # epoch, index


class Order:
    """Batches of keys for one of ``world`` processes, from batch ``first`` on, ``count`` of them.

    A dataset with a ``sampler`` (an iterable of indices, drawn anew after ``set_epoch``) is read in its order.
    """

    def __init__(self, dataset: Any, size: int, seed: int, first: int, count: int, rank: int = 0, world: int = 1):
        if size % world:
            raise ValueError(f"a batch of {size} cannot be shared evenly by {world} processes")
        if not len(dataset):
            raise ValueError("there is nothing to train on: the dataset is empty")
        self.dataset, self.size, self.seed, self.first, self.count = dataset, size, seed, first, count
        self.rank, self.world = rank, world

    def __len__(self) -> int:
        return self.count

    def __iter__(self) -> Iterator[list[Key]]:
        share = self.size // self.world
        keys = self._row()
        for _ in range(self.count):
            batch = list(islice(keys, self.size))
            yield batch[self.rank * share : (self.rank + 1) * share]

    def _row(self) -> Iterator[Key]:
        """The row of items from batch ``first`` on."""
        skip, epoch = self.first * self.size, 0
        if length := self._length():
            epoch, skip = divmod(skip, length)
        while True:
            for index in self.epoch(epoch):
                if skip:
                    skip -= 1
                else:
                    yield epoch, index
            epoch += 1

    def _length(self) -> int | None:
        """Items of an epoch when that is always the same; a sampler that does not tell is read from the start."""
        sampler = getattr(self.dataset, "sampler", None)
        try:
            return len(self.dataset if sampler is None else sampler)
        except TypeError:
            return None

    def epoch(self, epoch: int) -> list[int]:
        """Indices of one epoch."""
        sampler = getattr(self.dataset, "sampler", None)
        if sampler is not None:
            if hasattr(sampler, "set_epoch"):
                sampler.set_epoch(epoch)
            return [int(index) for index in sampler]
        generator = torch.Generator().manual_seed((self.seed << 32) + epoch)
        return torch.randperm(len(self.dataset), generator=generator).tolist()


class Keyed(Dataset):
    """``dataset`` by (epoch, index), so that what varies with the epoch does so wherever items are loaded."""

    def __init__(self, dataset: Any):
        self.dataset, self.epoch = dataset, None

    def __getitem__(self, key: Key) -> Any:
        epoch, index = key
        if epoch != self.epoch and hasattr(self.dataset, "set_epoch"):
            self.dataset.set_epoch(epoch)
        self.epoch = epoch
        return self.dataset[index]


def loader(order: Order, workers: int, *, pin: bool = False) -> DataLoader:
    """Loads the batches of ``order``; the loader draws no random number that a model would miss."""
    return DataLoader(
        Keyed(order.dataset),
        batch_sampler=order,
        num_workers=workers,
        multiprocessing_context="spawn" if workers else None,  # a fork copies locks of other threads, Lance's too
        pin_memory=pin,
        generator=torch.Generator().manual_seed(order.seed),
        persistent_workers=False,
    )
