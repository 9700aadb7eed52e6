"""Models in folders, here or on the Hugging Face hub: ``config.json``, ``model.safetensors`` and a model card.

    save_pretrained(model, "my-model", run="runs/my-run")     # what the run was is written into the card
    model = from_pretrained("my-model")                       # or "organisation/name" from the hub
    push_to_hub("my-model", "organisation/name")

``config.json`` names the system and the class of the model, and holds the fields of its ``Config`` and the names of its
classes. Nothing is ever unpickled, and no code but that of installed packages is run.
"""

import dataclasses
import json
import typing
from collections.abc import Mapping
from importlib import import_module
from inspect import signature
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import auricle
from auricle.errors import AuricleError, MissingExtra, WeightsError
from auricle.hub.ear import CONFIG, WEIGHTS
from auricle.hub.model_card import model_card

if TYPE_CHECKING:
    import torch

M = TypeVar("M")
PAGE = "README.md"  # where the hub looks for it


def save_pretrained(
    model: "torch.nn.Module",
    folder: str | PathLike[str],
    *,
    run: str | PathLike[str] | None = None,
    metrics: Mapping[str, float] | None = None,
) -> Path:
    """Writes ``model`` into ``folder`` (created) so that ``from_pretrained`` gives it back, and returns the folder.

    Args:
        model: an instance of a system's ``Model``, made of ``model.config``, a dataclass.
        folder: files of the same names in it are overwritten.
        run: folder of the training run; what it says goes into the model card.
        metrics: how good the model is, for the model card; by default what the run measured last.

    Raises:
        AuricleError: the model's class is in no system, or it has no configuration.
    """
    from safetensors.torch import save_model

    place = f"{type(model).__module__}:{type(model).__qualname__}"
    config: Any = getattr(model, "config", None)
    if not dataclasses.is_dataclass(config) or isinstance(config, type):
        raise AuricleError(f"{place} cannot be saved: it has no `config`, a dataclass it can be made of again")
    about = {
        "system": _system(type(model).__module__),
        "model": place,
        "config": dataclasses.asdict(config),
        "classes": list(getattr(model, "classes", ())),
        "auricle": auricle.__version__,
    }
    folder = Path(folder)
    folder.mkdir(parents=True, exist_ok=True)
    save_model(model, str(folder / WEIGHTS), metadata={"format": "pt"})
    (folder / CONFIG).write_text(json.dumps(about, indent=2) + "\n", encoding="utf-8")
    (folder / PAGE).write_text(model_card(model, about["system"], run=run, metrics=metrics), encoding="utf-8")
    return folder


def from_pretrained(source: str | PathLike[str], *, revision: str | None = None, device: str = "cpu") -> Any:
    """The model in ``source``, in evaluation mode.

    Args:
        source: a folder written by ``save_pretrained``, or ``organisation/name`` on the Hugging Face hub (extra
            ``[hub]``), from which only the configuration and the weights are fetched.
        revision: branch, tag or commit on the hub.
        device: where the model goes, in torch's words.

    Raises:
        WeightsError: a file is missing or is not what it should be, or the weights are of another model.
        AuricleError: the model's system is not installed.
        MissingExtra: ``[train]`` or ``[hub]`` is needed.
    """
    folder = Path(source).expanduser()
    if not folder.is_dir():
        folder = _downloaded(str(source), revision)
    config, weights = folder / CONFIG, folder / WEIGHTS
    if missing := [file.name for file in (config, weights) if not file.is_file()]:
        raise WeightsError(f"{folder} holds no {' and no '.join(missing)}", "Write the model with save_pretrained")
    try:
        about = json.loads(config.read_text(encoding="utf-8"))
        kind = _class(about["model"])
        options = {"classes": tuple(about["classes"])} if "classes" in signature(kind).parameters else {}
        model = kind(_from_json(_config_class(kind), about["config"]), **options)
    except (ValueError, TypeError, KeyError) as error:
        raise WeightsError(f"{config} describes no model: {type(error).__name__}: {error}") from error
    from safetensors import SafetensorError
    from safetensors.torch import load_model

    try:
        load_model(model, str(weights), device=device)
    except (SafetensorError, RuntimeError) as error:  # not safetensors; other tensors
        raise WeightsError(f"{weights} does not fit {config}: {str(error).strip().splitlines()[0]}") from error
    return model.to(device).eval()


