"""A head: classes of one's own on what another ear hears, for the library to use as an ear.

A folder with ``head.json`` (the ear it listens through, the classes, how well it did) and ``head.safetensors``
(``weights`` [dim, classes] and ``bias`` [classes]). Class ``c`` of a window with the unit vector ``x`` scores
``sigmoid(x @ weights[:, c] + bias[c])``. Made by ``auricle train --data``.
"""

import hashlib
import json
import re
from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from auricle.errors import WeightsError
from auricle.types import Ear, Heard, Waveform

ABOUT, WEIGHTS = "head.json", "head.safetensors"


class HeadEar:
    """The head in ``folder`` as an ``auricle.types.Ear``: the vectors of its ear, the scores of its own classes.

    Args:
        folder: where ``save`` wrote it; with its hash, its name is that of the ear.
        ear: the ear it was trained on.

    Raises:
        WeightsError: the folder does not hold a head, or one for vectors of another length.
    """

    def __init__(self, folder: str | PathLike[str], ear: Ear):
        from safetensors import SafetensorError
        from safetensors.numpy import load_file

        self.folder = Path(folder)
        try:
            self.classes: Sequence[str] = tuple(about(self.folder)["classes"])
            tensors = load_file(self.folder / WEIGHTS)
            self.weights, self.bias = tensors["weights"], tensors["bias"]
        except (OSError, KeyError, SafetensorError) as error:
            raise WeightsError(f"{folder} holds no head: {error}", "`auricle train --data` makes one") from error
        if self.weights.shape != (ear.dim, len(self.classes)):
            raise WeightsError(f"the head in {folder} is for another ear than {ear.name}", "Train it again")
        self.ear = ear
        self.sample_rate, self.window, self.hop, self.dim = ear.sample_rate, ear.window, ear.hop, ear.dim
        digest = hashlib.sha256((self.folder / WEIGHTS).read_bytes()).hexdigest()[:8]
        self.name = f"{re.sub(r'[^0-9A-Za-z-]', '-', self.folder.resolve().name)}@head-{digest}"

    def hear(self, waveform: Waveform) -> Heard:
        """Hears mono ``waveform`` as its ear does: embeddings [k, dim], scores [k, classes].

        Raises:
            ValueError: the waveform is not mono or does not hold whole windows.
        """
        embeddings = self.ear.hear(waveform).embeddings
        odds = unit(embeddings) @ self.weights + self.bias
        return Heard(embeddings, (1 / (1 + np.exp(-odds))).astype(np.float32))


def about(folder: Path) -> dict[str, Any]:
    """What ``head.json`` says."""
    return json.loads((folder / ABOUT).read_text(encoding="utf-8"))


def save(folder: Path, weights: NDArray[np.float32], bias: NDArray[np.float32], facts: dict[str, Any]) -> None:
    """Writes a head: ``weights`` [dim, classes], ``bias`` [classes], and ``facts``, among them ``ear``, ``classes``."""
    from safetensors.numpy import save_file

    folder.mkdir(parents=True, exist_ok=True)
    save_file({"weights": np.ascontiguousarray(weights), "bias": bias}, folder / WEIGHTS)
    (folder / ABOUT).write_text(json.dumps(facts, indent=1, ensure_ascii=False) + "\n", encoding="utf-8")


def unit(embeddings: NDArray[np.floating]) -> NDArray[np.float32]:
    """Rows as a library stores them, in half precision, scaled to length 1; rows of zeros stay as they are."""
    rows = embeddings.astype(np.float16).astype(np.float32)
    return rows / np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), 1e-9)
