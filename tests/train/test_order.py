"""The order of the data, schedules, averages."""

from itertools import chain

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from auricle.train import Schedule
from auricle.train.ema import Ema
from auricle.train.order import Order
from auricle.train.schedule import factor


@given(
    items=st.integers(1, 20),
    size=st.integers(1, 6),
    first=st.integers(0, 30),
    world=st.integers(1, 3),
    seed=st.integers(0, 9),
)
def test_any_part_of_the_order_is_found_again(items, size, first, world, seed):
    size *= world
    whole = list(chain(*Order(range(items), size, seed, 0, first + 5)))
    epochs = [index for _, index in whole]
    for epoch in range(len(epochs) // items):
        assert sorted(epochs[epoch * items : (epoch + 1) * items]) == list(range(items))
    ranks = [list(Order(range(items), size, seed, first, 5, rank, world)) for rank in range(world)]
    shared = [list(chain(*batches)) for batches in zip(*ranks, strict=True)]
    assert list(chain(*shared)) == whole[first * size :]


def test_a_sampler_gives_the_order():
    class Sampled(list):
        class sampler:  # noqa: N801
            def __init__(self):
                self.start = 0

            def set_epoch(self, epoch):
                self.start = 10 * epoch

            def __iter__(self):
                return iter([self.start, self.start + 1, self.start + 2])

        def __init__(self):
            super().__init__(range(99))
            self.sampler = Sampled.sampler()

    assert list(Order(Sampled(), 2, 0, 1, 2)) == [[(0, 2), (1, 10)], [(1, 11), (1, 12)]]


def test_batches_that_cannot_be_shared_are_refused():
    with pytest.raises(ValueError, match="a batch of 3 cannot be shared evenly by 2 processes"):
        Order(range(9), 3, 0, 0, 1, world=2)


def test_one_cycle_is_that_of_torch():
    optimiser = torch.optim.SGD([nn.Parameter(torch.zeros(1))], lr=1.0)
    theirs = torch.optim.lr_scheduler.OneCycleLR(optimiser, max_lr=1.0, total_steps=50)
    for step in range(50):
        assert factor(Schedule("one_cycle"), step, 50) == pytest.approx(theirs.get_last_lr()[0], abs=1e-12)
        optimiser.step()
        if step < 49:
            theirs.step()


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (Schedule(), [1, 1, 1, 1]),
        (Schedule(warmup=2), [0.5, 1, 1, 1]),
        (Schedule("linear"), [1, 0.75, 0.5, 0.25]),
        (Schedule("linear", floor=0.5, warmup=2), [0.5, 1, 1, 0.75]),
        (Schedule("cosine"), [1, (1 + 0.5**0.5) / 2, 0.5, (1 - 0.5**0.5) / 2]),
        (Schedule("step", every=2, gamma=0.1), [1, 1, 0.1, 0.1]),
    ],
)
def test_schedules(schedule, expected):
    assert [factor(schedule, step, 4) for step in range(4)] == pytest.approx(expected)


def test_the_average_follows_and_comes_back():
    module = nn.Linear(1, 1, bias=False)
    nn.init.zeros_(module.weight)
    average = Ema(module, 0.9)
    nn.init.ones_(module.weight)
    expected = 0.0
    for step in range(50):
        decay = min(0.9, (1 + step) / (10 + step))
        expected = decay * expected + (1 - decay)
        average.update()
    with average.applied():
        assert float(module.weight.detach()) == pytest.approx(expected, abs=1e-6)
    assert float(module.weight.detach()) == 1.0
