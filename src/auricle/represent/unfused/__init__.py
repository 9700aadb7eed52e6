"""UnFuSeD: clusters of what a self-taught encoder hears are the labels that a fresh one learns the target from.

Seth, Ghosh, Umesh, Manocha, "UNFUSED: UNsupervised Finetuning Using SElf supervised Distillation", ICASSP Workshops
2023, arXiv 2303.05668. Between pretraining and fine-tuning comes a step that needs the target's sounds but no labels:
their embeddings are clustered, and a student that starts from nothing learns the clusters, each of its blocks taught by
its last one too. Teacher and student share no weights.

    waveform [batch, samples] at 16 kHz; what is shorter than 0.95 s is filled up at both ends
      | log-mel, 64 bands, 60-7800 Hz, 100 frames a second, normalised
    [batch, frames, 64]
      | three blocks of 3 x 3 convolution of 64 channels, batch norm, ReLU, halving (BYOL-A's trunk)
      | 8 bands x 64 channels of each frame: two linear layers of 2048
    frames [batch, frames / 8, 2048]
      | max over time + mean over time
    embedding [batch, 2048]

``model`` holds the network; ``stages`` the three steps, ``Teacher`` (DeepCluster-v2), ``pseudo_labels`` and ``Task``,
the student's; ``evaluation`` the protocol and the tasks of the authors' benchmark, LAPE; ``training`` the claim in
miniature. Kept: trunk, heads and losses,
to 1e-4 of the authors' code (Sreyan88/LAPE 81ba8d9); checkpoints of theirs and of BYOL-A, whose trunk it is, load.

Good to know: the published script clusters its first block's mean; here it is the embedding, as its comment says. The
backgrounds mixed in are the batch's other clips, not a memory of 2048. LARC is left out. Level and spread of log-mel
values are measured once (``Model.measure``) and kept with the weights; in published ones there is no normalisation.
LAPE reports the best accuracy on the test set over the epochs; ``linear_evaluation`` gives that and the last.
"""

from os import PathLike

from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.nn.checkpoints import filled, read_checkpoint
from auricle.represent.unfused.evaluation import LAPE, linear_evaluation
from auricle.represent.unfused.model import Config, Model, from_authors
from auricle.represent.unfused.stages import Task, Teacher, Weighting, pseudo_labels
from auricle.represent.unfused.training import ARMS, PRESETS, SEEDS, claims, data, experiment, replicate

__all__ = ["ARMS", "CARD", "LAPE", "PRESETS", "SEEDS", "Config", "Model", "Task", "Teacher", "Weighting", "claims"]
__all__ += ["data", "experiment", "linear_evaluation", "load", "pseudo_labels", "replicate"]

CARD = Card(
    name="unfused",
    title="UNFUSED: UNsupervised Finetuning Using SElf supervised Distillation",
    room="represent",
    kind="model",
    authors=("Ashish Seth", "Sreyan Ghosh", "S. Umesh", "Dinesh Manocha"),
    year=2023,
    arxiv="2303.05668",
    task="self-supervised audio representation",
    summary="A small encoder taught by clusters of what another hears in the target, and by its own last layer.",
    claim="state of the art on the LAPE benchmark with 40 % fewer parameters than the best before it",
    code_licence="none stated",
    data_licence="FSD50K: CC-BY-4.0",
    extras=("train",),
)


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a checkpoint of LAPE or DECAR-v2 (``.ckpt``, ``.pth.tar``), or of BYOL-A, whose trunk is the same.

    Args:
        tag: nothing, there is no file that is fetched by name.
        path: the file, of which only the tensors are read.

    Raises:
        WeightsError: there is no file, or it is of another network.
    """
    if path is None:
        raise WeightsError(
            f"weights of UnFuSeD{f' {tag}' if tag else ''} were not published",
            "Load BYOL-A's AudioNTT2020-BYOLA-64x96d2048.pth (https://github.com/nttcslab/byol-a) with path=FILE",
        )
    checkpoint = read_checkpoint(path)
    state = checkpoint.get("state_dict", checkpoint)

    def make() -> Model:
        ours = from_authors(state)
        width, values = ours["frames.0.weight"].shape
        channels = len(ours["blocks.0.0.bias"])
        return Model(Config(bands=8 * values // channels, channels=channels, width=width))

    return filled(make, lambda: from_authors(state), path, "an encoder of UnFuSeD")
