"""What the ears that run as ONNX graphs share: a front-end in NumPy, a graph behind it, one window at a time."""

from collections.abc import Callable, Sequence
from functools import cached_property
from os import PathLike
from typing import Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auricle.hub import session
from auricle.types import Heard, Waveform, whole_windows


class GraphEar:
    """An ``auricle.types.Ear`` of a front-end and an ONNX graph, on one thread.

    Every window goes through both alone, so a vector has the same bits whatever is heard in the same call.

    Args:
        name: ``system@tag``.
        graph: the ONNX file: ``features`` [windows, …] -> ``embedding`` [windows, dim] and, with classes, ``scores``
            [windows, classes] in [0, 1].
        front_end: what the graph hears of the samples [window] of one window.
        sample_rate: Hz.
        window: samples heard by one vector.
        hop: samples between windows.
        dim: length of one vector.
        classes: names of the scores' columns.
    """

    def __init__(
        self,
        name: str,
        graph: str | PathLike[str],
        front_end: Callable[[Waveform], NDArray[np.float32]],
        *,
        sample_rate: int,
        window: int,
        hop: int,
        dim: int,
        classes: Sequence[str] = (),
    ):
        self.name = name
        self.front_end = front_end
        self.sample_rate, self.window, self.hop, self.dim = sample_rate, window, hop, dim
        self.classes = tuple(classes)
        self._graph = graph

    @cached_property
    def _session(self):
        return session(self._graph)  # when first needed: a search by words asks the ear for its classes only

    def hear(self, waveform: Waveform) -> Heard:
        """Hears mono ``waveform`` [window + (k - 1) * hop]: embeddings [k, dim], scores [k, classes] or None.

        Raises:
            ValueError: the waveform is not mono or does not hold whole windows.
            WeightsError: the graph cannot be run.
        """
        whole_windows(waveform, self.window, self.hop)
        outputs = ["embedding", "scores"] if self.classes else ["embedding"]
        windows = sliding_window_view(waveform, self.window)[:: self.hop]
        heard: list[Any] = [self._session.run(outputs, {"features": self.front_end(row)[None]}) for row in windows]
        embeddings, *scores = (np.concatenate(part) for part in zip(*heard, strict=True))
        return Heard(embeddings, scores[0] if scores else None)
