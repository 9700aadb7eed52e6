"""Checkpoints of HTS-AT: the authors', LAION-CLAP's and transformers', by one exact map of names."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from os import PathLike
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from auricle.errors import WeightsError
from auricle.nn.checkpoints import filled, from_hub, read_safetensors, renamed
from auricle.represent.hts_at.model import Config, Model

_AUTHORS = (  # pattern of a name in the authors' checkpoints -> ours
    (r"^bn0\.", "band_norm."),
    (r"^patch_embed\.proj\.", "patches."),
    (r"^patch_embed\.norm\.", "patch_norm."),
    (r"^layers\.", "stages."),
    (r"\.norm1\.", ".attention_norm."),
    (r"\.norm2\.", ".feed_forward_norm."),
    (r"\.attn\.relative_position_bias_table$", ".attention.bias"),
    (r"\.attn\.proj\.", ".attention.output."),
    (r"\.attn\.", ".attention."),
    (r"\.mlp\.fc1\.", ".feed_forward.0."),
    (r"\.mlp\.fc2\.", ".feed_forward.2."),
    (r"\.downsample\.", ".merge."),
    (r"^tscam_conv\.", "head."),
)
_HUGGING_FACE = (  # pattern of a name in transformers' ClapModel -> the authors'
    (r"^batch_norm\.", "bn0."),
    (r"\.layernorm_before\.", ".norm1."),
    (r"\.layernorm_after\.", ".norm2."),
    (r"\.attention\.self\.relative", ".attn.relative"),
    (r"\.attention\.output\.dense\.", ".attn.proj."),
    (r"\.intermediate\.dense\.", ".mlp.fc1."),
    (r"\.output\.dense\.", ".mlp.fc2."),
)
_PREFIXES = ("sed_model.", "module.audio_branch.", "audio_branch.", "audio_model.audio_encoder.", "audio_encoder.")
_UNUSED = re.compile(  # a linear layer that is never used, and what is computed here
    r"^head\.|^spectrogram_extractor\.|^logmel_extractor\.|\.relative_position_index$|\.attn_mask$"
)


def from_authors(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` from that of the authors' ``HTSAT_Swin_Transformer``, alone or in LAION-CLAP."""
    return {renamed(name, _AUTHORS): tensor for name, tensor in _own(state).items() if not _UNUSED.search(name)}


def from_hugging_face(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The state dict of a ``Model`` without classes from that of ``transformers.ClapAudioModel`` or ``ClapModel``."""
    theirs = {renamed(name, _HUGGING_FACE): tensor for name, tensor in _own(state).items()}
    for name in [name for name in theirs if ".attention.self.query." in name]:
        parts = (theirs.pop(name.replace("query", part)) for part in ("query", "key", "value"))
        theirs[name.replace("attention.self.query", "attn.qkv")] = torch.cat(list(parts))
    return from_authors(theirs)


def _own(state: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """The part of a larger model's state dict that is an HTS-AT, its prefix taken off; all of it if it has none."""
    for prefix in _PREFIXES:
        found = {name.removeprefix(prefix): tensor for name, tensor in state.items() if name.startswith(prefix)}
        if found:
            return found
    return dict(state)


HUB = {"clap": ("laion/clap-htsat-unfused", "79b58ed25fc00386262a2bea4b19fd21dc4310a0")}  # tag -> repository, revision
OFFICIAL = "https://drive.google.com/drive/folders/1f5VYMk0uos_YnuBshgmaTVioXbs7Kmz6"
RATES = {35: {"sample_rate": 16_000, "hop": 160}}  # classes of the published network that hears another rate
CLAP = {"sample_rate": 48_000, "hop": 480}


def load(tag: str = "", *, path: str | PathLike[str] | None = None, classes: Sequence[str] | None = None) -> Model:
    """Opens a published HTS-AT, ready to hear.

    Args:
        tag: "clap" for the audio tower of LAION's unfused CLAP, fetched through the Hugging Face hub: an embedding of
            768 numbers, no classes.
        path: instead, a checkpoint of the authors (``HTSAT_AudioSet_Saved_1.ckpt``), of LAION-CLAP (``.pt``) or of
            transformers' ``ClapModel`` (``.safetensors``); of pickles only the tensors are read.
        classes: names of the scores' columns if they are not AudioSet's 527.

    Raises:
        WeightsError: the file cannot be had, or is not that of an HTS-AT.
    """
    if path is None and tag not in HUB:
        raise WeightsError(
            f"the weights of hts_at{'@' if tag else ''}{tag} are not fetched by themselves",
            f"Download HTSAT_AudioSet_Saved_1.ckpt from {OFFICIAL} and load it with path=FILE, or load hts_at@clap",
        )
    file = Path(path) if path is not None else from_hub(HUB[tag][0], "model.safetensors", HUB[tag][1])
    state = _read(file)
    theirs = any("layernorm_before" in name for name in state)
    of_clap = theirs or any("audio_branch." in name for name in state)
    ours = from_hugging_face(state) if theirs else from_authors(state)
    if of_clap:  # its token-semantic module, if any, was never trained
        ours = {name: tensor for name, tensor in ours.items() if not name.startswith("head.")}
    columns = len(ours["head.weight"]) if "head.weight" in ours else 0
    names = classes or (None if columns == 527 else [f"class {index}" for index in range(columns)])
    of_rate = CLAP if of_clap else RATES.get(columns, {})
    return filled(lambda: Model(replace(_described(ours), **of_rate), names), lambda: ours, file, "an HTS-AT")


def _described(state: Mapping[str, Tensor]) -> Config:
    """The architecture that tensors by our names are of; what they do not tell is as published."""
    biases = {}
    for name, tensor in state.items():
        if found := re.fullmatch(r"stages\.(\d+)\.blocks\.\d+\.attention\.bias", name):
            biases.setdefault(int(found[1]), []).append(tensor)
    stages = [biases[index] for index in sorted(biases)]
    offsets, _ = stages[0][0].shape
    width, _, patch, _ = state["patches.weight"].shape
    bands = len(state["band_norm.weight"])
    return Config(
        width=width,
        depths=tuple(len(blocks) for blocks in stages),
        heads=tuple(blocks[0].shape[1] for blocks in stages),
        window=(round(offsets**0.5) + 1) // 2,
        patch=patch,
        size=4 * bands,
        bands=bands,
    )


def _read(file: Path) -> dict[str, Tensor]:
    """The tensors of a checkpoint, by its own names."""
    if file.suffix == ".safetensors":
        return read_safetensors(file)
    from auricle.hub.checkpoints.torch import read

    found = read(file)
    state = found.get("state_dict", found) if isinstance(found, dict) else {}
    return {name: torch.from_numpy(np.array(value)) for name, value in state.items() if isinstance(value, np.ndarray)}
