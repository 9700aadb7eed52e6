"""ByteCover3: MaxMean and the local alignment loss against loops and the public code, chunks, the shipped ear.

``clews.npz`` holds what sony/clews at 517de18 (``bytecover3x``, six works, 8 dimensions) gives on random chunks.
"""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from auricle.hub.ear import open_ear
from auricle.types import Ear

torch = pytest.importorskip("torch")

from torch.nn import functional  # noqa: E402

from auricle.identify import _works  # noqa: E402
from auricle.identify.bytecover3 import GRAPH, training  # noqa: E402
from auricle.identify.bytecover3.model import Config, LocalAlignment, Model, Task, maxmean  # noqa: E402

SMALL = Config(
    sample_rate=11_025, hop=256, pool=10, stem=4, widths=(4, 4, 4, 4), depths=(1, 1, 1, 1), projection=6, seconds=2.0
)


def unit(*shape: int, seed: int = 0) -> "torch.Tensor":
    return functional.normalize(torch.randn(*shape, generator=torch.Generator().manual_seed(seed)), dim=-1)


def test_maxmean_is_the_mean_of_the_best():
    x, y = unit(2, 3, 5), unit(4, 2, 5, seed=1)
    slow = [[np.mean([max(float(a @ b) for b in item) for a in query]) for item in y] for query in x]
    np.testing.assert_allclose(maxmean(x, y), slow, atol=1e-6)


def test_the_loss_is_that_of_the_public_code():
    with np.load(Path(__file__).parent / "clews.npz") as known:
        loss = LocalAlignment(*known["prototypes"].shape[::2], prototypes=known["prototypes"].shape[1])
        with torch.no_grad():
            loss.prototypes.copy_(torch.from_numpy(known["prototypes"]))
            loss.temperature.fill_(float(known["temperature"][0]))
            chunks = functional.normalize(torch.from_numpy(known["chunks"]), dim=-1)
            found = loss(chunks, torch.from_numpy(known["target"]))
        np.testing.assert_allclose(maxmean(chunks, chunks), known["maxmean"], atol=1e-5)
        for part in ("classification", "triplet", "loss"):
            assert found[part].item() == pytest.approx(float(known[part]), abs=1e-5)


@pytest.mark.parametrize("kind", ["multiplicative", "additive"])
def test_the_triplets_of_both_kinds(kind):
    items, target = unit(6, 2, 5), torch.tensor([0, 0, 1, 1, 2, 2])
    found = LocalAlignment(3, 5, kind=kind, margin=0.2)(items, target)["triplet"]
    similar = maxmean(items, items).numpy()
    slow = []
    for a in range(6):
        worst = max(similar[a, n] for n in range(6) if n // 2 != a // 2)
        positive = similar[a, a ^ 1]
        slow.append(max(0, 1.2 * worst - positive if kind == "multiplicative" else worst - positive + 0.2))
    assert found.item() == pytest.approx(np.mean(slow), abs=1e-6)


def test_without_prototypes_the_batch_stands_for_the_works():
    items, target = unit(4, 1, 5), torch.tensor([0, 0, 1, 1])
    loss = LocalAlignment(2, 5, prototypes=0, scale=3.0, smoothing=0.0)
    similar = 3 * maxmean(items, items).numpy()
    slow = [-similar[a, a ^ 1] + np.log(sum(np.exp(similar[a, b]) for b in range(4) if b != a)) for a in range(4)]
    assert loss(items, target)["classification"].item() == pytest.approx(np.mean(slow), abs=1e-5)


def test_silence_has_no_vector_and_sound_one_of_length_1():
    model = Model(SMALL).eval()
    with torch.inference_mode():
        vectors = model.embed(torch.stack([torch.zeros(22_050), torch.rand(22_050) - 0.5]))
    np.testing.assert_allclose(vectors.norm(dim=1), [0, 1], atol=1e-5)


def test_tracks_are_cut_into_chunks():
    model = Model(SMALL)
    spectrogram = torch.arange(40.0).expand(2, 84, 40)
    chunks = model.chunks(spectrogram, hop=1.0)  # 9 frames every 4
    assert chunks.shape == (2, 8, 84, 9)
    assert chunks[0, 2, 0].tolist() == list(range(8, 17))
    assert model.chunks(spectrogram[:, :, :5])[0, 0, 0].tolist() == [0, 1, 2, 3, 4, 0, 1, 2, 3]


def test_queries_of_a_batch_are_runs_of_its_chunks():
    torch.manual_seed(0)
    task = Task(Model(SMALL), LocalAlignment(3, 6), hop=1.0, queries=1)
    batch = {"spectrogram": torch.rand(6, 84, 30), "target": torch.tensor([0, 0, 1, 1, 2, 2])}
    task.training_step(batch)["loss"].backward()
    assert all(parameter.grad is not None for parameter in task.parameters())


def test_two_stages_compare_only_what_is_near():
    items = unit(20, 3, 8)
    whole, share = training.compared(items, items)
    assert share == 1
    some, share = training.compared(items, items, nearest=4)
    assert share < 0.7
    kept = some > -1
    np.testing.assert_allclose(some[kept], whole[kept])
    others = whole - 9 * np.eye(20)
    best = (items[:, :, None, None] * items[None, None]).sum(-1).amax((1, 3)).numpy() - 9 * np.eye(20)
    assert kept[range(20), best.argmax(1)].all()
    assert others.shape == some.shape


class TestEar:
    def test_it_comes_with_the_package_and_needs_no_torch(self):
        code = (
            "import sys; from auricle.hub.ear import open_ear; ear = open_ear('bytecover3');"
            "import numpy as np; ear.hear(np.zeros(ear.window, 'f4')); assert 'torch' not in sys.modules"
        )
        subprocess.run([sys.executable, "-c", code], check=True)
        assert GRAPH.stat().st_size < 5e6

    def test_it_knows_a_work_in_another_key_tempo_and_instrument(self):
        ear = open_ear("bytecover3")
        assert isinstance(ear, Ear)
        assert ear.name == "bytecover3@1"
        waves = [
            _works.perform(_works.compose(70_000 + n), 10 * n + v, ear.sample_rate, 30.0)
            for n in range(6)
            for v in range(2)
        ]
        chunks = torch.from_numpy(np.stack([training.chunk_vectors(ear, wave) for wave in waves]))
        similar = maxmean(chunks, chunks).numpy() - 9 * np.eye(12)
        right = np.mean([best == place ^ 1 for place, best in enumerate(similar.argmax(1))])
        assert right >= 0.5  # 1 in 11 by chance

    def test_silence_is_like_nothing(self):
        ear = open_ear("bytecover3")
        assert not ear.hear(np.zeros(ear.window, np.float32)).embeddings.any()