def saved(kind: type[M], what: str, tag: str, path: str | PathLike[str] | None) -> M:
    """The model that ``save_pretrained`` wrote to ``path``: how a system is loaded of which no weights were published.

    Args:
        kind: class of the model.
        what: its name in messages.
        tag: the weights that were asked for.
        path: the folder, or None if none was named.

    Raises:
        WeightsError: there is none, or it holds another model.
    """
    if path is None:
        raise WeightsError(
            f"weights of {what}{f' {tag}' if tag else ''} were not published",
            f"Train one with `auricle train {_system(kind.__module__)}`, or load your own with path=FOLDER",
        )
    model = from_pretrained(path)
    if not isinstance(model, kind):
        raise WeightsError(f"{path} does not hold the weights of {what}")
    return model


def push_to_hub(folder: str | PathLike[str], repository: str, *, private: bool = False, revision: str = "main") -> str:
    """Uploads what ``save_pretrained`` wrote to ``repository`` on the Hugging Face hub and returns its address.

    Who you are is the hub client's business: log in with ``hf auth login`` or set ``HF_TOKEN``.

    Args:
        folder: written by ``save_pretrained``; no other files of it are uploaded.
        repository: ``organisation/name``; created if it is not there.
        private: whether a new repository is hidden.
        revision: the branch to write to.

    Raises:
        MissingExtra: ``[hub]`` is not installed.
        WeightsError: the folder is not whole.
    """
    try:
        from huggingface_hub import HfApi
    except ImportError as error:
        raise MissingExtra("push_to_hub", "hub") from error
    files = (CONFIG, WEIGHTS, PAGE)
    if missing := [name for name in files if not (Path(folder) / name).is_file()]:
        raise WeightsError(f"{folder} holds no {' and no '.join(missing)}", "Write the model with save_pretrained")
    hub = HfApi(library_name="auricle", library_version=auricle.__version__)
    address = hub.create_repo(repository, private=private, exist_ok=True)
    hub.upload_folder(
        repo_id=repository,
        folder_path=Path(folder),
        revision=revision,
        allow_patterns=list(files),
        commit_message="Upload",
    )
    return str(address)


def _downloaded(repository: str, revision: str | None) -> Path:
    if repository.count("/") != 1 or repository.startswith((".", "/", "~")):
        raise WeightsError(f"there is no folder {repository}", "Name a folder, or organisation/name on the hub")
    try:
        from huggingface_hub import snapshot_download
    except ImportError as error:
        raise MissingExtra(f"fetching {repository}", "hub") from error
    try:
        return Path(snapshot_download(repository, revision=revision, allow_patterns=[CONFIG, WEIGHTS]))
    except Exception as error:  # the client's errors share no base class of their own
        raise WeightsError(f"{repository} cannot be fetched: {str(error).strip().splitlines()[0]}") from error


def _system(module: str) -> str:
    """The name of the system that ``module`` belongs to."""
    from auricle.hub.registry import modules

    for name, home in modules().items():
        if module == home or module.startswith(f"{home}."):
            return name
    if module.startswith("auricle."):
        return module.rpartition(".")[2]
    raise AuricleError(f"{module} belongs to no system", "Give its package the entry point auricle.systems")


def _class(place: str) -> type:
    """The class ``module:name``, of auricle or of an installed system, and no other."""
    module, _, name = place.partition(":")
    _system(module)
    try:
        kind = getattr(import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise AuricleError(f"{place} is not in this auricle: {error}", "Update auricle, or install [train]") from error
    if not (isinstance(kind, type) and hasattr(kind, "load_state_dict")):
        raise ValueError(f"{place} is no model")
    return kind


def _config_class(kind: type) -> type:
    """The dataclass that the first argument of a model's constructor is annotated with."""
    for annotation in typing.get_type_hints(kind.__init__).values():
        for option in (annotation, *typing.get_args(annotation)):  # Config, or Config | None
            if dataclasses.is_dataclass(option):
                return typing.cast(type, option)
    raise TypeError(f"{kind.__qualname__} is not made of a configuration")


def _from_json(kind: Any, value: Any) -> Any:
    """``value`` as JSON gives it, as the type ``kind``: dataclasses out of objects, tuples out of lists."""
    if dataclasses.is_dataclass(kind):
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} where the fields of {typing.cast(type, kind).__name__} are needed")
        hints = typing.get_type_hints(kind)
        if unknown := value.keys() - hints.keys():
            raise TypeError(f"{typing.cast(type, kind).__name__} has no {', '.join(sorted(unknown))}")
        return typing.cast(Any, kind)(**{name: _from_json(hints[name], part) for name, part in value.items()})
    if isinstance(value, list):
        inside = next(iter(typing.get_args(kind)), Any)
        parts = (_from_json(inside, part) for part in value)
        return list(parts) if typing.get_origin(kind) is list else tuple(parts)
    if isinstance(value, dict):
        options = [option for option in typing.get_args(kind) if dataclasses.is_dataclass(option)]
        return _from_json(options[0], value) if options else value
    return value
