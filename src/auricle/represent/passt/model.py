"""PaSST as a torch module: configuration, front-end, patchout, and the embeddings of the HEAR benchmark."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from auricle.data.audioset import evaluation_classes
from auricle.features.kaldi import kaldi_window
from auricle.features.logmel import fourier_kernel, power_spectrum
from auricle.features.mel import mel_bank
from auricle.nn.mix import SpecAugment
from auricle.nn.patches import initialise
from auricle.nn.transformer import Layer

LEVELS = ("2lvl", "2lvlmel")  # of the timestamps' embeddings, beside the base
MEL_FRAMES = 6  # of the log-mel spectrogram around a timestamp


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are PaSST-S's (arXiv 2110.05069, section 3)."""

    width: int = 768
    layers: int = 12
    heads: int = 12
    hidden: int = 3072
    patch: int = 16  # bands and frames
    stride: int = 10  # bands and frames between patches
    drop_columns: int = 40  # structured patchout: columns and rows left out of a training step
    drop_rows: int = 4
    drop_tokens: int = 0  # unstructured patchout
    sample_rate: int = 32_000  # Hz
    fft: int = 1024  # samples
    window: int = 800  # samples
    hop: int = 320  # samples
    bands: int = 128
    frames: int = 998  # for which there are positions
    high: float = 15_000.0  # Hz; in training drawn from 1000 Hz around it
    spec_augment: bool = True
    level: Literal["base", "2lvl", "2lvlmel"] = "base"  # of the timestamps' embeddings

    @property
    def grid(self) -> tuple[int, int]:
        """Patches along frequency and along time."""
        return (self.bands - self.patch) // self.stride + 1, (self.frames - self.patch) // self.stride + 1


class FrontEnd(nn.Module):
    """Waveform [batch, samples] to normalised log-mel [batch, 1 + (samples - 1) // hop, bands].

    While training, the bank's edges are drawn anew for each batch and stripes are left out.
    """

    kernel: Tensor
    bank: Tensor

    def __init__(self, config: Config):
        super().__init__()
        self.config = config
        kernel = fourier_kernel(kaldi_window("hanning", config.window), config.fft)
        self.register_buffer("kernel", torch.from_numpy(kernel.astype(np.float32)), persistent=False)
        self.register_buffer("bank", self._bank(0.0, config.high), persistent=False)
        self.augment = SpecAugment(192, 48, stripes=1) if config.spec_augment else nn.Identity()

    def forward(self, wave: Tensor) -> Tensor:
        half = self.config.window // 2
        wave = functional.pad(wave, (0, max(0, half + 2 - wave.shape[-1])))  # enough to reflect
        with torch.autocast(wave.device.type, enabled=False):
            emphasised = wave[:, 1:].float() - 0.97 * wave[:, :-1].float()
            power = power_spectrum(
                functional.pad(emphasised[:, None], (half, half), mode="reflect")[:, 0], self.kernel, self.config.hop
            )
            mel = (power @ (self._drawn() if self.training else self.bank) + 1e-5).log()
        return (self.augment(mel) + 4.5) / 5

    def _drawn(self) -> Tensor:
        low = int(torch.randint(10, ()))
        high = min(self.config.high + 1000 - int(torch.randint(2000, ())), self.config.sample_rate / 2)
        return self._bank(low, high).to(self.bank.device)

    def _bank(self, low: float, high: float) -> Tensor:
        bank = mel_bank(self.config.sample_rate, self.config.fft, self.config.bands, low, high)
        bank[-1] = 0.0  # as in Kaldi
        return torch.from_numpy(bank.astype(np.float32))


