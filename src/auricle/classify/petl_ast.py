"""PETL-AST: what is gained by training which few parameters of a frozen Audio Spectrogram Transformer.

Cappellazzo, Falavigna, Brutti, Ravanelli, "Parameter-Efficient Transfer Learning of Audio Spectrogram Transformers",
MLSP 2024, arXiv 2312.03694. One encoder, many ways to adapt it, each with its number of trained parameters for AST:

    linear        only the classifier on the mean of all tokens                                       0
    bitfit        all biases                                                                    102,912
    prompt        300 learned tokens among the first layer's                                    230,400
    deep_prompt   25 learned tokens among every layer's                                         230,400
    prefix        12 learned keys and 12 learned values in every attention                      221,184
    lora          updates of rank 6 of every query and value matrix                             221,184
    adapter       a bottleneck, a convpass or a Conformer module of low rank beside (parallel) or in line with
                  (sequential), before or after, the attention (MHSA), the feed-forward layer (FFN), or one beside each
                  (Houlsby; only one is Pfeiffer); the layer norm in front of it is trained too     248,976 ...
    full          everything                                                                 85,470,720

    waveform -- frozen encoder with what was put in --> tokens [batch, n, width]
      | mean over all tokens, linear
    logits [batch, classes]

Methods that train a part of any network (``linear``, ``bitfit``, ``full``) take every encoder with ``embed``; the
others need one made of ``auricle.nn.transformer.Layer``.

Deviations: LoRA and adapters start as no change (the up projection at zero, the rest as usual), where the authors' code
left initialisation to the library of the day; ``paper_code`` restores two slips of it (see ``auricle.nn.adapters``).
The learned positions are cut or interpolated to another length of clip, where the authors' code drew them anew and
froze them; ``positions="reinitialise"`` does that. The text gives LoRA a scale of 8, the code 16 / 128, which is the
default here.
"""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from functools import cache
from typing import Any, Literal

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional

from auricle.hub import Card
from auricle.hub.registry import module_of
from auricle.nn.adapters import (
    ADDED,
    Adapted,
    Bottleneck,
    Conformer,
    Convpass,
    LoRA,
    Mode,
    PrefixAttention,
    PromptedLayer,
    Prompts,
    Side,
)
from auricle.nn.transformer import Layer
from auricle.train import Experiment, Optim, Recipe, Schedule, fit
from auricle.train.task import Task as BaseTask

CARD = Card(
    name="petl_ast",
    title="Parameter-Efficient Transfer Learning of Audio Spectrogram Transformers",
    room="classify",
    kind="study",
    authors=("Umberto Cappellazzo", "Daniele Falavigna", "Alessio Brutti", "Mirco Ravanelli"),
    year=2024,
    arxiv="2312.03694",
    task="audio classification with few trained parameters",
    summary="Adapts a frozen transformer by prompts, LoRA or adapters: as good as fine-tuning, at 0.3 % of it.",
    claim="mean accuracy over ESC-50, UrbanSound8K, GSC and FSC: 91.2 % with Conformer adapters (271 K parameters), "
    "90.1 % with full fine-tuning (85 M), 55.8 % with a linear classifier",
    code_licence="none stated",
    extras=("train",),
)

Method = Literal["full", "linear", "bitfit", "prompt", "deep_prompt", "prefix", "lora", "adapter"]


@dataclass(frozen=True)
class Config:
    """What is trained. The defaults are the paper's table 1; ``METHODS`` holds each of its rows."""

    method: Method = "adapter"
    tokens: int = 24  # prompts of each prompted layer; prefixes of each layer, keys and values together
    rank: int = 12  # of LoRA and adapters: 768 over the code's "reduction rate"
    scale: float = 16 / 128  # of LoRA's update
    block: Literal["bottleneck", "convpass", "conformer"] = "bottleneck"
    kernel: int = 31  # tokens a Conformer's filter sees: 31 for speech, 8 for other sounds
    location: Literal["MHSA", "FFN", "both"] = "FFN"  # "both" is Houlsby's configuration, one is Pfeiffer's
    mode: Mode = "sequential"
    side: Side = "after"
    residual: bool = True  # around the adapter; see auricle.nn.adapters.Adapted
    positions: Literal["fit", "reinitialise"] = "fit"  # when the clips' length is not the encoder's
    paper_code: bool = False  # with the two slips of the authors' code
    encoder: str = "ast"  # the system that is adapted, its architecture and classes: noted by the model given one
    architecture: dict[str, Any] = field(default_factory=dict)
    encoder_classes: tuple[str, ...] | None = None


