"""Adapters against what their equations say: they start as no change, LoRA merges, prefixes are keys and values."""

import numpy as np
import pytest

torch = pytest.importorskip("torch")

from auricle.nn.adapters import Adapted, Bottleneck, Conformer, Convpass, LoRA, PrefixAttention, Prompts  # noqa: E402
from auricle.nn.transformer import Attention, Layer  # noqa: E402


@pytest.fixture(autouse=True)
def seed():
    torch.manual_seed(0)


def tokens(width: int = 8) -> torch.Tensor:
    return torch.randn(2, 7, width)


@pytest.mark.parametrize("block", [Bottleneck(8, 2), Convpass(8, 2), Conformer(8, 2, 5), Conformer(8, 2, 4)])
def test_adapters_start_at_zero_and_keep_the_shape(block):
    x = tokens()
    assert block(x).shape == x.shape
    assert not block(x).any()


def test_a_conformer_mixes_neighbours_only():
    block = Conformer(8, 2, kernel=3).eval()
    torch.nn.init.normal_(block.up.weight)
    x = tokens().requires_grad_()
    block(x)[0, 3].sum().backward()
    assert x.grad[0].abs().sum(-1).gt(0).tolist() == [False, False, True, True, True, False, False]


def test_the_papers_code_forgets_the_convolution_and_the_norm():
    assert Convpass(8, 2, paper_code=True).conv is None
    assert Conformer(8, 2, 3, paper_code=True).norm is None


def test_lora_starts_as_its_matrix_and_merges_into_it():
    lora = LoRA(torch.nn.Linear(8, 8), rank=2, scale=0.5)
    x = tokens()
    assert torch.equal(lora(x), lora.linear(x))
    torch.nn.init.normal_(lora.up.weight)
    expected = lora(x)
    torch.testing.assert_close(lora.merged()(x), expected)


def test_prefixes_are_keys_and_values_that_every_query_sees():
    attention = Attention(8, 2)
    prefixed = PrefixAttention(attention, 4, 1.0)
    x = tokens()
    q, k, v = attention.query(x), attention.key(x), attention.value(x)
    k = torch.cat((k, prefixed.keys.expand(2, -1, -1)), dim=1)  # attention does not mind the order
    v = torch.cat((v, prefixed.values.expand(2, -1, -1)), dim=1)
    heads = []
    for half in (slice(0, 4), slice(4, 8)):
        weights = (q[..., half] @ k[..., half].transpose(1, 2) / 2).softmax(-1)  # 2 = sqrt(4)
        heads.append(weights @ v[..., half])
    torch.testing.assert_close(prefixed(x), attention.output(torch.cat(heads, -1)))


def test_prompts_take_the_place_of_what_follows_the_first_token():
    x = tokens()
    prompted = Prompts(3, 8, 1.0, instead=2)(x)
    assert prompted.shape == (2, 8, 8)
    assert torch.equal(prompted[:, 0], x[:, 0])
    assert torch.equal(prompted[:, 4:], x[:, 3:])
    assert prompted[:, 1:4].abs().max() <= 1.0


CASES = {  # mode, side, residual -> the table of Adapted, with f(y) = 2 y and a(y) = y + 1
    ("sequential", "after", True): lambda y: 2 * y + (2 * y + 1),
    ("sequential", "after", False): lambda y: 2 * y + 1,
    ("sequential", "before", True): lambda y: 2 * (y + y + 1),
    ("sequential", "before", False): lambda y: 2 * (y + 1) + (y + 1),
    ("parallel", "before", True): lambda y: 2 * y + (y + 1) + y,
    ("parallel", "before", False): lambda y: 2 * y + (y + 1),
    ("parallel", "after", True): lambda y: 2 * y + (2 * y + 1),
    ("parallel", "after", False): lambda y: 2 * y + (2 * y + 1),
}


@pytest.mark.parametrize("case", CASES)
def test_placements_are_those_of_the_table(case):
    class Double(torch.nn.Module):
        def forward(self, y):
            return 2 * y

    class Increment(torch.nn.Module):
        def forward(self, y):
            return y + 1

    y = tokens()
    torch.testing.assert_close(Adapted(Double(), Increment(), *case)(y), CASES[case](y))


def test_a_layer_is_torchs_norm_first_encoder_layer():
    ours = Layer(8, 2, 16, 1e-5).eval()
    theirs = torch.nn.TransformerEncoderLayer(
        8, 2, 16, dropout=0.0, activation="gelu", batch_first=True, norm_first=True
    ).eval()
    parts = (ours.attention.query, ours.attention.key, ours.attention.value)
    state = {
        "self_attn.in_proj_weight": torch.cat([part.weight for part in parts]),
        "self_attn.in_proj_bias": torch.cat([part.bias for part in parts]),
    }
    names = {"attention.output": "self_attn.out_proj", "attention_norm": "norm1", "feed_forward_norm": "norm2"}
    for name, target in (names | {"feed_forward.0": "linear1", "feed_forward.2": "linear2"}).items():
        for kind in ("weight", "bias"):
            state[f"{target}.{kind}"] = ours.get_parameter(f"{name}.{kind}")
    theirs.load_state_dict(state)
    x = tokens()
    with torch.no_grad():
        np.testing.assert_allclose(ours(x), theirs(x), rtol=0, atol=1e-6)
