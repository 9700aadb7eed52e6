"""The made-up notes, and clusters by slow oracles."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("accelerate")

from auricle.represent import _notes  # noqa: E402
from auricle.represent._clusters import kmeans, nearest, whitened  # noqa: E402


def test_notes_are_what_their_labels_say():
    found = _notes.notes(40, 0, 1.5)
    assert found.waves.shape == (40, 12_000)
    assert float(np.abs(found.waves).max()) <= 1.0
    assert all(numbers.max() < _notes.KINDS[kind] for kind, numbers in found.labels.items())
    spectra = np.abs(np.fft.rfft(found.waves * np.hanning(12_000), 48_000))
    for spectrum, pitch in zip(spectra, found.labels["pitch"], strict=True):
        frequency = 440 * 2 ** ((_notes.PITCHES[pitch] - 69) / 12)
        harmonic = spectrum.argmax() * _notes.RATE / 48_000 / frequency
        assert abs(harmonic - round(harmonic)) < 0.03 * round(harmonic)


def test_notes_follow_from_their_seed():
    one, again, other = (_notes.notes.__wrapped__(4, seed, 0.25).waves for seed in (0, 0, 1))
    assert np.array_equal(one, again)
    assert not np.array_equal(one, other)


def test_a_probe_hears_what_an_embedding_says():
    known = {id(each.waves): each for each in (_notes.notes(200, seed, 0.25) for seed in (1001, 1002))}
    waves = {each.waves[row].tobytes(): each.labels["pulse"][row] for each in known.values() for row in range(200)}

    def embed(part: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.one_hot(torch.tensor([int(waves[row.numpy().tobytes()]) for row in part]), 4).float()

    found = _notes.probed(embed, 200, ("pulse", "family"), seconds=0.25)
    assert found["pulse"] == 1.0
    assert found["family"] < 0.4


def test_clusters():
    torch.manual_seed(0)
    truth = torch.randint(3, (300,))
    x = 5 * torch.eye(3)[truth] + 0.3 * torch.randn(300, 3)
    centres = kmeans(x, 3, seed=0)
    labels = nearest(x, centres)
    assert torch.equal(labels, torch.cdist(x, centres).argmin(dim=1))
    assert torch.equal(nearest(x.unflatten(0, (30, 10)), centres), labels.unflatten(0, (30, 10)))
    assert len(set(zip(truth.tolist(), labels.tolist(), strict=True))) == 3
    with pytest.raises(ValueError, match="n_samples"):
        kmeans(x[:2], 3, seed=0)


def test_whitened_components_are_even_and_of_length_one():
    x = np.random.default_rng(0).standard_normal((400, 6)).astype(np.float32) * np.array([9, 5, 3, 1, 0.5, 0.1])
    found = whitened(x.astype(np.float32), 4)
    assert found.shape == (400, 4)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found.var(axis=0), 0.25, atol=0.03)