METHODS: dict[str, Config] = {
    "full": Config("full"),
    "linear": Config("linear"),
    "bitfit": Config("bitfit"),
    "spt_300": Config("prompt", tokens=300),
    "dpt_25": Config("deep_prompt", tokens=25),
    "prefix_24": Config("prefix", tokens=24),
    "lora": Config("lora", rank=6),
    "bottleneck_pfeiffer": Config(),
    "bottleneck_houlsby": Config(location="both"),
    "conformer_pfeiffer": Config(block="conformer", rank=8),
    "conformer_houlsby": Config(block="conformer", rank=8, location="both"),
    "convpass_parallel": Config(block="convpass", mode="parallel", side="before", residual=False),
    "bottleneck_parallel_mhsa": Config(location="MHSA", mode="parallel", side="before", residual=False),
}
TAGGERS = ("classifier.", "fc_audioset.", "att_block.")  # parts of encoders that only their own tags need


class Model(nn.Module):
    """A frozen encoder, what ``config`` puts into it, and a classifier. The encoder given is changed.

    Args:
        config: what is trained.
        classes: names of the classes.
        encoder: with ``embed`` or, for the methods that reach into a transformer, ``tokenise``, ``layers`` (of
            ``auricle.nn.transformer.Layer``), ``encode``, ``norm`` and ``special`` as ``auricle.represent.ast.Model``;
            None for one with random weights, as the last fields of ``config`` say.
        seconds: length of the clips, if the encoder is to be fitted to another (``fit_length``).

    Raises:
        ValueError: the encoder has no layers for the method to reach into.
    """

    def __init__(self, config: Config, classes: Sequence[str], encoder: Any = None, seconds: float | None = None):
        super().__init__()
        if encoder is None:
            system = module_of(config.encoder)
            encoder = system.Model(system.Config(**config.architecture), config.encoder_classes)
        self.sample_rate: int = encoder.sample_rate
        self.dim: int = encoder.dim
        self.classes, self.encoder = tuple(classes), encoder
        self.head = nn.Linear(self.dim, len(self.classes))
        if seconds is not None:
            encoder.fit_length(seconds)
            if config.positions == "reinitialise":
                nn.init.zeros_(encoder.positions)
        system, architecture = type(encoder).__module__.split(".")[2], asdict(encoder.config)
        self.config = replace(config, encoder=system, architecture=architecture, encoder_classes=tuple(encoder.classes))
        self.prompts = nn.Identity()
        encoder.requires_grad_(False)
        self._adapt()

    @property
    def window(self) -> float | None:
        """Seconds heard at once."""
        return self.encoder.window

    def forward(self, wave: Tensor) -> dict[str, Tensor]:
        """Hears ``wave`` [batch, samples]: ``embedding`` [batch, dim], ``logits`` and ``scores`` [batch, classes]."""
        tokens = hasattr(self.encoder, "tokenise")
        return self.classify(self.read(self.encoder.tokenise(wave)) if tokens else self.encoder.embed(wave))

    def read(self, tokens: Tensor) -> Tensor:
        """Embedding [batch, dim] of an encoder's first tokens [batch, n, dim]: the mean of its last ones."""
        return self.encoder.encode(self.prompts(tokens)).mean(dim=1)

    def classify(self, embedding: Tensor) -> dict[str, Tensor]:
        """What ``forward`` gives of an embedding [batch, dim]."""
        logits = self.head(embedding)
        return {"embedding": embedding, "logits": logits, "scores": logits.softmax(dim=-1)}

    def embed(self, wave: Tensor) -> Tensor:
        """Embeddings [batch, dim] of ``wave`` [batch, samples]."""
        return self(wave)["embedding"]

    def tag(self, wave: Tensor) -> Tensor:
        """Probabilities [batch, classes] of ``wave`` [batch, samples]."""
        return self(wave)["scores"]

    def train(self, mode: bool = True) -> "Model":
        """Leaves the frozen encoder as it is when it hears: no dropout, no new statistics."""
        super().train(mode)
        if self.config.method != "full":
            self.encoder.eval()
            for module in self.encoder.modules():
                if isinstance(module, ADDED):
                    module.train(mode)
        return self

    def trained(self) -> int:
        """How many parameters are trained, as the paper counts: without the classifier and the norm before it."""
        of_head = () if self.config.method in ("bitfit", "full") else ("encoder.norm.",)
        parameters = self.named_parameters()
        return sum(p.numel() for name, p in parameters if p.requires_grad and not name.startswith(("head.", *of_head)))

    def _adapt(self) -> None:
        method, encoder = self.config.method, self.encoder
        if method not in ("full", "linear", "bitfit"):
            layers: Any = getattr(encoder, "layers", ())
            if not len(layers) or not all(isinstance(layer, Layer) for layer in layers):
                raise ValueError(f"{type(encoder).__module__} has no transformer layers for {method} to reach into")
            for index, layer in enumerate(layers):
                layers[index] = self._adapted(layer, index)
        for name, parameter in encoder.named_parameters():
            if name.startswith(TAGGERS):
                continue
            if method == "full" or (method == "bitfit" and name.endswith(".bias")):
                parameter.requires_grad_(True)
        if method != "bitfit" and hasattr(encoder, "norm"):
            encoder.norm.requires_grad_(True)

    def _adapted(self, layer: Any, index: int) -> nn.Module:
        """``layer`` with what the method puts into it."""
        config = self.config
        bound = (6 / (3 * self.encoder.config.patch**2 + self.dim)) ** 0.5  # Visual Prompt Tuning's
        match config.method:
            case "prompt" | "deep_prompt" if index == 0:
                self.prompts = Prompts(config.tokens, self.dim, bound, instead=self.encoder.special - 1)
            case "deep_prompt":
                return PromptedLayer(layer, Prompts(config.tokens, self.dim, bound, instead=config.tokens))
            case "prefix":
                layer.attention = PrefixAttention(layer.attention, config.tokens, bound)
            case "lora":
                layer.attention.query = LoRA(layer.attention.query, config.rank, config.scale)
                layer.attention.value = LoRA(layer.attention.value, config.rank, config.scale)
            case "adapter":
                if config.location in ("MHSA", "both"):
                    layer.attention = self._with_adapter(layer.attention)
                    layer.attention_norm.requires_grad_(True)
                if config.location in ("FFN", "both"):
                    layer.feed_forward = self._with_adapter(layer.feed_forward)
                    layer.feed_forward_norm.requires_grad_(True)
        return layer

    def _with_adapter(self, sublayer: nn.Module) -> Adapted:
        config = self.config
        match config.block:
            case "bottleneck":
                adapter = Bottleneck(self.dim, config.rank)
            case "convpass":
                adapter = Convpass(self.dim, config.rank, paper_code=config.paper_code)
            case "conformer":
                adapter = Conformer(self.dim, config.rank, config.kernel, config.paper_code)
        return Adapted(sublayer, adapter, config.mode, config.side, config.residual)


