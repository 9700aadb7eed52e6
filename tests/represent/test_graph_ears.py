"""The ears behind ONNX graphs: the protocol, the graphs against torch with random weights, and known answers.

The golden values were compared, on the same window, with the carriers' own code (aiSFX, GE2E, speech_embedding), with
transformers (Whisper), and for musicnn with another reading of its checkpoint in torch, not with TensorFlow.
"""

import subprocess
import sys
from itertools import pairwise

import numpy as np
import pytest

import auricle
from auricle.audio import read
from auricle.data import mini
from auricle.hub.hear import scene
from auricle.represent import aisfx, ge2e, musicnn, speech_embedding, whisper
from auricle.represent._shared import GraphEar
from auricle.types import Ear, windows_in
from tests.hub.checkpoints.test_ctranslate2 import written
from tests.hub.checkpoints.test_tensorflow import written as bundle_written

MODULES = (aisfx, ge2e, musicnn, speech_embedding, whisper)


def noise(samples, seed=0):
    return np.random.default_rng(seed).normal(0, 0.1, samples).astype(np.float32)


@pytest.fixture
def small(tmp_path) -> GraphEar:
    """An ear of two classes that hears the mean and the maximum of windows of 8 samples."""
    from auricle.represent._graph import Graph

    graph = Graph("small")
    graph.add("Identity", "features", output="embedding")
    graph.add("Sigmoid", "features", output="scores")
    path = tmp_path / "small.onnx"
    path.write_bytes(
        graph.model({"features": ["n", 2]}, {name: ["n", 2] for name in ("embedding", "scores")}).SerializeToString()
    )

    def front_end(wave):
        return np.array([wave.mean(), wave.max()], np.float32)

    return GraphEar("small@1", path, front_end, sample_rate=100, window=8, hop=3, dim=2, classes=("mean", "loud"))


class TestGraphEar:
    def test_a_row_for_each_window(self, small):
        assert isinstance(small, Ear)
        wave = noise(8 + 4 * 3)
        heard = small.hear(wave)
        assert heard.embeddings.dtype == heard.scores.dtype == np.float32
        expected = [[wave[i : i + 8].mean(), wave[i : i + 8].max()] for i in range(0, 13, 3)]
        assert heard.embeddings == pytest.approx(np.array(expected))
        assert heard.scores == pytest.approx(1 / (1 + np.exp(-np.array(expected))))

    @pytest.mark.parametrize("shape", [(0,), (7,), (9,), (8, 1)])
    def test_parts_of_windows_are_refused(self, small, shape):
        with pytest.raises(ValueError, match="shape"):
            small.hear(np.zeros(shape, np.float32))


@pytest.mark.parametrize("module", MODULES)
def test_every_file_has_its_licence_and_none_is_listed_twice(module):
    for files in module.CARD.weights.values():
        assert all(file.licence for file in files)
        assert len({file.sha256 for file in files}) == len(files)


