"""What SSAST and SSAMBA share: the training of an encoder to know, and to redraw, the patches it was not shown."""

from dataclasses import dataclass
from typing import Literal

import torch
from torch import Tensor

from auricle.nn.masked_patches import MaskedPatches, cluster_mask
from auricle.nn.patches import PatchEncoder
from auricle.train.task import Task

HEADS = (  # pattern of a name in the authors' checkpoints -> ours, in ``Pretraining``
    (r"^module\.", ""),
    (r"^mask_embed$", "pretext.mask"),
    (r"^cpredlayer\.", "pretext.discriminative."),
    (r"^gpredlayer\.", "pretext.generative."),
)
INPUT = ("p_input_fdim", "p_input_tdim")  # bands and frames, kept as parameters in the authors' checkpoints


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