def merge(model: Model) -> Model:
    """Adds the updates of LoRA into the matrices they update, in place: the same outputs at no cost. Returns it."""
    for layer in model.encoder.layers:
        for name in ("query", "value"):
            part = getattr(layer.attention, name)
            if isinstance(part, LoRA):
                setattr(layer.attention, name, part.merged())
    return model


class Task(BaseTask):
    """Cross-entropy of a batch ``{"wave": [n, samples], "target": [n] of class numbers}``."""

    def __init__(self, model: Model):
        super().__init__()
        self.model = model

    def training_step(self, batch: dict[str, Tensor]) -> dict[str, Tensor]:
        return {"loss": functional.cross_entropy(self.model(batch["wave"])["logits"], batch["target"])}


# --- the claim in miniature -------------------------------------------------------------------------------------------
#
# An AST of 4 layers learns 20 kinds of synthetic sound and is frozen; what is compared is how well each method then
# teaches it 10 others from 20 clips each, and from 4. Synthetic, because eight methods can only be ranked with some
# hundreds of test clips and a network that has learned something; the bundled sets of real sounds allow neither.

ARMS = ("full", "linear", "bitfit", "dpt", "lora", "bottleneck", "bottleneck_parallel_mhsa", "conformer")
SEEDS = 5
ADAPTED = {  # arm -> what is trained, and the learning rates of which validation chooses one
    "full": (Config("full"), (3e-4, 1e-3)),
    "linear": (Config("linear"), (3e-3, 1e-2)),
    "bitfit": (Config("bitfit"), (2e-3, 5e-3)),
    "dpt": (Config("deep_prompt", tokens=8), (5e-3, 2e-2)),
    "lora": (Config("lora", rank=4, scale=1.0), (2e-3, 5e-3)),
    "bottleneck": (Config(rank=4), (2e-3, 5e-3)),
    "bottleneck_parallel_mhsa": (
        Config(rank=4, location="MHSA", mode="parallel", side="before", residual=False),
        (2e-3, 5e-3),
    ),
    "conformer": (Config(block="conformer", rank=4, kernel=8), (2e-3, 5e-3)),
}
ADAMW = Optim(name="adamw", lr=1e-3, weight_decay=0.1, betas=(0.9, 0.98), eps=1e-6)
PRESETS = {
    "paper": Recipe(
        steps=1900, batch=32, optim=replace(ADAMW, lr=5e-3), schedule=Schedule("cosine")
    ),  # ESC-50: 50 epochs
    "mini": Recipe(steps=40, batch=32, optim=ADAMW, schedule=Schedule("cosine")),
    "smoke": Recipe(steps=2, batch=8, optim=ADAMW, schedule=Schedule("cosine")),
}
PRETRAINING = {"paper": 20_000, "mini": 300, "smoke": 2}  # steps
CLIPS = {
    "paper": (20, 20, 40),
    "mini": (20, 20, 40),
    "smoke": (2, 2, 2),
}  # a class to train, to validate and to test on
SHOTS = 4

