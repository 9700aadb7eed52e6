"""Ears made of models: a torch model or an ONNX file that hears window by window, for the library to use.

``open_ear`` opens whatever ``auricle index --ear`` is given. A model is any ``torch.nn.Module`` with the attributes
``sample_rate`` (Hz), ``dim``, ``classes``, ``window`` (seconds heard at once, or None) and a method
``embed(wave [batch, samples]) -> [batch, dim]``; one that names classes also has ``tag(wave) -> [batch, classes]`` in
[0, 1]. An ONNX file is one written by ``auricle.hub.export``: the front-end is inside, and its metadata says the rest.
"""

import hashlib
import json
from collections.abc import Iterator, Sequence
from functools import cached_property
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auricle.errors import AuricleError, WeightsError
from auricle.types import Ear, Heard, Waveform, whole_windows

if TYPE_CHECKING:
    import torch

WINDOW = 10.0  # seconds heard at once by a model that does not say
CONFIG = "config.json"  # of a folder written by ``auricle.hub.pretrained``
WEIGHTS = "model.safetensors"
HEAD = "head.json"  # of a folder written by ``auricle.hub.head``


def open_ear(spec: str) -> Ear:
    """Opens the ear that ``spec`` names, anew at every call.

    Args:
        spec: ``NAME`` or ``NAME@TAG`` of a system; ``NAME=PATH``, the system with weights of one's own; a ``.onnx``
            file written by ``auricle export``; or a folder written by ``save_pretrained`` or ``auricle train --data``.

    Raises:
        AuricleError: there is no such system, or it is no ear.
        WeightsError: the weights cannot be fetched or read.
    """
    path = Path(spec).expanduser()
    if path.suffix == ".onnx":
        return OnnxEar(path)
    if (path / CONFIG).is_file():
        from auricle.hub.pretrained import from_pretrained

        model = from_pretrained(path)
        return TorchEar(f"{_system_of(path)}@{local_tag(path)}", model)
    if (path / HEAD).is_file():
        from auricle.hub.head import HeadEar, about

        return HeadEar(path, open_ear(about(path)["ear"]))
    from auricle.hub.registry import load, systems

    name, _, folder = spec.partition("=")
    loaded = load(name, path=folder) if folder else load(name)
    if isinstance(loaded, Ear):
        return loaded
    if not hasattr(loaded, "embed"):
        raise AuricleError(f"{name} is no ear", "`auricle systems --for embed` lists the ears")
    system, _, tag = name.partition("@")
    tag = local_tag(Path(folder)) if folder else tag or systems()[system].tag
    return TorchEar(f"{system}@{tag}" if tag else system, loaded)


def absolute(spec: str) -> str:
    """``spec`` with its path made absolute, so that it opens the same ear from any folder."""
    name, equals, folder = spec.partition("=")
    if equals:
        return f"{name}={Path(folder).expanduser().absolute()}"
    path = Path(spec).expanduser()
    is_path = path.suffix == ".onnx" or any((path / file).is_file() for file in (CONFIG, HEAD))
    return str(path.absolute()) if is_path else spec


def local_tag(path: Path) -> str:
    """What tells weights of one's own, a file or a folder, from others of the same system, wherever they lie.

    Raises:
        WeightsError: there is no such file, or the folder holds no safetensors.
    """
    path = path.expanduser()
    files = [path] if path.is_file() else sorted(path.glob("*.safetensors"))
    if not files:
        raise WeightsError(f"{path} holds no weights", f"Write {WEIGHTS} there with save_pretrained")
    return f"local-{_digest(files[0])}"


class TorchEar:
    """A torch model as an ``auricle.types.Ear``.

    One window at a time, so that a vector has the same bits whatever is heard in the same call; on a GPU a larger
    ``batch`` is faster, and vectors then differ in their last digits.

    Args:
        name: ``system@tag``; names the table of its windows.
        model: see the module's docstring; put into evaluation mode.
        window: seconds heard by one vector; by default the model's own, else 10 s.
        hop: seconds between windows; by default half a window.
        batch: windows heard at once.

    Raises:
        ValueError: the window or the hop is no time, or the hop would leave gaps.
    """

    def __init__(
        self,
        name: str,
        model: "torch.nn.Module",
        window: float | None = None,
        hop: float | None = None,
        *,
        batch: int = 1,
    ):
        about: Any = model  # its attributes are those of the protocol
        window = float(window or about.window or WINDOW)
        hop = float(hop or window / 2)
        self.name = name
        self.model = model.eval()
        self.sample_rate: int = about.sample_rate
        self.window, self.hop = round(window * self.sample_rate), round(hop * self.sample_rate)
        self.dim: int = about.dim
        self.classes: Sequence[str] = tuple(about.classes)
        self.batch = batch
        if not 0 < self.hop <= self.window:
            raise ValueError(f"a window of {window} s every {hop} s")

    def hear(self, waveform: Waveform) -> Heard:
        """Hears mono ``waveform`` [window + (k - 1) * hop]: embeddings [k, dim], scores [k, classes] or None.

        Raises:
            ValueError: the waveform is not mono or does not hold whole windows.
        """
        import torch

        device = next((tensor.device for tensor in self.model.parameters()), torch.device("cpu"))
        heard = []
        with torch.inference_mode():
            for windows in _batches(waveform, self, self.batch):
                heard.append(embed_and_tag(self.model, torch.from_numpy(windows).to(device)))
        embeddings, scores = zip(*heard, strict=True)
        return Heard(_joined(embeddings), _joined(scores) if self.classes else None)


