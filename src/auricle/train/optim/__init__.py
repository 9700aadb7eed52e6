"""Optimisers: torch's, and those of papers, each a module of its own."""

from torch.optim import SGD, Adam, AdamW, Optimizer

from auricle.train.recipe import Optim
from auricle.train.task import Task


def build(optim: Optim, task: Task) -> Optimizer:
    """The optimiser that ``optim`` describes, over ``task.parameter_groups()``."""
    groups, lr, decay = list(task.parameter_groups()), optim.lr, optim.weight_decay
    match optim.name:
        case "adamw":
            return AdamW(groups, lr, optim.betas, optim.eps, decay)
        case "adam":
            return Adam(groups, lr, optim.betas, optim.eps, decay)
        case "sgd":
            return SGD(groups, lr, optim.momentum, weight_decay=decay, nesterov=optim.nesterov)
        case "adamp":
            from auricle.train.optim.adamp import AdamP

            return AdamP(groups, lr, optim.betas, optim.eps, decay, nesterov=optim.nesterov)
        case "sgdp":
            from auricle.train.optim.adamp import SGDP

            return SGDP(groups, lr, optim.momentum, weight_decay=decay, nesterov=optim.nesterov, eps=optim.eps)