RATE = 16_000  # Hz, and samples of a clip
REGISTERS = (200.0, 800.0, 3200.0)  # Hz; the middle one's sounds are those to be taught
FAMILIES = ("tone", "rise", "fall", "trill", "throb", "hiss", "clicks", "voice", "knocks", "wail")


def synthesise(family: str, register: float, rng: np.random.Generator) -> NDArray[np.float32]:
    """One second of a kind of sound around ``register`` Hz, in noise at -5 to 10 dB; within [-1, 1]."""
    time = np.arange(RATE) / RATE
    pitch, speed, depth = register * 2 ** rng.uniform(-0.4, 0.4), rng.uniform(4, 9), rng.uniform(0.15, 0.3)
    bends = {
        "rise": 2**time,
        "fall": 2**-time,
        "trill": 1 + depth * np.sign(np.sin(2 * np.pi * speed * time)),
        "wail": 1 + depth * np.sin(2 * np.pi * speed / 4 * time),
    }
    phase = 2 * np.pi * np.cumsum(pitch * bends.get(family, np.ones(RATE))) / RATE + rng.uniform(0, 2 * np.pi)
    beat = (time * speed + rng.uniform()) % 1
    match family:
        case "hiss":
            spectrum = np.fft.rfft(rng.standard_normal(RATE))
            octaves = np.log2(np.maximum(np.fft.rfftfreq(RATE, 1 / RATE), 1) / pitch)
            sound = np.fft.irfft(spectrum * np.exp(-((octaves / 0.4) ** 2)))
        case "clicks":
            sound = np.sin(phase) * np.exp(-beat * 60 / speed)
        case "knocks":
            sound = np.sin(phase) * np.exp(-beat * 15 / speed)
        case "voice":
            sound = sum(np.sin(k * phase) / k for k in range(1, 6))
        case "throb":
            sound = np.sin(phase) * (1 + np.sin(2 * np.pi * speed * time)) / 2
        case _:
            sound = np.sin(phase)
    level = 10 ** (-rng.uniform(-5, 10) / 20)
    mixed = sound / np.sqrt(np.mean(np.square(sound))) + level * rng.standard_normal(RATE)
    return (0.5 * mixed / np.abs(mixed).max()).astype(np.float32)


def sounds(registers: Sequence[float], each: int, seed: int) -> list[dict[str, Any]]:
    """``each`` clips of every family in every one of ``registers``, as items of a data set."""
    rng = np.random.default_rng(seed)
    kinds = [(family, register) for family in FAMILIES for register in registers]
    return [
        {"wave": synthesise(*kind, rng), "target": target} for _ in range(each) for target, kind in enumerate(kinds)
    ]


@cache
def pretrained(seed: int, preset: str) -> dict[str, Tensor]:
    """State dict of a small AST that knows the sounds of the low and the high register."""
    clips = sounds((REGISTERS[0], REGISTERS[2]), 60 if preset != "smoke" else 2, seed)
    torch.manual_seed(seed)
    task = Task(Model(Config("full"), [f"{number}" for number in range(20)], small_ast()))
    recipe = replace(PRESETS[preset], steps=PRETRAINING[preset], seed=seed, schedule=Schedule("cosine", warmup=20))
    fit(task, clips, recipe, progress=False)
    return task.model.encoder.state_dict()


