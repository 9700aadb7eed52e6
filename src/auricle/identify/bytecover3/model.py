"""The network of ByteCover3, the similarity of lists of chunks, and the loss that is built on it."""

import math
from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.identify._extractor import Architecture, Extractor
from auricle.identify._versions import Variation
from auricle.nn.triplets import batch_hard
from auricle.train.task import Task as BaseTask

SILENCE = 1e-4  # of the spectrogram's largest value, below which nothing is compared


@dataclass(frozen=True)
class Config(Architecture):
    """Architecture; the backbone is ByteCover's, the rest as sony/clews has it."""

    pool: int = 6  # 7.2 frames a second
    normalise: bool = True
    projection: int = 512
    seconds: float = 20.0  # of a chunk


class Model(Extractor):
    """ByteCover3 with its front-end: a unit vector for every chunk. Randomly initialised until it is trained."""

    classes: tuple[str, ...] = ()

    def __init__(self, config: Config | None = None):
        config = config or Config()
        super().__init__(config)
        self.config = config
        self.window = config.seconds
        self.dim = config.projection
        self.projection = nn.Sequential(
            nn.BatchNorm1d(self.backbone.dim), nn.Linear(self.backbone.dim, config.projection)
        )

    def encode(self, spectrogram: Tensor) -> Tensor:
        """Embeddings [batch, dim] of chunks as ``spectrogram`` [batch, bins, frames]: of length 1, 0 of silence."""
        embedding = functional.normalize(self.projection(self.features(spectrogram)), dim=-1)
        return embedding * (spectrogram.amax(dim=(1, 2)) > SILENCE)[:, None]

    def forward(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples], a chunk in each row."""
        return self.encode(self.spectrogram(wave))

    embed = forward

    def chunks(self, spectrogram: Tensor, hop: float | None = None) -> Tensor:
        """A track's ``spectrogram`` [..., bins, frames] cut into chunks every ``hop`` seconds [..., chunks, bins, n].

        The default hop is a chunk. What is left at the end is not heard; a track shorter than a chunk is repeated.
        """
        rate = self.sample_rate / (self.config.hop * self.config.pool)
        length, held = round(self.config.seconds * rate), spectrogram.shape[-1]
        if held < length:
            copies = torch.cat([spectrogram] * -(-length // held), dim=-1)
            spectrogram = copies[..., :length]
        step = length if hop is None else max(1, round(hop * rate))
        return spectrogram.unfold(-1, length, step).movedim(-2, -3)


def maxmean(queries: Tensor, items: Tensor) -> Tensor:
    """MaxMean similarity [a, b] of ``queries`` [a, m, dim] to ``items`` [b, n, dim], unit vectors both.

    The mean over a query's chunks of their cosine to the item's most similar chunk, in [-1, 1]; not symmetric.
    """
    a, m, dim = queries.shape
    b, n, _ = items.shape
    cosines = queries.reshape(a * m, dim) @ items.reshape(b * n, dim).T
    return cosines.view(a, m, b, n).amax(dim=3).mean(dim=1)


class LocalAlignment(nn.Module):
    """The local alignment loss: classification and triplets, both by MaxMean.

    Args:
        works: how many there are.
        dim: of the embeddings.
        prototypes: chunks that stand for a work in classification; 0 for those of the other recordings of the batch,
            where works are too many or batches too few to learn any.
        margin: of the triplets.
        smoothing: share of the target that all works get.
        scale: of the logits, at first; its logarithm is learned.
        kind: "multiplicative", relu((1 + margin) * negative - positive), as in sony/clews, which asks for less where
            the negative is below zero; or "additive".
        closeness: weight of the mean of 1 - similarity of all positive pairs, a regulariser of sony/clews.
    """

    def __init__(
        self,
        works: int,
        dim: int,
        prototypes: int = 9,
        margin: float = 0.1,
        smoothing: float = 0.1,
        scale: float = math.e,
        kind: Literal["multiplicative", "additive"] = "multiplicative",
        closeness: float = 0.1,
    ):
        super().__init__()
        self.prototypes = nn.Parameter(0.076 * (2 * torch.rand(works, prototypes, dim) - 1)) if prototypes else None
        self.temperature = nn.Parameter(torch.tensor(math.log(scale)))
        self.margin, self.smoothing, self.kind, self.closeness = margin, smoothing, kind, closeness

    def forward(
        self, items: Tensor, target: Tensor, index: Tensor | None = None, queries: Tensor | None = None
    ) -> dict[str, Tensor]:
        """``loss`` and its parts.

        Args:
            items: [batch, chunks, dim], unit vectors.
            target: [batch], works.
            index: [batch], recordings; None: all differ.
            queries: [batch, fewer chunks, dim] of the same recordings; None for ``items``.
        """
        queries = items if queries is None else queries
        recordings = torch.arange(len(target), device=target.device) if index is None else index
        similarity, same = maxmean(queries, items), target[:, None] == target[None]
        positive = same & (recordings[:, None] != recordings[None])
        named = self.classification(queries, target, similarity, positive, recordings)
        if self.kind == "additive":
            apart = batch_hard(-similarity, target, self.margin, recordings)
        else:  # a negative is as hard as (1 + margin) times its similarity
            stretched = torch.where(same, similarity, (1 + self.margin) * similarity)
            apart = batch_hard(-stretched, target, 0.0, recordings)
        close = ((1 - similarity) * positive).sum() / positive.sum().clamp(min=1)
        loss = named + apart + self.closeness * close
        return {"loss": loss, "classification": named, "triplet": apart, "closeness": close}

    def classification(
        self, queries: Tensor, target: Tensor, similarity: Tensor, positive: Tensor, recordings: Tensor
    ) -> Tensor:
        """Cross-entropy of the work, with smoothed labels, against prototypes or the batch's other recordings."""
        scale = self.temperature.exp()
        if self.prototypes is not None:
            logits = scale * maxmean(queries, functional.normalize(self.prototypes, dim=-1))
            return functional.cross_entropy(logits, target, label_smoothing=self.smoothing)
        itself = recordings[:, None] == recordings[None]
        logs = (scale * similarity).masked_fill(itself, -1e4).log_softmax(dim=1)
        right = (logs * positive).sum(dim=1) / positive.sum(dim=1).clamp(min=1)
        any_other = (logs * ~itself).sum(dim=1) / (~itself).sum(dim=1).clamp(min=1)
        return -((1 - self.smoothing) * right + self.smoothing * any_other).mean()


