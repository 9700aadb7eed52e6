"""What SSAST and SSAMBA share: an embedding that is the mean over patches, and a pretext task that needs no labels."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

import torch
from torch import Tensor, nn

from auricle.nn.masked_patches import MaskedPatches, cluster_mask
from auricle.nn.patches import PatchEncoder
from auricle.train import Recipe
from auricle.train.task import Task

HEADS = (  # pattern of a name in the authors' checkpoints -> ours, in ``Pretraining``
    (r"^module\.", ""),
    (r"^mask_embed$", "pretext.mask"),
    (r"^cpredlayer\.", "pretext.discriminative."),
    (r"^gpredlayer\.", "pretext.generative."),
)
INPUT = ("p_input_fdim", "p_input_tdim")  # bands and frames, kept as parameters in the authors' checkpoints


class MeanPooled(PatchEncoder):
    """An encoder whose embedding is the mean over the patches' tokens, and a classifier on it if there are classes."""

    def __init__(self, config: Any, classes: Sequence[str]):
        super().__init__(config)
        self.classes = tuple(classes)
        if self.classes:
            self.classifier = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, len(self.classes)))

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at 16 kHz, in [-1, 1]; what goes beyond ``window`` seconds is not heard.

        Returns:
            ``tokens`` [batch, special + patches, width] and ``embedding`` [batch, width]; of a model with classes also
            ``logits`` and ``scores`` [batch, classes], these in [0, 1].
        """
        return self.hear(self.front_end(wave))

    def hear(self, mel: Tensor) -> dict[str, Tensor]:
        """As ``forward``, of normalised fbanks ``mel`` [batch, frames, bands]."""
        tokens = self.encode(self.embed_patches(mel))
        heard = {"tokens": tokens, "embedding": tokens[:, self.special :].mean(dim=1)}
        if self.classes:
            heard["logits"] = self.classifier(heard["embedding"])
            heard["scores"] = heard["logits"].sigmoid()
        return heard

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]; for a model with classes."""
        return self(wave)["scores"]


def pretrained_input(state: Mapping[str, Tensor]) -> dict[str, Any]:
    """What the authors' state dict of a pretrained model says of its input, as fields of a configuration."""
    width, _, *patch = state["module.v.patch_embed.proj.weight"].shape
    bands, frames = (int(state[f"module.{name}"]) for name in INPUT)
    shape = patch[0], patch[1]
    return {"width": width, "patch": shape, "stride": shape, "bands": bands, "frames": frames}


@dataclass
class PretextRecipe(Recipe):
    """A recipe of pretraining, with that of the fine-tuning in it."""

    finetuning: Recipe = field(default_factory=Recipe)


@dataclass(frozen=True)
class Masking:
    """The pretext task; the defaults are those of SSAST's patch models."""

    patches: int = 400  # masked of a clip
    clusters: tuple[int, int] | None = (3, 5)  # sides of the squares masked together; None for single ones anywhere
    discriminative: float = 1.0  # weights of the two losses
    generative: float = 10.0
    over: Literal["predictions", "patches"] = "predictions"  # what the contrast normalises over; see ``info_nce``


class Pretraining(Task):
    """The pretext task on a batch ``{"wave": [n, samples]}``; no labels are read.

    As in the authors' code, each of the two losses draws its own masks and runs the encoder on them.
    """

    def __init__(self, model: PatchEncoder, masking: Masking):
        super().__init__()
        self.model, self.masking = model, masking
        rows, columns = model.patches.kernel_size
        self.pretext = MaskedPatches(model.dim, int(rows) * int(columns))

    def masks(self, batch: int) -> Tensor:
        """Numbers of the patches masked in each clip [batch, patches]."""
        grid, masking = self.model.config.grid, self.masking
        if masking.clusters is None:
            count = grid[0] * grid[1]
            return torch.stack([torch.randperm(count)[: masking.patches] for _ in range(batch)])
        return torch.stack([cluster_mask(grid, masking.patches, masking.clusters) for _ in range(batch)])

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        mel, masking = self.model.front_end(batch["wave"]), self.masking
        parts, loss = {}, mel.new_zeros(())
        if masking.discriminative:
            hidden = self.pretext.predict(self.model, mel, self.masks(len(mel)).to(mel.device))
            parts["discriminative"], parts["accuracy"] = self.pretext.contrast(*hidden, masking.over)
            loss = loss + masking.discriminative * parts["discriminative"]
        if masking.generative:
            hidden = self.pretext.predict(self.model, mel, self.masks(len(mel)).to(mel.device))
            parts["generative"] = self.pretext.reconstruct(*hidden)
            loss = loss + masking.generative * parts["generative"]
        return {"loss": loss, **parts}
