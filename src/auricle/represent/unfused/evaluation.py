"""LAPE, the authors' benchmark: one linear layer on frozen features, and the tasks that it is tried on."""

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.represent._mini import in_parts
from auricle.represent.unfused.model import Model

LAPE = {  # task -> seconds heard of a clip, classes
    "speech_commands_v1_12": (1.0, 12),
    "speech_commands_v2_12": (1.0, 12),
    "speech_commands_v2_35": (1.0, 35),
    "voxceleb1": (8.0, 1251),
    "librispeech_100_speakers": (13.0, 585),
    "voxforge": (6.0, 6),
    "iemocap": (4.0, 4),
    "nsynth": (4.0, 11),
    "birdsong": (10.0, 2),
    "tut_urban_2018": (9.0, 10),
    "urbansound8k": (4.0, 10),  # the cut is not known; its clips are 4 s
}


@torch.no_grad()
def frame_means(model: Model, waves: NDArray[np.float32]) -> Tensor:
    """What LAPE classifies: the mean over time of the frames [n, width] of ``waves`` [n, samples]."""
    model.eval()
    return torch.from_numpy(in_parts(lambda part: model(part)["frames"].mean(dim=1), waves))


def linear_evaluation(
    train: tuple[Tensor, Tensor], test: tuple[Tensor, Tensor], *, epochs: int = 100, seed: int = 0
) -> dict[str, float]:
    """LAPE's linear evaluation: one layer on frozen features, Adam at 1e-3, batches of 32.

    Args:
        train, test: features [n, width] and class numbers [n].

    Returns:
        Accuracy on the test set: ``last`` after the last epoch, and ``best`` of all epochs, which LAPE reports and
        which the test set itself chose.
    """
    (features, targets), (others, truth) = train, test
    generator = torch.Generator().manual_seed(seed)
    layer = nn.Linear(features.shape[1], int(max(targets.max(), truth.max())) + 1)
    layer.weight.data = (torch.rand(layer.weight.shape, generator=generator) * 2 - 1) / features.shape[1] ** 0.5
    layer.bias.data.zero_()
    optimiser = torch.optim.Adam(layer.parameters(), 1e-3)
    accuracies = []
    for _ in range(epochs):
        for places in torch.randperm(len(features), generator=generator).split(32):
            optimiser.zero_grad()
            functional.cross_entropy(layer(features[places]), targets[places]).backward()
            optimiser.step()
        with torch.no_grad():
            accuracies.append(float((layer(others).argmax(dim=1) == truth).float().mean()))
    return {"last": accuracies[-1], "best": max(accuracies)}
