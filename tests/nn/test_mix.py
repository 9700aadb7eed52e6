"""SpecAugment: stripes of zeros, of each clip's own, in training only."""

import pytest

torch = pytest.importorskip("torch")

from auricle.nn.mix import SpecAugment  # noqa: E402


def test_stripes_are_whole_narrow_and_each_clips_own():
    torch.manual_seed(0)
    augment = SpecAugment(frames=10, bands=4, stripes=2).train()
    x = augment(torch.ones(50, 1, 60, 20))
    assert set(x.unique().tolist()) == {0.0, 1.0}
    frames, bands = (x == 0).all(-1)[:, 0], (x == 0).all(-2)[:, 0]
    assert torch.equal(x[:, 0] == 0, frames[:, :, None] | bands[:, None, :])
    assert frames.sum(1).max() <= 2 * 9
    assert bands.sum(1).max() <= 2 * 3
    assert 6 < frames.sum(1).float().mean() < 10  # two of a mean of 4.5, less where they overlap
    assert len(frames.unique(dim=0)) > 40


def test_widths_are_uniform_from_none():
    torch.manual_seed(0)
    widths = (SpecAugment(4, 1, stripes=1).train()(torch.ones(4000, 50, 3)) == 0).all(-1).sum(1)
    assert widths.bincount(minlength=5)[:4].div(4000).sub(0.25).abs().max() < 0.03
    assert widths.max() == 3


def test_nothing_is_left_out_when_hearing():
    x = torch.ones(2, 1, 60, 20)
    assert SpecAugment(10, 4).eval()(x) is x


def test_a_stripe_wider_than_the_spectrogram_is_cut():
    assert SpecAugment(64, 8).train()(torch.ones(8, 1, 5, 3)).shape == (8, 1, 5, 3)
