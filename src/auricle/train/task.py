"""Tasks: a model together with its loss, in the one shape that the loop trains."""

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from torch import Tensor, nn

from auricle.train.recipe import Recipe

Metrics = dict[str, float]


class Task(nn.Module, ABC):
    """What is trained. Usually holds the network as ``self.model``; the loss is ``training_step``."""

    @abstractmethod
    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """The loss of a batch: ``{"loss": scalar, …}``, where other scalars are parts to be logged.

        ``loss`` is a mean over the items of the batch, so that batches can be accumulated and shared by processes.
        """

    def parameter_groups(self) -> Iterable[dict[str, Any]]:
        """Groups as ``torch.optim`` takes them, e.g. with a ``lr`` of their own; by default all that is trainable.

        A group's own ``lr`` follows the same schedule as the recipe's.
        """
        return [{"params": [parameter for parameter in self.parameters() if parameter.requires_grad]}]

    def forward(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        """Calls ``training_step``; wrappers for several processes and mixed precision hook in here."""
        return self.training_step(batch)


@dataclass
class Experiment:
    """All that ``fit`` needs, made by a system for one of its presets.

    ``valid`` picks the weights that are kept; ``test``, on data that picked nothing, is what is reported. Both are
    called with the task in evaluation mode and without gradients.
    """

    task: Task
    train: Any  # map-style dataset of dicts
    recipe: Recipe
    valid: Callable[[Any], Metrics] | None = None
    test: Callable[[Any], Metrics] | None = None
    monitor: str = "loss"
    data: str = ""  # fingerprint of the data
    facts: dict[str, Any] = field(default_factory=dict)  # anything else worth keeping beside the weights
