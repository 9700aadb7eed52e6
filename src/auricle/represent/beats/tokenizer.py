"""BEATs' acoustic tokenizers: a number for every patch, first by a random projection, then by a taught network.

fbank patches [batch, n, 256] -- layer norm, random projection, nearest of 1024 random codes --> labels [batch, n]

fbanks -- an encoder as BEATs' -- linear, tanh, linear --> [batch, n, 256] -- nearest of 1024 codes --> labels
"""

from collections.abc import Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.represent.beats.model import Config, Encoder, FrontEnd, Layers, Model, from_authors
from auricle.train.task import Task

CODES, CODE_WIDTH = 1024, 256


class RandomTokenizer(nn.Module):
    """Labels patches by a projection and codes that were drawn once and never trained: the first iteration's."""

    projection: Tensor
    codes: Tensor

    def __init__(self, config: Config, codes: int = CODES, width: int = CODE_WIDTH, seed: int = 0):
        super().__init__()
        self.config, self.count = config, codes
        generator = torch.Generator().manual_seed(seed)
        values = config.patch**2
        self.register_buffer("projection", torch.randn(values, width, generator=generator) / values**0.5)
        self.register_buffer("codes", functional.normalize(torch.randn(codes, width, generator=generator), dim=-1))

    @torch.no_grad()
    def forward(self, mel: Tensor) -> Tensor:
        """Labels [batch, n] of fbanks ``mel`` [batch, frames, bands]."""
        patches = functional.unfold(mel[:, None], self.config.patch, stride=self.config.patch).transpose(1, 2)
        projected = functional.layer_norm(patches, patches.shape[-1:]) @ self.projection
        return nearest(functional.normalize(projected, dim=-1), self.codes)


def nearest(x: Tensor, codes: Tensor) -> Tensor:
    """Numbers of the ``codes`` [k, width] closest to ``x`` [..., width], both of length 1."""
    return (x @ codes.T).argmax(dim=-1)