class Model(nn.Module):
    """PaSST with its front-end; randomly initialised until ``load`` or a training fills it.

    Args:
        config: the architecture.
        classes: names of the scores' columns; None for AudioSet's 527.
    """

    def __init__(self, config: Config | None = None, classes: Sequence[str] | None = None):
        super().__init__()
        self.config = config = config or Config()
        self.classes = tuple(evaluation_classes() if classes is None else classes)
        self.sample_rate, self.dim = config.sample_rate, config.width
        rows, columns = config.grid
        self.front_end = FrontEnd(config)
        self.patches = nn.Conv2d(1, config.width, config.patch, config.stride)
        self.rows = nn.Parameter(torch.zeros(1, config.width, rows, 1))
        self.columns = nn.Parameter(torch.zeros(1, config.width, 1, columns))
        self.tokens = nn.Parameter(torch.zeros(1, 2, config.width))
        self.positions = nn.Parameter(torch.zeros(1, 2, config.width))  # of the two tokens
        self.layers = nn.ModuleList(
            Layer(config.width, config.heads, config.hidden, 1e-6) for _ in range(config.layers)
        )
        self.norm = nn.LayerNorm(config.width, eps=1e-6)
        self.classifier = nn.Sequential(nn.LayerNorm(config.width), nn.Linear(config.width, len(self.classes)))
        self.apply(initialise)
        for parameter in (self.rows, self.columns, self.tokens, self.positions):
            nn.init.trunc_normal_(parameter, std=0.02)

    @property
    def window(self) -> float:
        """Seconds heard at once."""
        return round(self.config.frames * self.config.hop / self.sample_rate, 1)

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at the model's sample rate, in [-1, 1]; not what goes beyond ``window``.

        Returns:
            ``tokens`` [batch, 2 + patches, width], ``embedding`` [batch, width], ``logits`` and ``scores`` [batch,
            classes], these in [0, 1].
        """
        one = (self.config.patch - 1) * self.config.hop + 2  # samples of a patch
        return self.hear(self.front_end(functional.pad(wave, (0, max(0, one - wave.shape[-1])))))

    def hear(self, mel: Tensor) -> dict[str, Tensor]:
        """As ``forward``, of normalised log-mel spectrograms ``mel`` [batch, frames, bands]."""
        tokens = self.embed_patches(mel)
        for layer in self.layers:
            tokens = layer(tokens)
        tokens = self.norm(tokens)
        embedding = tokens[:, :2].mean(dim=1)
        logits = self.classifier(embedding)
        return {"tokens": tokens, "embedding": embedding, "logits": logits, "scores": logits.sigmoid()}

    def embed_patches(self, mel: Tensor) -> Tensor:
        """Tokens [batch, 2 + patches, width] of ``mel`` [batch, frames, bands]; in training after patchout.

        A clip shorter than the positions takes the first columns; in training, any.
        """
        config = self.config
        patches = self.patches(mel.transpose(1, 2)[:, None])[..., : config.grid[1]]
        spare = config.grid[1] - patches.shape[-1]
        first = int(torch.randint(spare + 1, ())) if self.training else 0
        patches = patches + self.rows + self.columns[..., first : first + patches.shape[-1]]
        if self.training:
            patches = left_out(left_out(patches, 3, config.drop_columns), 2, config.drop_rows)
        patches = patches.flatten(2).transpose(1, 2)
        if self.training:
            patches = left_out(patches, 1, config.drop_tokens)
        return torch.cat(((self.tokens + self.positions).expand(patches.shape[0], -1, -1), patches), dim=1)

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]."""
        return self(wave)["scores"]

    # HEAR's interface, which ``auricle.hub.hear`` calls

    @property
    def scene_embedding_size(self) -> int:
        """Length of a scene's embedding."""
        return len(self.classes) + self.dim

    @property
    def timestamp_embedding_size(self) -> int:
        """Length of a timestamp's embedding."""
        windows = 1 if self.config.level == "base" else 2
        return windows * self.scene_embedding_size + (MEL_FRAMES * self.config.bands) * (self.config.level == "2lvlmel")

    def get_scene_embeddings(self, audio: Tensor) -> Tensor:
        """Embeddings [sounds, scene_embedding_size] of ``audio`` [sounds, samples]."""
        whole = round(self.window * self.sample_rate)
        if audio.shape[-1] <= whole:
            return self._scored(audio)
        windows = around(audio, whole, whole // 4)
        return torch.stack([self._scored(part) for part in windows.unbind(1)]).mean(dim=0)

    def get_timestamp_embeddings(self, audio: Tensor, hop: float = 50.0) -> tuple[Tensor, Tensor]:
        """Embeddings [sounds, timestamps, timestamp_embedding_size] of ``audio`` [sounds, samples], and their ms."""
        every = int(hop * self.sample_rate / 1000)
        short = int(0.160 * self.sample_rate)
        lengths = {"base": (short,), "2lvl": (short, 5 * short), "2lvlmel": (short, 4 * short)}[self.config.level]
        parts = [[self._scored(part) for part in around(audio, length, every).unbind(1)] for length in lengths]
        if self.config.level == "2lvlmel":
            windows = around(audio, MEL_FRAMES * self.config.hop, every).unbind(1)
            parts.append([self.front_end(part).transpose(1, 2).flatten(1) for part in windows])
        embeddings = torch.cat([torch.stack(part, dim=1) for part in parts], dim=-1)
        times = torch.arange(embeddings.shape[1], device=audio.device) * (every * 1000 / self.sample_rate)
        return embeddings, times.expand(len(audio), -1)

    def _scored(self, wave: Tensor) -> Tensor:
        heard = self(wave)
        return torch.cat((heard["logits"], heard["embedding"]), dim=-1)


def around(audio: Tensor, length: int, hop: int) -> Tensor:
    """Windows [sounds, n, length] around every ``hop``-th sample of ``audio`` [sounds, samples], ends reflected."""
    half = length // 2
    audio = functional.pad(audio, (0, max(0, half + 1 - audio.shape[-1])))
    return functional.pad(audio[:, None], (half, half), mode="reflect")[:, 0].unfold(-1, length, hop)


def left_out(x: Tensor, axis: int, count: int) -> Tensor:
    """``x`` without ``count`` places of ``axis`` drawn for the whole batch, the others in order; one always stays."""
    if not count:
        return x
    kept = torch.randperm(x.shape[axis])[: max(1, x.shape[axis] - count)].sort().values
    return x.index_select(axis, kept.to(x.device))
