"""Whether a task learns: what every way of pre-training must show."""

from collections.abc import Mapping

import numpy as np
import torch


def learns(task: torch.nn.Module, batch: Mapping[str, torch.Tensor], steps: int, lr: float, to: float) -> None:
    """Takes some steps on one batch, which must reach every parameter and bring the loss down to less than ``to``
    times what it was."""
    parameters = [parameter for parameter in task.parameters() if parameter.requires_grad]
    optimiser = torch.optim.Adam(parameters, lr)
    task.train()
    losses = []
    for _ in range(steps):
        loss = task.training_step(batch)["loss"]
        optimiser.zero_grad()
        loss.backward()
        assert all(parameter.grad is not None for parameter in parameters)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert np.mean(losses[-5:]) < to * losses[0]