class Codebook(nn.Module):
    """Codes of length 1 that follow the mean of what is closest to them; k-means on the first batch starts them.

    van den Oord et al., "VQ-VAE", arXiv 1711.00937, in the form of the authors' code: gradients pass straight through.

    Args:
        codes, width: how many, and of how many values.
        decay: of the moving average.
    """

    codes: Tensor
    started: Tensor
    used: Tensor

    def __init__(self, codes: int, width: int, decay: float = 0.99):
        super().__init__()
        self.decay = decay
        self.register_buffer("codes", torch.zeros(codes, width))
        self.register_buffer("started", torch.zeros(1))
        self.register_buffer("used", torch.zeros(codes))  # moving average of the labels given, by code

    def forward(self, x: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Quantises ``x`` [batch, n, width].

        Returns:
            Codes [batch, n, width], their numbers [batch, n], and the mean squared distance to them. In training, the
            codes move.
        """
        x = functional.normalize(x, dim=-1)
        if self.training and not self.started:
            self.codes.copy_(kmeans(x.detach().flatten(0, 1), len(self.codes)))
            self.started.fill_(1)
        labels = nearest(x, self.codes)
        quantised = self.codes[labels]
        if self.training:
            self._follow(x.detach().flatten(0, 1), labels.flatten())
        return x + (quantised - x).detach(), labels, functional.mse_loss(x, quantised)

    @torch.no_grad()
    def _follow(self, x: Tensor, labels: Tensor) -> None:
        counts = torch.bincount(labels, minlength=len(self.codes))
        sums = torch.zeros_like(self.codes).index_add_(0, labels, x)
        means = torch.where(counts[:, None] > 0, functional.normalize(sums, dim=-1), self.codes)
        self.codes.copy_(functional.normalize(self.codes.lerp(means, 1 - self.decay), dim=-1))
        self.used.lerp_(counts.float(), 1 - self.decay)

    def perplexity(self) -> float:
        """How many codes are in use, as the exponential of the entropy of their use."""
        share = self.used / self.used.sum()
        return float(torch.exp(-torch.special.xlogy(share, share).sum()))


@torch.no_grad()
def kmeans(x: Tensor, clusters: int, iterations: int = 10) -> Tensor:
    """Centres [clusters, width] of ``x`` [n, width], both of length 1, by cosine; empty clusters keep theirs."""
    chosen = torch.randperm(len(x))[:clusters] if len(x) >= clusters else torch.randint(len(x), (clusters,))
    centres = x[chosen]
    for _ in range(iterations):
        labels = nearest(x, centres)
        sums = torch.zeros_like(centres).index_add_(0, labels, x)
        heard = torch.bincount(labels, minlength=clusters)[:, None] > 0
        centres = torch.where(heard, functional.normalize(sums, dim=-1), centres)
    return centres


class Tokenizer(nn.Module):
    """Labels patches by an encoder of their surroundings and a codebook: the later iterations'."""

    def __init__(self, config: Config | None = None, codes: int = CODES, width: int = CODE_WIDTH):
        super().__init__()
        self.config, self.count = config or Config(), codes
        self.encoder = Encoder(self.config)
        self.reduce = nn.Sequential(
            nn.Linear(self.config.width, self.config.width), nn.Tanh(), nn.Linear(self.config.width, width)
        )
        self.codebook = Codebook(codes, width)

    def quantise(self, mel: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """What ``Codebook`` makes of fbanks ``mel`` [batch, frames, bands]."""
        return self.codebook(self.reduce(self.encoder(mel)))

    @torch.no_grad()
    def forward(self, mel: Tensor) -> Tensor:
        """Labels [batch, n] of fbanks ``mel`` [batch, frames, bands]."""
        return self.quantise(mel)[1]


def tokenizer_from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Tokenizer`` from that of the authors' ``Tokenizers``."""
    names = {
        "quantize.embedding.weight": "codes",
        "quantize.embedding.initted": "started",
        "quantize.cluster_size": "used",
    }
    ours = {}
    for name, tensor in from_authors(state).items():
        if name in names:
            ours[f"codebook.{names[name]}"] = tensor
        elif not name.startswith("quantize."):  # sums that only their averaging needs
            ours[name.replace("quantize_layer.", "reduce.")] = tensor
    return ours


class Distillation(Task):
    """Teaches a tokenizer: an estimator of 3 layers must tell the teacher's features from the codes alone.

    A batch is ``{"wave": [n, samples]}``. The loss is one minus the cosine to the teacher's tokens, or to their logits
    if the teacher knows classes (the "+" models), plus the distance to the codes. The teacher stays as it is.
    """

    def __init__(self, tokenizer: Tokenizer, teacher: Model, layers: int = 3):
        super().__init__()
        config, width = tokenizer.config, tokenizer.codebook.codes.shape[1]
        self.tokenizer, self.teacher = tokenizer, teacher.requires_grad_(False)
        self.front_end = FrontEnd(config)
        self.enter = nn.Linear(width, config.width)
        self.estimator = Layers(config, layers)
        self.leave = nn.Linear(config.width, len(teacher.classes) or teacher.dim)

    def train(self, mode: bool = True) -> "Distillation":
        super().train(mode)
        self.teacher.eval()
        return self

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        mel = self.front_end(batch["wave"])
        with torch.no_grad():
            target = self.teacher.encoder(mel)
            target = self.teacher.token_logits(target) if self.teacher.classes else target
        codes, _, distance = self.tokenizer.quantise(mel)
        positions = torch.arange(codes.shape[1], device=codes.device)[None]
        estimate = self.leave(self.estimator(self.enter(codes), positions))
        cosine = functional.cosine_similarity(estimate, target, dim=-1).mean()
        return {"loss": 1 - cosine + distance, "cosine": cosine, "distance": distance}