def embed_and_tag(model: Any, wave: "torch.Tensor") -> "tuple[torch.Tensor, torch.Tensor | None]":
    """Embeddings [batch, dim] and scores [batch, classes] (None without classes) of ``wave`` [batch, samples].

    A model whose ``forward`` returns both, as ``embedding`` and ``scores`` of a dict, is run once.
    """
    if not model.classes:
        return model.embed(wave), None
    heard = model(wave)
    if isinstance(heard, dict) and {"embedding", "scores"} <= heard.keys():
        return heard["embedding"], heard["scores"]
    return model.embed(wave), model.tag(wave)


class OnnxEar:
    """An ONNX file as an ``auricle.types.Ear``, without torch, on one thread.

    The graph takes ``wave`` [batch, samples] and gives ``embedding`` [batch, dim] and, if it knows classes, ``scores``
    [batch, classes]; its metadata holds ``name``, ``sample_rate`` (Hz), ``window`` and ``hop`` (samples), ``dim`` and
    ``classes`` (a JSON list). The ear's name ends in the file's hash: other weights are another ear.

    Raises:
        WeightsError: the file is missing, is no graph, or its metadata does not say what it hears.
    """

    def __init__(self, path: str | PathLike[str]):
        self.path = Path(path)
        try:
            facts = metadata(self.path)
            self.sample_rate, self.window, self.hop, self.dim = (
                int(facts[key]) for key in ("sample_rate", "window", "hop", "dim")
            )
            self.classes: Sequence[str] = tuple(json.loads(facts["classes"]))
        except (KeyError, ValueError) as error:
            raise WeightsError(
                f"{path} does not say what it hears: {error} in its metadata", "Write it with `auricle export`"
            ) from error
        self.name = f"{facts.get('name') or self.path.stem}@onnx-{_digest(self.path)}"

    @cached_property
    def _session(self):
        from auricle.hub.onnx import session

        return session(self.path)

    def hear(self, waveform: Waveform) -> Heard:
        """Hears mono ``waveform`` [window + (k - 1) * hop], one window at a time.

        Raises:
            ValueError: the waveform is not mono or does not hold whole windows.
        """
        outputs = ["embedding", "scores"] if self.classes else ["embedding"]
        heard: list[Any] = [self._session.run(outputs, {"wave": windows}) for windows in _batches(waveform, self, 1)]
        embeddings, *scores = (np.concatenate(part) for part in zip(*heard, strict=True))
        return Heard(embeddings, scores[0] if scores else None)


def metadata(path: Path) -> dict[str, str]:
    """The metadata of an ONNX file, read without making a session of it.

    Raises:
        WeightsError: the file is missing or is no ONNX file.
    """
    import onnx
    from google.protobuf.message import DecodeError

    try:
        graph = onnx.load_model(path, load_external_data=False)
    except (OSError, DecodeError) as error:
        raise WeightsError(f"{path} cannot be read as an ONNX file: {error}") from error
    return {entry.key: entry.value for entry in graph.metadata_props}


def _batches(waveform: Waveform, ear: Ear, size: int) -> Iterator[NDArray[np.float32]]:
    """The windows of ``waveform`` for ``ear``, up to ``size`` at a time: [<= size, window]."""
    rows = whole_windows(waveform, ear.window, ear.hop)
    windows = sliding_window_view(waveform, ear.window)[:: ear.hop]
    for first in range(0, rows, size):
        yield np.array(windows[first : first + size], np.float32)


def _joined(parts: "Sequence[torch.Tensor]") -> NDArray[np.float32]:
    return np.concatenate([part.float().cpu().numpy() for part in parts])


def _system_of(folder: Path) -> str:
    return json.loads((folder / CONFIG).read_text())["system"]


def _digest(file: Path) -> str:
    with file.open("rb") as content:
        return hashlib.file_digest(content, "sha256").hexdigest()[:8]