def small_ast() -> Any:
    """An AST of 0.8 million parameters that hears one second."""
    ast = module_of("ast")
    return ast.Model(ast.Config(width=128, layers=4, heads=4, hidden=512, bands=64, frames=98), classes=FAMILIES)


@torch.no_grad()
def evaluate(model: Model, clips: Sequence[Mapping[str, Any]]) -> dict[str, float]:
    """Accuracy of ``model`` on ``clips``."""
    from auricle.metrics.classification import accuracy

    model.eval()
    waves = torch.from_numpy(np.stack([clip["wave"] for clip in clips]))
    scores = np.concatenate([model.tag(part).numpy() for part in waves.split(100)])
    return {"accuracy": accuracy(scores, np.array([clip["target"] for clip in clips]))}


def adapted(seed: int, config: Config, recipe: Recipe, preset: str, clips: list[dict[str, Any]]) -> Model:
    """The pretrained encoder, taught ``clips`` by one method."""
    encoder = small_ast()
    encoder.load_state_dict(pretrained(seed, preset))
    torch.manual_seed(seed)
    task = Task(Model(config, FAMILIES, encoder))
    fit(task, clips, replace(recipe, seed=seed), progress=False)
    return task.model


def experiment(preset: str = "mini") -> Experiment:
    """Conformer adapters in the pretrained encoder, as ``auricle train petl_ast`` trains them."""
    config, rates = ADAPTED["conformer"]
    train, valid, test = (sounds(REGISTERS[1:2], each, 1000 + part) for part, each in enumerate(CLIPS[preset]))
    encoder = small_ast()
    encoder.load_state_dict(pretrained(0, preset))
    recipe = replace(PRESETS[preset], optim=replace(ADAMW, lr=rates[0]))
    return Experiment(
        Task(Model(config, FAMILIES, encoder)),
        train,
        recipe,
        lambda task: evaluate(task.model, valid),
        lambda task: evaluate(task.model, test),
        monitor="accuracy",
    )


def replicate(seed: int, arm: str, preset: str = "mini") -> dict[str, float]:
    """Adapts by one method: test accuracy taught by all clips and by 4 a class, and the share of parameters trained."""
    config, rates = ADAPTED[arm]
    train, valid, test = (sounds(REGISTERS[1:2], each, 1000 * seed + part) for part, each in enumerate(CLIPS[preset]))
    recipes = [replace(PRESETS[preset], optim=replace(ADAMW, lr=rate)) for rate in rates]
    models = [adapted(seed, config, recipe, preset, train) for recipe in recipes]
    best = int(np.argmax([evaluate(model, valid)["accuracy"] for model in models]))
    few = adapted(seed, config, recipes[best], preset, train[: SHOTS * len(FAMILIES)])
    return {
        "accuracy": evaluate(models[best], test)["accuracy"],
        "few_accuracy": evaluate(few, test)["accuracy"],
        "share": few.trained() / sum(parameter.numel() for parameter in small_ast().parameters()),
        "lr": rates[best],
    }


def claims(values: Mapping[str, Mapping[str, NDArray[np.float64]]]) -> dict[str, bool]:
    """Judges the results of all arms; thresholds were fixed before any was seen."""
    mean = {arm: values[arm]["accuracy"].mean() for arm in ARMS}
    best = max(("bottleneck", "bottleneck_parallel_mhsa", "conformer"), key=lambda arm: mean[arm])
    return {
        "BitFit and deep prompts are above the linear classifier in the mean": bool(
            mean["linear"] < min(mean["bitfit"], mean["dpt"])
        ),
        "LoRA and bottleneck adapters are above BitFit and deep prompts in the mean": bool(
            max(mean["bitfit"], mean["dpt"]) < min(mean["lora"], mean["bottleneck"])
        ),
        "the best adapter is within 2 points of full fine-tuning or above, with at most 5 % of its parameters": bool(
            mean[best] >= mean["full"] - 0.02 and np.all(values[best]["share"] <= 0.05)
        ),
        "with 4 clips of a class, that adapter is at or above full fine-tuning with at least 4 of 5 seeds": bool(
            np.mean(values[best]["few_accuracy"] >= values["full"]["few_accuracy"]) >= 0.8
        ),
    }


def data() -> str:
    """What the sounds are; they are made from the seed."""
    return "synthetic: 10 families in 3 registers"
