"""The ONNX graphs against arithmetic written out, and rows against themselves in other batches."""

import numpy as np
import pytest

from auricle.hub import session
from auricle.represent.yamnet.graph import Layer, Network, float_graph, int8_graph
from tests.represent.yamnet.conftest import slow_convolution

GRAPHS = pytest.mark.parametrize("write", [int8_graph, float_graph])


def opened(model, tmp_path):
    path = tmp_path / "graph.onnx"
    path.write_bytes(model.SerializeToString())
    return session(path)


def patches(rows):
    """Log-mel patches [rows, 96, 64] as loud and as quiet as real ones."""
    return np.random.default_rng(rows).uniform(-7, 4, (rows, 96, 64)).astype(np.float32)


@pytest.fixture(scope="module")
def tiny_network() -> Network:
    rng = np.random.default_rng(0)

    def layer(shape, stride, groups, step):
        weight = rng.integers(-127, 128, shape).astype(np.int8)
        scale = rng.uniform(0.5, 1.5, shape[0]).astype(np.float32) / 300
        return Layer(weight, scale, rng.normal(0, 0.1, shape[0]).astype(np.float32), stride, groups, step)

    layers = [layer((4, 1, 3, 3), 2, 1, 0.05), layer((4, 1, 3, 3), 1, 4, 0.04), layer((6, 4, 1, 1), 1, 1, 0.03)]
    layers += [layer((6, 1, 3, 3), 2, 6, 0.03), layer((5, 6, 1, 1), 1, 1, 0.02)]
    classifier = rng.integers(-127, 128, (7, 5)).astype(np.int8)
    return Network(layers, classifier, 0.01, rng.normal(0, 1, 7).astype(np.float32))


def slowly(network, patch, int8):
    """Embedding and scores of one patch [96, 64] by the definition of the operators."""
    x, step = patch[None], None
    for layer in network.layers:
        if step is None:  # float, or the first layer of int8
            total = slow_convolution(x, layer.dequantised(), layer.stride, layer.groups) + layer.bias[:, None, None]
        else:
            bias = np.rint(layer.bias / (layer.scale.astype(np.float64) * step))
            total = slow_convolution(x, layer.weight, layer.stride, layer.groups) + bias[:, None, None]
            total *= step * layer.scale[:, None, None]
        x = np.maximum(total, 0)
        if int8:
            step = np.float32(layer.step)
            x = np.clip(np.rint(x / step), 0, 255)
    x = x * float(step or 1)
    embedding = x.mean(axis=(1, 2))
    logits = (network.classifier * network.scale) @ embedding + network.bias
    return embedding, 1 / (1 + np.exp(-logits))


@GRAPHS
def test_equals_the_operators_written_out(write, tiny_network, tmp_path):
    (patch,) = patches(1)
    embedding, scores = opened(write(tiny_network), tmp_path).run(["embedding", "scores"], {"logmel": patch[None]})
    wanted = slowly(tiny_network, patch, int8=write is int8_graph)
    tolerance = tiny_network.layers[-1].step / tiny_network.cells if write is int8_graph else 1e-5  # one rounding tie
    np.testing.assert_allclose(embedding[0], wanted[0], atol=tolerance)
    np.testing.assert_allclose(scores[0], wanted[1], atol=tolerance)


@GRAPHS
def test_a_row_has_the_same_bits_in_every_batch(write, random_network, tmp_path):
    graph = opened(write(random_network), tmp_path)
    rows = patches(33)
    whole = graph.run(["embedding", "scores"], {"logmel": rows})
    assert whole[0].shape == (33, 1024)
    assert whole[1].shape == (33, 521)
    assert np.ptp(whole[1], axis=0).max() > 0.01  # the rows do differ
    for size in (1, 2, 3, 5, 8, 16, 17, 32):
        for start in range(0, 33 - size + 1, size):
            part = graph.run(["embedding", "scores"], {"logmel": rows[start : start + size]})
            for found, wanted in zip(part, whole, strict=True):
                assert np.array_equal(found, wanted[start : start + size])
    order = np.random.default_rng(0).permutation(33)
    for found, wanted in zip(graph.run(["embedding", "scores"], {"logmel": rows[order]}), whole, strict=True):
        assert np.array_equal(found, wanted[order])


@GRAPHS
def test_two_sessions_agree(write, random_network, tmp_path):
    model, rows = write(random_network), patches(4)
    first, second = (opened(model, tmp_path).run(None, {"logmel": rows}) for _ in range(2))
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))


def test_int8_follows_float(random_network, tmp_path):
    rows = patches(4)
    int8, exact = (
        opened(write(random_network), tmp_path).run(None, {"logmel": rows}) for write in (int8_graph, float_graph)
    )
    for a, b in zip(int8[0], exact[0], strict=True):
        assert a @ b > 0.99 * np.linalg.norm(a) * np.linalg.norm(b)
