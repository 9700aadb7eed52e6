"""A tiny torch system of the shape that rooms hold: card, config, model; its front-end is a bank of learned filters."""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from auricle.hub import Card

CARD = Card(
    name="tiny_tagger",
    title="Filters and a mean",
    room="represent",
    kind="model",
    task="audio tagging",
    code_licence="Apache-2.0",
    extras=("train",),
    ear=True,
)


@dataclass
class Config:
    sample_rate: int = 8000  # Hz
    filters: int = 16
    widths: tuple[int, ...] = (64, 32)  # samples
    classes: tuple[str, ...] = ("low", "high")


class Model(nn.Module):
    def __init__(self, config: Config | None = None):
        super().__init__()
        self.config = config or Config()
        self.sample_rate, self.classes = self.config.sample_rate, self.config.classes
        self.dim = self.config.filters * len(self.config.widths)
        self.window = 0.5
        self.banks = nn.ModuleList(nn.Conv1d(1, self.config.filters, width, width // 2) for width in self.config.widths)
        self.head = nn.Linear(self.dim, len(self.classes))

    def embed(self, wave: Tensor) -> Tensor:
        if wave.shape[-1] < max(self.config.widths):
            raise ValueError(f"{wave.shape[-1]} samples are too few")
        return torch.cat([bank(wave[:, None]).abs().mean(dim=-1) for bank in self.banks], dim=-1)

    def tag(self, wave: Tensor) -> Tensor:
        return self.head(self.embed(wave)).sigmoid()

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        embedding = self.embed(wave)
        return {"embedding": embedding, "scores": self.head(embedding).sigmoid()}


def load(tag: str = "", path: str | None = None) -> Model:
    if path:
        from auricle.hub.pretrained import from_pretrained

        return from_pretrained(path)
    torch.manual_seed(0)
    return Model()
