"""The HEAR 2021 interface for every ear: ``auricle.hub.hear:yamnet``, or this module with a name as its model.

Turian et al., "HEAR: Holistic Evaluation of Audio Representations", arXiv 2203.03022. Whatever takes a module of that
interface takes ``auricle.hub.hear``: ``load_model("yamnet@int8")``, ``get_scene_embeddings(audio, model)`` and
``get_timestamp_embeddings(audio, model)``. ``from auricle.hub.hear import yamnet`` (the object that the entry
``auricle.hub.hear:yamnet`` names) is the same with the ear's name as the default.

An ear whose model has these two methods of its own, as PaSST's, is asked for what they give. Of any other, a scene's
embedding is the mean over the ear's windows. A timestamp's is that of a window whose middle it is, one every
50 ms as the benchmark advises; beyond the ends of a clip there are zeros.
"""

from functools import partial
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from auricle.errors import MissingExtra
from auricle.hub.ear import open_ear
from auricle.types import Ear, Waveform, windows_in

if TYPE_CHECKING:
    import torch

TIMESTAMP_HOP = 50.0  # ms


def load_model(model_file_path: str = "yamnet", timestamp_hop: float = TIMESTAMP_HOP) -> "torch.nn.Module":
    """Opens an ear as a model of the interface, with ``sample_rate`` and the sizes of its embeddings.

    Args:
        model_file_path: what ``auricle index --ear`` takes: a system, an ONNX file, a folder.
        timestamp_hop: ms between timestamps.

    Raises:
        MissingExtra: torch, in which the interface speaks, is not installed.
        AuricleError: there is no such ear.
    """
    try:
        import torch
    except ImportError as error:
        raise MissingExtra("the HEAR interface", "train") from error

    class Hear(torch.nn.Module):
        """An ear behind the HEAR interface."""

        def __init__(self, ear: Ear):
            super().__init__()
            self.ear = ear
            self.sample_rate = ear.sample_rate
            own = own_embeddings(ear)
            self.scene_embedding_size = own.scene_embedding_size if own else ear.dim
            self.timestamp_embedding_size = own.timestamp_embedding_size if own else ear.dim
            self.timestamp_hop = timestamp_hop

    return Hear(open_ear(model_file_path))


def get_scene_embeddings(audio: "torch.Tensor", model: Any) -> "torch.Tensor":
    """One embedding for each sound: [sounds, samples] in [-1, 1] -> [sounds, scene_embedding_size]."""
    return _like(audio, np.stack([scene(model.ear, sound) for sound in _sounds(audio)]))


def get_timestamp_embeddings(audio: "torch.Tensor", model: Any) -> "tuple[torch.Tensor, torch.Tensor]":
    """Embeddings over time: [sounds, samples] -> [sounds, timestamps, timestamp_embedding_size], [sounds, timestamps].

    Timestamps are in ms, from 0 to the end of the sound.
    """
    heard = [timestamps(model.ear, sound, model.timestamp_hop) for sound in _sounds(audio)]
    embeddings, times = (np.stack(part) for part in zip(*heard, strict=True))
    return _like(audio, embeddings), _like(audio, times)


def own_embeddings(ear: Ear) -> Any:
    """The ear's model if it has the interface's methods itself, else None."""
    model = getattr(ear, "model", None)
    return model if hasattr(model, "get_timestamp_embeddings") else None


def scene(ear: Ear, waveform: Waveform) -> NDArray[np.float32]:
    """The embedding of ``waveform`` [samples]: the ear's own, else the mean [dim] of its windows."""
    if own := own_embeddings(ear):
        import torch

        with torch.inference_mode():
            return own.get_scene_embeddings(torch.from_numpy(np.array(waveform)[None]))[0].numpy()
    filled = np.zeros((windows_in(len(waveform), ear.window, ear.hop) - 1) * ear.hop + ear.window, np.float32)
    filled[: len(waveform)] = waveform
    return ear.hear(filled).embeddings.mean(axis=0)


def timestamps(ear: Ear, waveform: Waveform, hop: float = TIMESTAMP_HOP) -> tuple[NDArray, NDArray]:
    """Embeddings [n, dim] of windows around timestamps every ``hop`` ms, and those timestamps [n] in ms."""
    if own := own_embeddings(ear):
        import torch

        with torch.inference_mode():
            heard = own.get_timestamp_embeddings(torch.from_numpy(np.array(waveform)[None]), hop)
        return heard[0][0].numpy(), heard[1][0].numpy()
    count = int(len(waveform) / ear.sample_rate * 1000 / hop) + 1
    times = np.arange(count) * hop
    around = np.pad(waveform, (ear.window // 2, ear.window)).astype(np.float32)
    starts = np.rint(times / 1000 * ear.sample_rate).astype(int)
    embeddings = [ear.hear(around[start : start + ear.window]).embeddings[0] for start in starts]
    return np.stack(embeddings), times.astype(np.float32)


def __getattr__(name: str) -> SimpleNamespace:
    if name.startswith("_"):
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from auricle.hub.registry import systems

    if name not in systems():
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}, and there is no such system")
    return SimpleNamespace(
        load_model=partial(load_model, name),
        get_scene_embeddings=get_scene_embeddings,
        get_timestamp_embeddings=get_timestamp_embeddings,
    )


def _sounds(audio: "torch.Tensor") -> NDArray[np.float32]:
    if audio.ndim != 2:
        raise ValueError(f"audio of shape {list(audio.shape)} where [sounds, samples] is needed")
    return audio.detach().cpu().numpy().astype(np.float32)


def _like(audio: "torch.Tensor", values: NDArray) -> "torch.Tensor":
    import torch

    return torch.from_numpy(np.ascontiguousarray(values, np.float32)).to(audio.device)
