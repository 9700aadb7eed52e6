"""Checkpoints of PaSST: the authors' releases, and the image transformer they began from."""

import re
from collections.abc import Mapping
from os import PathLike
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional

from auricle.errors import WeightsError
from auricle.nn.checkpoints import filled, read_checkpoint, read_safetensors, renamed, split_qkv
from auricle.represent.passt.model import LEVELS, Config, Model

RELEASES = "https://github.com/kkoutini/PaSST/releases/download"
PUBLISHED = {  # tag -> file of a release; the tags are the authors' names of architectures
    "s-swa-p16-128-ap476": "v0.0.1-audioset/passt-s-f128-p16-s10-ap.476-swa.pt",
    "s-kd-p16-128-ap486": "v.0.0.9/passt-s-kd-ap.486.pt",
    "l-kd-p16-128-ap47": "v.0.0.10/passt-l-kd-ap.47.pt",
    "s-p16-s16-128-ap468": "v0.0.2-audioset/passt-s-f128-p16-s16-ap.468.pt",
    "s-swa-stfthop100-ap473": "v0.0.3-audioset/passt-s-f128-stfthop100-p16-s10-ap.473-swa.pt",
    "s-swa-stfthop160-ap473": "v0.0.3-audioset/passt-s-f128-stfthop160-p16-s10-ap.473-swa.pt",
}
_AUTHORS = (  # pattern of a name in the authors' checkpoints -> ours
    (r"^patch_embed\.proj\.", "patches."),
    (r"^freq_new_pos_embed$", "rows"),
    (r"^time_new_pos_embed$", "columns"),
    (r"^new_pos_embed$", "positions"),
    (r"^blocks\.", "layers."),
    (r"\.norm1\.", ".attention_norm."),
    (r"\.norm2\.", ".feed_forward_norm."),
    (r"\.attn\.proj\.", ".attention.output."),
    (r"\.mlp\.fc1\.", ".feed_forward.0."),
    (r"\.mlp\.fc2\.", ".feed_forward.2."),
    (r"^head\.", "classifier."),
)


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of the authors' ``PaSST``; its second classifier is never used."""
    ours: dict[str, Tensor] = {}
    for name, tensor in state.items():
        if name.startswith("head_dist."):
            continue
        name = renamed(name, _AUTHORS)
        ours |= split_qkv(name, tensor) if ".attn.qkv." in name else {name: tensor}
    return ours | {"tokens": torch.cat([ours.pop("cls_token"), ours.pop("dist_token")], dim=1)}


def from_imagenet(state: Mapping[str, Tensor], model: Model) -> dict[str, Tensor]:
    """A state dict of ``model`` that begins as a distilled DeiT (``deit_base_distilled_patch16_384``) does.

    Colours are summed; the square of positions is resized to the grid and averaged, along time for rows and along
    frequency for columns. The classifier stays ``model``'s.
    """
    theirs = {name: tensor for name, tensor in state.items() if not name.startswith("head")}
    theirs["patch_embed.proj.weight"] = theirs["patch_embed.proj.weight"].sum(dim=1, keepdim=True)
    first, square = theirs.pop("pos_embed").split((2, state["pos_embed"].shape[1] - 2), dim=1)
    side = round(square.shape[1] ** 0.5)
    grid = square.transpose(1, 2).unflatten(2, (side, side))
    grid = functional.interpolate(grid, model.config.grid, mode="bicubic", align_corners=False)
    places = {"rows": grid.mean(dim=3, keepdim=True), "columns": grid.mean(dim=2, keepdim=True), "positions": first}
    head = {name: tensor for name, tensor in model.state_dict().items() if name.startswith("classifier.")}
    return from_authors(theirs) | places | head


def load(tag: str = "", *, path: str | PathLike[str] | None = None) -> Model:
    """Opens a published PaSST, ready to hear.

    Args:
        tag: a published network, one of ``PUBLISHED``, or the level of the timestamps' embeddings, "2lvl" or "2lvlmel",
            or both with a ``+`` between.
        path: the checkpoint (``.pt``, of which only the tensors are read, or ``.safetensors``).

    Raises:
        WeightsError: the tag is unknown, the file is missing, or it does not hold a PaSST.
    """
    parts = [part for part in tag.split("+") if part]
    level = next((part for part in parts if part in LEVELS), "base")
    names = [part for part in parts if part not in LEVELS]
    if unknown := [name for name in names if name not in PUBLISHED]:
        known = ", ".join((*PUBLISHED, *LEVELS))
        raise WeightsError(f"there is no passt@{unknown[0]}", f"Choose from: {known}")
    if path is None:
        address = f"{RELEASES}/{PUBLISHED[names[0] if names else next(iter(PUBLISHED))]}"
        raise WeightsError("the weights of passt are not fetched by themselves", f"Load {address} with path=FILE")
    file = Path(path)
    state = _read(file)
    hop = 160 if "stfthop160" in f"{tag} {file.name}" else None
    return filled(lambda: _shaped(state, hop, level), lambda: from_authors(state), file, "a PaSST")


def _shaped(state: Mapping[str, Tensor], hop: int | None, level: Any) -> Model:
    """An empty model of the shape of the authors' tensors; only a hop of 5 ms they do not tell from a clip of 20 s."""
    rows, columns = state["freq_new_pos_embed"].shape[2], state["time_new_pos_embed"].shape[3]
    width, _, patch, _ = state["patch_embed.proj.weight"].shape
    stride = max(stride for stride in range(1, patch + 1) if (Config.bands - patch) // stride + 1 == rows)
    if stride == 11:  # what 10 rows are of too
        stride = 12
    config = Config(
        width=width,
        layers=len({name.split(".")[1] for name in state if name.startswith("blocks.")}),
        heads=max(1, width // 64),
        hidden=len(state["blocks.0.mlp.fc1.bias"]),
        patch=patch,
        stride=stride,
        hop=hop or (100 if columns > 299 else Config.hop),
        frames=next(
            (length for length in LENGTHS if (length - patch) // stride + 1 == columns), patch + (columns - 1) * stride
        ),
        level=level,
    )
    classes = len(state["head.1.bias"])
    return Model(config, None if classes == 527 else [f"class {index}" for index in range(classes)])


LENGTHS = (998, 2000, 3000, 3200)  # frames of the published networks


def _read(file: Path) -> dict[str, Tensor]:
    """The authors' state dict in a file."""
    if file.suffix == ".safetensors":
        return read_safetensors(file)
    found = read_checkpoint(file)
    return {re.sub(r"^net\.", "", name): tensor for name, tensor in found.get("model", found).items()}
