"""Published checkpoints into our models: read without running code, names mapped, every tensor accounted for."""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from os import PathLike
from pathlib import Path
from typing import Any, TypeVar

import torch
from torch import Tensor, nn

from auricle.errors import MissingExtra, WeightsError
from auricle.hub.fetch import is_offline

Patterns = Iterable[tuple[str, str | Callable[[re.Match[str]], str]]]  # of names in a checkpoint -> ours


def renamed(name: str, patterns: Patterns) -> str:
    """``name`` with every pattern replaced, in order."""
    for pattern, replacement in patterns:
        name = re.sub(pattern, replacement, name)
    return name


def split_qkv(name: str, tensor: Tensor, parts: Sequence[str] = ("query", "key", "value")) -> dict[str, Tensor]:
    """One matrix or bias that holds q, k and v below each other, as three: ``.attn.qkv.`` -> ``.attention.query.``"""
    thirds = zip(parts, tensor.chunk(3), strict=True)
    return {name.replace("attn.qkv", f"attention.{part}"): third for part, third in thirds}


def read_checkpoint(path: str | PathLike[str]) -> Mapping[str, Any]:
    """What a checkpoint of torch holds; only tensors and plain values are read.

    Raises:
        WeightsError: there is no such file, or it holds more than that.
    """
    import pickle

    try:
        return torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, pickle.UnpicklingError, EOFError) as error:
        raise WeightsError(f"{path} cannot be read as a checkpoint: {_first_line(error)}") from error


def read_safetensors(path: str | PathLike[str]) -> dict[str, Tensor]:
    """The tensors of a safetensors file, by name.

    Raises:
        WeightsError: there is no such file, or it is none.
    """
    from safetensors import SafetensorError
    from safetensors.torch import load_file

    try:
        return load_file(path)
    except (OSError, SafetensorError) as error:
        raise WeightsError(f"{path} cannot be read as a checkpoint: {_first_line(error)}") from error


def from_hub(repository: str, name: str, revision: str | None = None) -> Path:
    """The file ``name`` of a repository on the Hugging Face hub, kept in its client's own cache; offline, from there.

    Raises:
        MissingExtra: ``[hub]`` is not installed.
        WeightsError: the file cannot be fetched.
    """
    try:
        from huggingface_hub import hf_hub_download
    except ModuleNotFoundError as error:
        raise MissingExtra(f"fetching {repository}", "hub") from error
    try:
        return Path(hf_hub_download(repository, name, revision=revision, local_files_only=is_offline()))
    except Exception as error:  # the client's errors share no base class of their own
        raise WeightsError(
            f"{repository}/{name} cannot be fetched: {_first_line(error)}", "Load it from a file or folder: path="
        ) from error


def _first_line(error: Exception) -> str:
    return str(error).strip().partition("\n")[0] or type(error).__name__


Module = TypeVar("Module", bound=nn.Module)


def filled(make: Callable[[], Module], state: Callable[[], Mapping[str, Tensor]], path: Any, what: str) -> Module:
    """What ``make`` makes, with the tensors that ``state`` gives, no more and no fewer, in evaluation mode.

    Nothing is initialised: ``make`` runs on the meta device, so tables that are not saved are to be made in NumPy.

    Raises:
        WeightsError: ``path`` does not hold the weights of ``what``.
    """
    try:
        with torch.device("meta"):
            module = make()
        module.load_state_dict(state(), assign=True)
    except (KeyError, IndexError, ValueError, RuntimeError) as error:
        raise WeightsError(f"{path} does not hold the weights of {what}: {error}") from error
    return module.eval()
