"""Masked spectrogram patch modelling: the pretext task of SSAST and SSAMBA, whatever the encoder.

Gong, Lai, Chung, Glass, "SSAST", AAAI 2022, arXiv 2110.09784. Patches are replaced by one learned vector; of what the
encoder makes of them, one small network tells which of the clip's masked patches each was (discriminative, InfoNCE),
another what it looked like (generative, mean squared error).
"""

from typing import Literal

import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.nn.patches import PatchEncoder


def cluster_mask(grid: tuple[int, int], count: int, sizes: tuple[int, int] = (3, 5)) -> Tensor:
    """Numbers of ``count`` patches [count], ascending, that lie together in squares.

    Squares of one side, drawn from ``sizes`` (both included), are placed anywhere until more than ``count`` are
    covered; a square that passes the end of a row goes on in the next one. The last patches are then given back. As in
    the authors' code, the first patch is never masked.

    Raises:
        ValueError: the grid has no ``count`` + 2 patches.
    """
    rows, columns = grid
    if count + 2 > rows * columns:
        raise ValueError(f"{count} patches are to be masked of {rows} x {columns}, of which two must stay")
    side = int(torch.randint(sizes[0], sizes[1] + 1, ()))
    square = (columns * torch.arange(side)[:, None] + torch.arange(side)).flatten()
    masked = torch.zeros(rows * columns, dtype=torch.bool)
    while masked.sum() <= count:
        places = int(torch.randint(rows * columns, ())) + square
        masked[places[places < rows * columns]] = True
        masked[0] = False
    return masked.nonzero()[:count, 0]


def info_nce(predictions: Tensor, patches: Tensor, over: Literal["predictions", "patches"]) -> tuple[Tensor, Tensor]:
    """Contrast inside each clip, without temperature: the loss, and how often it is right.

    A prediction is right if, of all patches, its own gives it the largest share.

    Args:
        predictions, patches: [batch, masked, values], in the same order.
        over: what the softmax runs over: the predictions, for each patch, as in the authors' code; or the patches, for
            each prediction, as in the paper's equation 1.
    """
    scores = patches @ predictions.transpose(1, 2)  # [batch, patches, predictions]
    shares = scores.log_softmax(dim=2 if over == "predictions" else 1)
    places = torch.arange(scores.shape[1], device=scores.device)
    accuracy = (shares.argmax(dim=1) == places).float().mean()
    return -shares.diagonal(dim1=1, dim2=2).mean(), accuracy


class MaskedPatches(nn.Module):
    """The mask's vector and the two heads, for an encoder of ``width`` and patches of ``values`` values."""

    def __init__(self, width: int, values: int):
        super().__init__()
        self.mask = nn.Parameter(torch.empty(1, 1, width))
        nn.init.xavier_normal_(self.mask)
        self.discriminative, self.generative = (
            nn.Sequential(nn.Linear(width, width), nn.ReLU(), nn.Linear(width, values)) for _ in range(2)
        )

    def predict(self, encoder: PatchEncoder, mel: Tensor, masked: Tensor) -> tuple[Tensor, Tensor]:
        """What the encoder makes of masked places, and the values that were there.

        Args:
            mel: normalised fbanks [batch, frames, bands].
            masked: numbers of patches [batch, count].

        Returns:
            Tokens [batch, count, width] and patches [batch, count, values].
        """
        patches = encoder.project(mel)
        hidden = torch.zeros(patches.shape[:2], dtype=torch.bool, device=mel.device).scatter(1, masked, True)
        tokens = encoder.encode(encoder.place(torch.where(hidden[..., None], self.mask, patches)))
        tokens = tokens[:, encoder.special :]
        values = functional.unfold(
            mel.transpose(1, 2)[:, None], encoder.patches.kernel_size, stride=encoder.config.stride
        )
        return _taken(tokens, masked), _taken(values.transpose(1, 2), masked)

    def contrast(
        self, tokens: Tensor, values: Tensor, over: Literal["predictions", "patches"] = "predictions"
    ) -> tuple[Tensor, Tensor]:
        """The discriminative loss and accuracy of what ``predict`` returned."""
        return info_nce(self.discriminative(tokens), values, over)

    def reconstruct(self, tokens: Tensor, values: Tensor) -> Tensor:
        """The generative loss of what ``predict`` returned."""
        return functional.mse_loss(self.generative(tokens), values)


def _taken(x: Tensor, places: Tensor) -> Tensor:
    """Rows ``places`` [batch, count] of ``x`` [batch, n, values]."""
    return x.gather(1, places[..., None].expand(-1, -1, x.shape[-1]))
