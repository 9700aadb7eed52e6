"""Multi-task self-supervised pre-training for music: one encoder, and workers that ask it for what music is made of.

Wu, Kao, Tang, Sun, McFee, Bello, Wang, "Multi-Task Self-Supervised Pre-Training for Music Classification", ICASSP 2021,
arXiv 2102.03229. PASE (Pascual et al., arXiv 1904.03416) pretrains speech encoders by having small networks redraw
features of the sound; here the features are music's: pitch classes, tempo, timbre. What matters is which workers there
are, how their losses are weighed, and what the encoder is.

    waveform [batch, samples] at 16 kHz
      | 64 band-pass filters, learned in Hz (or a log-mel spectrogram of 64 bands)
      | 7 convolutions to 512 channels, each with batch norm and a learned slope; linear; batch norm
    frames [batch, 100 a second, 100] -- each worker's two linear layers --> its target, in pretraining
      | mean and deviation over time
    embedding [batch, 200] -- linear --> scores [batch, classes], when fine-tuned

``model`` holds both encoders, ``workers`` the seven targets and the task, ``training`` the claim in miniature;
``auricle.nn.weighting`` the ways to weigh. Kept: PASE's encoder, to 1e-4 of the authors' code (santi-pdp/pase 2a41e63).
The music paper published no code: its workers are reconstructed. Left out: PASE's discriminators, the deconvolutions of
its waveform worker, and PASE+'s recurrent layer, without which its one published checkpoint does not load.

Good to know: in PASE's code most weightings are computed but not used, so comparisons made with it compare nothing.
Normalise targets, or the one with the largest numbers is all that is learned. A silent frame has no chroma: all zeros.
"""

from os import PathLike

from auricle.errors import WeightsError
from auricle.hub import Card
from auricle.nn.checkpoints import filled, read_checkpoint
from auricle.represent.multitask_music_ssl.model import Config, Model, config_of, from_pase
from auricle.represent.multitask_music_ssl.training import ARMS, PRESETS, SEEDS, claims, data, experiment, replicate
from auricle.represent.multitask_music_ssl.workers import WORKERS, Targets, Task

__all__ = ["ARMS", "CARD", "PRESETS", "SEEDS", "WORKERS", "Config", "Model", "Targets", "Task", "claims", "data"]
__all__ += ["experiment", "load", "replicate"]

CARD = Card(
    name="multitask_music_ssl",
    title="Multi-Task Self-Supervised Pre-Training for Music Classification",
    room="represent",
    kind="model",
    authors=(
        "Ho-Hsiang Wu",
        "Chieh-Chi Kao",
        "Qingming Tang",
        "Ming Sun",
        "Brian McFee",
        "Juan Pablo Bello",
        "Chao Wang",
    ),
    year=2021,
    arxiv="2102.03229",
    task="self-supervised music representation",
    summary="An encoder that small networks ask for pitch classes, tempo and timbre, computed from the sound itself.",
    claim="several music-specific workers with weighted losses improve and generalise best over music classification",
    code_licence="none published; PASE: MIT",
    extras=("train",),
)


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens an encoder of PASE, ready to hear.

    Args:
        tag: nothing, the music encoders were not published.
        path: a checkpoint of PASE's ``WaveFe`` as ``PASE.cfg`` makes it, of which only the tensors are read.

    Raises:
        WeightsError: there is no file, or it is of another network.
    """
    if path is None:
        raise WeightsError(
            f"weights of this encoder{f' {tag}' if tag else ''} were not published",
            "Train one with `auricle train multitask_music_ssl`, or load PASE's with path=FILE",
        )
    checkpoint = read_checkpoint(path)
    state = checkpoint.get("state_dict", checkpoint)
    return filled(lambda: Model(config_of(state)), lambda: from_pase(state), path, "PASE")