def test_importing_them_is_light():
    code = (
        "import sys; from auricle.represent import aisfx, ge2e, musicnn, speech_embedding, whisper; "
        "print([m for m in ('onnx', 'onnxruntime', 'torch') if m in sys.modules])"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout == "[]\n"


def test_loudness_is_taken_out_where_it_says_so():
    loud, voice = noise(aisfx.FFT + 99 * aisfx.HOP), noise(ge2e.WINDOW) / 1000
    assert aisfx.front_end(loud) == pytest.approx(aisfx.front_end(loud / 64), abs=1e-5)
    assert ge2e.front_end(voice) == pytest.approx(ge2e.front_end(voice * 4), rel=1e-5)
    assert not np.allclose(ge2e.front_end(voice * 4000), ge2e.front_end(voice * 2000))
    for module in (aisfx, ge2e, musicnn, whisper):
        window = aisfx.FFT + 99 * aisfx.HOP if module is aisfx else module.WINDOW
        assert np.isfinite(module.front_end(np.zeros(window, np.float32))).all()


class TestGraphs:
    """Random weights through the checkpoint's own format and the graph, against torch."""

    def test_aisfx(self, tmp_path):
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        net = torch.nn.ModuleDict()
        blocks = []
        for index, (inputs, outputs) in enumerate(pairwise((1, 64, 128, 256, 512)), 1):
            block = torch.nn.ModuleDict()
            for layer, channels in ((1, inputs), (2, outputs)):
                block[f"conv{layer}"] = torch.nn.Conv2d(channels, outputs, 3, padding=1, bias=False)
                block[f"bn{layer}"] = torch.nn.BatchNorm2d(outputs)
                torch.nn.init.uniform_(block[f"bn{layer}"].running_var, 0.5, 2.0)
                torch.nn.init.normal_(block[f"bn{layer}"].running_mean, 0.0, 0.1)
            net[f"conv_block{index}"] = block
            blocks.append(block)
        x = torch.rand(1, aisfx.FRAMES, aisfx.BANDS)
        torch.save(({f"embedding_net.{k}": v for k, v in net.state_dict().items()}, {}), tmp_path / "model.pth")
        aisfx.write(tmp_path / "model.onnx", tmp_path / "model.pth")
        found = run(tmp_path / "model.onnx", x.numpy())
        net.eval()
        y = x[:, None]
        for index, block in enumerate(blocks):
            for layer in (1, 2):
                y = block[f"bn{layer}"](block[f"conv{layer}"](y)).relu()
            y = torch.nn.functional.max_pool2d(y, 2) if index < 3 else y
        assert found == pytest.approx(y.mean(3).amax(2).detach().numpy(), rel=1e-4, abs=1e-6)

    def test_ge2e(self, tmp_path):
        torch = pytest.importorskip("torch")
        torch.manual_seed(0)
        lstm, linear = torch.nn.LSTM(40, 256, 3, batch_first=True), torch.nn.Linear(256, 256)
        state = {f"lstm.{k}": v for k, v in lstm.state_dict().items()}
        state |= {f"linear.{k}": v for k, v in linear.state_dict().items()}
        torch.save({"step": 1, "model_state": state}, tmp_path / "model.pt", _use_new_zipfile_serialization=False)
        ge2e.write(tmp_path / "model.onnx", tmp_path / "model.pt")
        x = torch.rand(2, ge2e.FRAMES, ge2e.BANDS)
        y = torch.nn.functional.normalize(linear(lstm(x)[1][0][-1]).relu(), dim=1)
        assert run(tmp_path / "model.onnx", x.numpy()) == pytest.approx(y.detach().numpy(), abs=1e-6)

    def test_whisper(self, tmp_path):
        torch, transformers = pytest.importorskip("torch"), pytest.importorskip("transformers")
        from transformers.models.whisper.modeling_whisper import WhisperEncoder

        torch.manual_seed(0)
        sizes = {"d_model": 512, "encoder_layers": 6, "encoder_attention_heads": 8, "encoder_ffn_dim": 2048}
        encoder = WhisperEncoder(transformers.WhisperConfig(**sizes, max_source_positions=250)).eval()
        (tmp_path / "model.bin").write_bytes(written(as_stored(encoder.state_dict())))
        whisper.write(tmp_path / "model.onnx", tmp_path / "model.bin")
        x = torch.randn(1, whisper.FRAMES, whisper.BANDS)
        with torch.inference_mode():
            y = encoder(x.transpose(1, 2)).last_hidden_state.mean(1).numpy()
        assert run(tmp_path / "model.onnx", x.numpy()) == pytest.approx(y, abs=1e-4 * float(np.abs(y).max()))

    def test_musicnn(self, tmp_path):
        pytest.importorskip("torch")
        tensors = random_musicnn()
        paths = [tmp_path / name for name in ("model.onnx", ".index", ".data")]
        for path, content in zip(paths[1:], bundle_written(dict(sorted(tensors.items()))), strict=True):
            path.write_bytes(content)
        musicnn.write(*paths)
        x = np.random.default_rng(1).uniform(0, 4, (1, musicnn.FRAMES, musicnn.BANDS)).astype(np.float32)
        embedding, scores = slow_musicnn(x, tensors)
        assert run(paths[0], x) == pytest.approx(embedding, rel=1e-4, abs=1e-5)
        assert run(paths[0], x, "scores") == pytest.approx(scores, abs=1e-5)


def run(graph, features, output="embedding"):
    return auricle.hub.session(graph).run([output], {"features": features})[0]


def random_musicnn():
    """Tensors of the published shapes, scaled so that activations stay about 1."""
    rng = np.random.default_rng(0)
    kernels = [(7, 38, 1, 204), (7, 67, 1, 204), *((frames, 1, 1, 51) for frames in (128, 64, 32))]
    kernels += [(7, 561, 1, 64), (7, 64, 1, 64), (7, 64, 1, 64)]
    tensors = {}
    for layer, shapes in (("conv2d", kernels), ("dense", [(1506, 200), (200, 50)])):
        for number, shape in enumerate(shapes):
            name = f"{layer}_{number}" if number else layer
            tensors[f"{name}/kernel"] = rng.normal(0, np.prod(shape[:-1]) ** -0.5, shape)
            tensors[f"{name}/bias"] = rng.normal(0, 0.1, shape[-1])
    for number, size in enumerate((1, 204, 204, 51, 51, 51, 64, 64, 64, 1506, 200)):
        name = f"batch_normalization_{number}" if number else "batch_normalization"
        for part in ("gamma", "moving_variance"):
            tensors[f"{name}/{part}"] = rng.uniform(0.5, 2.0, size)
        for part in ("beta", "moving_mean"):
            tensors[f"{name}/{part}"] = rng.normal(0, 0.1, size)
    return {name: tensor.astype(np.float32) for name, tensor in tensors.items()}


def slow_musicnn(x, tensors):
    """The network in torch, its maps as [n, frames, channels]: embedding and scores of ``x`` [n, frames, bands]."""
    import torch
    from torch.nn import functional

    def part(layer, number, name):
        return torch.from_numpy(tensors[f"{layer}_{number}/{name}" if number else f"{layer}/{name}"])

    def norm(y, number):
        mean, variance, gain, bias = (
            part("batch_normalization", number, name) for name in ("moving_mean", "moving_variance", "gamma", "beta")
        )
        return (y - mean) / (variance + 1e-3).sqrt() * gain + bias

    def over_time(y, number):
        """Of ``y`` [n, frames, width]: [n, frames, places, channels]."""
        kernel = part("conv2d", number, "kernel").permute(3, 2, 0, 1)
        before = (kernel.shape[2] - 1) // 2
        y = functional.pad(y[:, None], (0, 0, before, kernel.shape[2] - 1 - before))
        y = functional.conv2d(y, kernel, part("conv2d", number, "bias")).relu()
        return norm(y.permute(0, 2, 3, 1), number + 1)

    def dense(y, number):
        return y @ part("dense", number, "kernel") + part("dense", number, "bias")

    heard = norm(torch.from_numpy(x)[..., None], 0)[..., 0]
    front = torch.cat([over_time(heard, number).amax(2) for number in range(5)], 2)
    layers = [front, over_time(front, 5)[:, :, 0]]
    for number in (6, 7):
        layers.append(over_time(layers[-1], number)[:, :, 0] + layers[-1])
    found = torch.cat(layers, 2)
    pooled = norm(torch.stack([found.amax(1), found.mean(1)], 2).flatten(1), 9)
    embedding = norm(dense(pooled, 0).relu(), 10)
    return embedding.numpy(), dense(embedding, 1).sigmoid().numpy()


def as_stored(state):
    """A Whisper encoder's state under the names that CTranslate2 gives it, with queries, keys and values in one."""
    state = {name: tensor.numpy() for name, tensor in state.items()}
    stored = {"encoder/position_encodings/encodings": state["embed_positions.weight"]}

    def norm(name, place):
        stored[f"encoder/{place}/gamma"], stored[f"encoder/{place}/beta"] = (
            state[f"{name}.{part}"] for part in ("weight", "bias")
        )

    def dense(name, place):
        for part in ("weight", "bias"):
            stored[f"encoder/{place}/{part}"] = state[f"{name}.{part}"]

    for i in range(6):
        layer, place = f"layers.{i}", f"layer_{i}"
        bias = [state[f"{layer}.self_attn.{part}_proj.bias"] for part in "qv"]
        weight = [state[f"{layer}.self_attn.{part}_proj.weight"] for part in "qkv"]
        joined = f"encoder/{place}/self_attention/linear_0"
        stored[f"{joined}/weight"] = np.concatenate(weight)
        stored[f"{joined}/bias"] = np.concatenate([bias[0], np.zeros_like(bias[0]), bias[1]])
        dense(f"{layer}.self_attn.out_proj", f"{place}/self_attention/linear_1")
        dense(f"{layer}.fc1", f"{place}/ffn/linear_0")
        dense(f"{layer}.fc2", f"{place}/ffn/linear_1")
        norm(f"{layer}.self_attn_layer_norm", f"{place}/self_attention/layer_norm")
        norm(f"{layer}.final_layer_norm", f"{place}/ffn/layer_norm")
    dense("conv1", "conv1")
    dense("conv2", "conv2")
    norm("layer_norm", "layer_norm")
    return stored


GOLDEN = {  # of one window of noise: sum of the embedding, its largest value and where that is
    "aisfx@2022": (406.3579, 3.80451, 212),
    "musicnn@mtt": (65.00877, 2.96249, 73),
    "musicnn@msd": (43.28745, 3.84373, 173),
    "ge2e@resemblyzer": (8.68589, 0.229776, 120),
    "speech_embedding@1": (197.0028, 46.0735, 89),
    "whisper@base": (-12.98661, 5.40596, 136),
}


def clips(task, count, **columns):
    manifest = mini(task).filter(**columns)
    return manifest.paths[:: max(1, len(manifest) // count)][:count]


def vector(ear, path):
    return scene(ear, read(path, sample_rate=ear.sample_rate, mono=True)[0])


def likeness(ear, paths):
    found = np.stack([vector(ear, path) for path in paths])
    found /= np.linalg.norm(found, axis=1, keepdims=True)
    return found @ found.T


@pytest.mark.weights
class TestKnownAnswers:
    @pytest.mark.parametrize("name", GOLDEN)
    def test_the_published_numbers(self, name):
        ear = auricle.load(name)
        assert ear.name == name
        assert isinstance(ear, Ear)
        embedding = ear.hear(noise(ear.window)).embeddings[0]
        total, largest, place = GOLDEN[name]
        assert embedding.shape == (ear.dim,)
        assert embedding.sum(dtype=np.float64) == pytest.approx(total, rel=1e-4)
        assert (embedding.max(), embedding.argmax()) == (pytest.approx(largest, rel=1e-4), place)

    @pytest.mark.parametrize("name", GOLDEN)
    def test_a_row_depends_on_its_own_samples_only(self, name):
        ear = auricle.load(name)
        wave = noise(ear.window + 2 * ear.hop, seed=1)
        assert windows_in(len(wave), ear.window, ear.hop) == 3
        whole = ear.hear(wave).embeddings
        for row in range(3):
            alone = ear.hear(wave[row * ear.hop : row * ear.hop + ear.window]).embeddings
            assert np.array_equal(alone[0], whole[row])

    def test_musicnn_names_instruments(self):
        ear = auricle.load("musicnn")
        for title, tags in {"Alba_Longa_Burns": {"strings", "classical"}, "Along_the_Nile": {"flute"}}.items():
            (path,) = [path for path in mini("music").paths if title in path.name]
            wave, _ = read(path, sample_rate=ear.sample_rate, mono=True)
            whole = wave[: ear.window + 8 * ear.hop]
            best = ear.hear(whole).scores.mean(axis=0).argsort()[::-1][:3]
            assert tags <= {ear.classes[i] for i in best}

    def test_ge2e_knows_a_voice(self):
        voices = ("asterisk-core-sounds-ru-wav", "tuxpaint-ru")
        paths = [path for voice in voices for path in clips("speech", 4, source=voice)]
        alike = likeness(auricle.load("ge2e"), paths)
        assert min(alike[:4, :4].mean(), alike[4:, 4:].mean()) > alike[:4, 4:].mean() + 0.1

    def test_whisper_and_speech_embedding_know_a_word(self):
        """Digits in English by one voice are nearest to the same digits by another more often than by chance."""
        for name in ("whisper", "speech_embedding"):
            english = mini("digits").filter(language="en")
            truth = english.targets()
            alike = likeness(auricle.load(name), english.paths)
            source = np.array(english.column("source"))
            alike[source[:, None] == source] = -1
            right = truth[alike.argmax(axis=1)] == truth
            assert right.mean() > 0.3

    def test_aisfx_hears_effects_alike(self):
        kinds = ("clap", "kick", "snare")
        paths = [
            path
            for kind in kinds
            for path in mini("drums").filter(lambda row, kind=kind: kind in row["labels"]).paths[:8]
        ]
        alike = likeness(auricle.load("aisfx"), paths)
        np.fill_diagonal(alike, -1)
        kind = np.repeat(range(len(kinds)), 8)
        assert (kind[alike.argmax(axis=1)] == kind).mean() > 0.7
