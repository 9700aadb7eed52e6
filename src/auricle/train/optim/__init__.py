"""Optimisers: torch's, and those of papers, each a module of its own."""

from torch.optim import SGD, Adam, AdamW, Optimizer

from auricle.train.recipe import Optim
from auricle.train.task import Task


def build(optim: Optim, task: Task) -> Optimizer:
    """The optimiser that ``optim`` describes, over ``task.parameter_groups()``."""
    groups = list(task.parameter_groups())
    common = {"lr": optim.lr, "weight_decay": optim.weight_decay}
    match optim.name:
        case "adamw":
            return AdamW(groups, betas=optim.betas, eps=optim.eps, **common)
        case "adam":
            return Adam(groups, betas=optim.betas, eps=optim.eps, **common)
        case "sgd":
            return SGD(groups, momentum=optim.momentum, nesterov=optim.nesterov, **common)
        case "adamp":
            from auricle.train.optim.adamp import AdamP

            return AdamP(groups, betas=optim.betas, eps=optim.eps, nesterov=optim.nesterov, **common)
        case "sgdp":
            from auricle.train.optim.adamp import SGDP

            return SGDP(groups, momentum=optim.momentum, nesterov=optim.nesterov, eps=optim.eps, **common)