class Task(BaseTask):
    """The local alignment loss of a batch of works in several versions.

    Batches are ``{"wave": [n, samples] or "spectrogram": [n, bins, frames], "target": [n]}``, whole tracks or long
    cuts, which are cut into chunks here; "index" [n], where there is one, tells recordings apart.

    Args:
        model: what is trained.
        loss: the loss, with as many works as there are.
        hop: seconds between chunks; None for the length of one.
        queries: fewest chunks of a query: a run of so many or more is drawn for every batch. None: always all.
        variation: what to do to spectrograms before they are heard.
    """

    def __init__(
        self,
        model: Model,
        loss: LocalAlignment,
        *,
        hop: float | None = None,
        queries: int | None = None,
        variation: Variation | None = None,
    ):
        super().__init__()
        self.model, self.loss = model, loss
        self.hop, self.queries, self.variation = hop, queries, variation

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        spectrogram = batch["spectrogram"] if "spectrogram" in batch else self.model.spectrogram(batch["wave"])
        if self.variation is not None:
            spectrogram = self.variation(spectrogram)
        chunks = self.model.chunks(spectrogram, self.hop)
        items = self.model.encode(chunks.flatten(0, 1)).unflatten(0, chunks.shape[:2])
        queries, count = None, items.shape[1]
        if self.queries is not None and self.queries < count:
            length = int(torch.randint(self.queries, count + 1, ()))
            first = int(torch.randint(count - length + 1, ()))
            queries = items[:, first : first + length]
        return self.loss(items, batch["target"], batch.get("index"), queries)
