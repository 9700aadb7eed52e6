"""The three steps of UnFuSeD: a teacher that clusters sounds, its clusters of the target, and a student of them."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.represent._clusters import kmeans, nearest, whitened
from auricle.represent.beats.tokenizer import kmeans as spherical_kmeans
from auricle.represent.unfused.model import Model
from auricle.train.task import Task as BaseTask


def view(mel: Tensor) -> Tensor:
    """BYOL-A's augmentation of normalised log-mel [batch, frames, bands], each clip by its own draws.

    Niizumi et al., arXiv 2103.06695: another clip at up to 0.4 of the power, then a part, from 0.6 to 1.5 of the clip
    in time and up to all of it in frequency, stretched to the clip's size.
    """
    share = 0.4 * torch.rand(len(mel), 1, 1, device=mel.device).clamp(min=1e-6)
    others = mel[torch.randperm(len(mel), device=mel.device)]
    mixed = torch.logaddexp(mel + (1 - share).log(), others + share.log())
    return torch.stack([_resized(each) for each in mixed])


def _resized(mel: Tensor) -> Tensor:
    """A random part of ``mel`` [frames, bands], zeros beyond its ends, stretched to its size."""
    frames, bands = mel.shape
    around = (int(1.5 * frames) - frames) // 2
    canvas = functional.pad(mel, (0, 0, around, int(1.5 * frames) - frames - around))
    length = max(1, min(int(_uniform(0.6, 1.5) * frames), len(canvas)))
    height = max(1, min(int(_uniform(0.6, 1.5) * bands), bands))
    start, low = int(torch.randint(len(canvas) - length + 1, ())), int(torch.randint(bands - height + 1, ()))
    part = canvas[start : start + length, low : low + height]
    return functional.interpolate(part[None, None], (frames, bands), mode="bicubic", align_corners=True)[0, 0]


def _uniform(low: float, high: float) -> float:
    return low + (high - low) * float(torch.rand(()))


class Teacher(BaseTask):
    """DeepCluster-v2 on ``{"wave": [n, samples], "index": [n]}``: one view must tell the cluster of the other.

    Caron et al., arXiv 2006.09882. What one view of every sound was is remembered; once an epoch all that is clustered
    by cosine, and the other view learns the cluster. ``remember`` must have heard the sounds before.

    Args:
        sounds: how many there are.
        clusters: of them.
        width: of what is clustered.
        temperature: that cosines are divided by.
    """

    bank: Tensor
    labels: Tensor
    prototypes: Tensor
    seen: Tensor

    def __init__(self, model: Model, sounds: int, clusters: int = 1024, width: int = 512, temperature: float = 1.0):
        super().__init__()
        self.model, self.temperature = model, temperature
        self.head = nn.Sequential(
            nn.Linear(model.dim, model.dim), nn.BatchNorm1d(model.dim), nn.ReLU(), nn.Linear(model.dim, width)
        )
        self.register_buffer("bank", torch.zeros(sounds, width))
        self.register_buffer("labels", torch.zeros(sounds, dtype=torch.int64))
        self.register_buffer("prototypes", torch.zeros(clusters, width))
        self.register_buffer("seen", torch.zeros((), dtype=torch.int64))  # sounds since the last clustering

    @torch.no_grad()
    def remember(self, sounds: Any, batch: int = 64) -> None:
        """Hears every one of ``sounds``, items with a ``wave`` of one length, and clusters them."""
        self.eval()
        for first in range(0, len(self.bank), batch):
            places = range(first, min(first + batch, len(self.bank)))
            waves = torch.from_numpy(np.stack([sounds[place]["wave"] for place in places]))
            self.bank[first : first + batch] = self.project(self.model.mel(waves))
        self.train()
        self._cluster()

    def project(self, mel: Tensor) -> Tensor:
        """What is clustered of ``mel`` [batch, frames, bands]: vectors of length 1 [batch, width]."""
        return functional.normalize(self.head(self.model.hear(mel)["embedding"]), dim=-1)

    def _cluster(self) -> None:
        self.prototypes.copy_(spherical_kmeans(self.bank, len(self.prototypes)))
        self.labels.copy_((self.bank @ self.prototypes.T).argmax(dim=1))
        self.seen.zero_()

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        mel, places = self.model.mel(batch["wave"]), batch["index"]
        if self.seen >= len(self.bank):
            self._cluster()
        self.seen += len(mel)
        with torch.no_grad():
            self.bank[places] = self.project(view(mel))
        scores = self.project(view(mel)) @ self.prototypes.T / self.temperature
        accuracy = (scores.argmax(dim=1) == self.labels[places]).float().mean()
        return {"loss": functional.cross_entropy(scores, self.labels[places]), "accuracy": accuracy}


def pseudo_labels(embeddings: NDArray[np.float32], clusters: int, seed: int) -> NDArray[np.int64]:
    """A cluster [n] for every one of ``embeddings`` [n, dim]: 128 whitened components, length 1, k-means."""
    components = torch.from_numpy(whitened(embeddings, 128))
    return nearest(components, kmeans(components, clusters, seed)).numpy()


@dataclass(frozen=True)
class Weighting:
    """Weights of the student's losses beside the cross-entropy of its last layer; the defaults are published."""

    blocks: float = 0.7  # cross-entropy of each block
    divergence: float = 0.3  # of each block's shares from the last layer's
    cosine: float = 0.003  # distance of each block's logits from the last layer's


ALONE = Weighting(0.0, 0.0, 0.0)


class Task(BaseTask):
    """The student's step on ``{"wave": [n, samples], "target": [n]}``, the targets being clusters.

    As in the authors' code, the last layer is taught by its blocks as well: nothing is detached.

    Args:
        clusters: how many there are; as many as the target has classes.
        augment: whether it hears ``view`` of its sounds.
    """

    def __init__(self, model: Model, clusters: int, weighting: Weighting | None = None, *, augment: bool = True):
        super().__init__()
        self.model, self.weighting, self.augment = model, weighting or Weighting(), augment
        self.classifier = nn.Linear(model.dim, clusters)
        self.blocks = nn.ModuleList(_projector(width, clusters) for width in model.middles)

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        mel = self.model.mel(batch["wave"])
        return self.losses(view(mel) if self.augment else mel, batch["target"])

    def losses(self, mel: Tensor, target: Tensor) -> dict[str, Tensor]:
        """The loss and its parts on normalised log-mel [n, frames, bands]."""
        heard, weighting = self.model.hear(mel), self.weighting
        logits = self.classifier(heard["embedding"])
        loss = parts = functional.cross_entropy(logits, target)
        for block, middle in zip(self.blocks, heard["middles"], strict=True):
            told = block(middle)
            divergence = functional.kl_div(told.log_softmax(dim=1), logits.softmax(dim=1), reduction="batchmean")
            cosine = functional.cosine_similarity(told, logits, dim=1)
            loss = loss + weighting.blocks * functional.cross_entropy(told, target)
            loss = loss + weighting.divergence * divergence + weighting.cosine * (2 - 2 * cosine).mean()
        return {"loss": loss, "last": parts, "accuracy": (logits.argmax(dim=1) == target).float().mean()}


def _projector(width: int, clusters: int) -> nn.Sequential:
    layers: list[nn.Module] = []
    for before in (width, clusters):
        layers += [nn.Linear(before, clusters, bias=False), nn.BatchNorm1d(clusters), nn.ReLU()]
    return nn.Sequential(*layers, nn.Linear(clusters, clusters, bias=False))
