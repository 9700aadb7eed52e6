"""HTS-AT as a torch module: configuration, front-end, folding, stages and heads."""

from collections.abc import Sequence
from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional

from auricle.data.audioset import evaluation_classes
from auricle.features.logmel import LogMel
from auricle.nn.mix import SpecAugment
from auricle.nn.swin import Swin


@dataclass(frozen=True)
class Config:
    """Architecture; the defaults are the published model's (section 2)."""

    width: int = 96  # of the first stage; it doubles with each
    depths: tuple[int, ...] = (2, 2, 6, 2)  # blocks of the stages
    heads: tuple[int, ...] = (4, 8, 16, 32)
    window: int = 8  # tokens, both ways
    patch: int = 4  # bands and frames
    size: int = 256  # of the image, rows and columns
    bands: int = 64
    seconds: float = 10.0  # heard at once
    sample_rate: int = 32_000  # Hz
    fft: int = 1024  # samples
    hop: int = 320  # samples, 10 ms
    low: float = 50.0  # Hz
    high: float = 14_000.0  # Hz
    drop_path: float = 0.1  # of the last block
    spec_augment: bool = True
    semantic: bool = True  # the token-semantic module; without it the mean token is classified, and time is lost

    def __post_init__(self):
        if self.size % self.bands or self.size % (self.patch << (len(self.depths) - 1)) or not self.rows:
            raise ValueError(
                f"an image of {self.size} does not fold into {self.bands} bands in {len(self.depths)} stages"
            )

    @property
    def chunks(self) -> int:
        """Parts of the clip that stand above each other in the image."""
        return self.size // self.bands

    @property
    def rows(self) -> int:
        """Rows of the last map that a chunk has."""
        return self.bands // (self.patch << (len(self.depths) - 1))

    @property
    def steps(self) -> int:
        """Steps of time in a clip."""
        return self.chunks * self.size // (self.patch << (len(self.depths) - 1))


class Model(nn.Module):
    """HTS-AT with its front-end; randomly initialised until ``load`` or a training fills it.

    Args:
        config: the architecture.
        classes: names of the scores' columns; None for AudioSet's 527, none for an embedding only.
    """

    def __init__(self, config: Config | None = None, classes: Sequence[str] | None = None):
        super().__init__()
        self.config = config = config or Config()
        self.classes = tuple(evaluation_classes() if classes is None else classes)
        self.sample_rate, self.window = config.sample_rate, config.seconds
        self.dim = config.width << (len(config.depths) - 1)
        self.front_end = LogMel(config.sample_rate, config.fft, config.hop, config.bands, config.low, config.high)
        self.band_norm = nn.BatchNorm1d(config.bands)
        self.augment = SpecAugment(64, 8) if config.spec_augment else nn.Identity()
        self.patches = nn.Conv2d(1, config.width, config.patch, config.patch)
        self.patch_norm = nn.LayerNorm(config.width)
        grid = config.size // config.patch
        self.stages = Swin((grid, grid), config.width, config.depths, config.heads, config.window, config.drop_path)
        self.norm = nn.LayerNorm(self.dim)
        if self.classes and config.semantic:
            self.head = nn.Conv2d(self.dim, len(self.classes), (config.rows, 3), padding=(0, 1))
        elif self.classes:
            self.head = nn.Linear(self.dim, len(self.classes))
        self.apply(initialise)

    @property
    def step(self) -> float:
        """Seconds of a row of ``detect``."""
        return self.config.seconds / self.config.steps

    def forward(self, wave: Tensor, mix: Tensor | None = None) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples] at the model's sample rate, in [-1, 1], filled with zeros to a window.

        Args:
            wave: at most ``window`` seconds.
            mix: share [batch] of each item's own spectrogram; the rest is the one from the other end of the batch.

        Returns:
            ``embedding`` [batch, dim]; ``tokens`` [batch, dim, rows, steps]; and with classes ``scores`` and ``logits``
            [batch, classes] and ``frames`` [batch, steps, classes], these and ``scores`` in [0, 1].

        Raises:
            ValueError: ``wave`` is longer than a window.
        """
        samples = round(self.window * self.sample_rate)
        if wave.shape[-1] > samples:
            raise ValueError(f"{wave.shape[-1]} samples are more than the {samples} heard at once")
        return self.hear(self.front_end(functional.pad(wave, (0, samples - wave.shape[-1]))), mix)

    def hear(self, mel: Tensor, mix: Tensor | None = None) -> dict[str, Tensor]:
        """As ``forward``, of log-mel spectrograms ``mel`` [batch, frames, bands] in dB."""
        mel = self.augment(self.band_norm(mel.transpose(1, 2)).transpose(1, 2))
        if mix is not None:
            mel = mix[:, None, None] * mel + (1 - mix)[:, None, None] * mel.flip(0)
        tokens = self.unfold(self.norm(self.stages(self.embed_patches(self.fold(mel)))))
        heard = {"embedding": tokens.mean(dim=(2, 3)), "tokens": tokens}
        if not self.classes:
            return heard
        if self.config.semantic:
            steps = self.head(tokens)[:, :, 0].transpose(1, 2)
            logits = steps.mean(dim=1)
        else:  # the clip's score is all there is to say of a step
            logits = self.head(heard["embedding"])
            steps = logits[:, None].expand(-1, self.config.steps, -1)
        return heard | {"logits": logits, "scores": logits.sigmoid(), "frames": steps.sigmoid()}

    def fold(self, mel: Tensor) -> Tensor:
        """The image [batch, size, size] of ``mel`` [batch, frames, bands]; row ``chunk * bands + band``."""
        config = self.config
        frames = config.size * config.chunks
        if mel.shape[1] != frames:
            mel = functional.interpolate(mel[:, None], (frames, config.bands), mode="bicubic", align_corners=True)[:, 0]
        return mel.unflatten(1, (config.chunks, config.size)).transpose(2, 3).flatten(1, 2)

    def embed_patches(self, image: Tensor) -> Tensor:
        """The first map [batch, rows, columns, width] of ``image`` [batch, size, size]."""
        return self.patch_norm(self.patches(image[:, None]).permute(0, 2, 3, 1))

    def unfold(self, tokens: Tensor) -> Tensor:
        """The last map [batch, chunks * rows, columns, dim] with time along one axis [batch, dim, rows, steps]."""
        return tokens.unflatten(1, (self.config.chunks, -1)).permute(0, 4, 2, 1, 3).flatten(3)

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Scores [batch, classes] in [0, 1] of ``wave`` [batch, samples]."""
        return self(wave)["scores"]

    def detect(self, wave: Tensor) -> Tensor:
        """Scores [batch, steps, classes] in [0, 1] of every ``step`` seconds of a window."""
        return self(wave)["frames"]


def initialise(module: nn.Module) -> None:
    """Normal weights of deviation 0.02 for linear layers, biases of 0; convolutions as torch draws them."""
    if isinstance(module, nn.Linear):
        nn.init.trunc_normal_(module.weight, std=0.02)
        if module.bias is not None:
            nn.init.zeros_(module.bias)
