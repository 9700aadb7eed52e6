"""Detectors: models that say what is heard at every step of time, opened by name as ears are.

A model of this kind is a ``torch.nn.Module`` with the attributes ``sample_rate`` (Hz), ``classes`` and ``window``
(seconds heard at once), whose method ``detect(wave [batch, samples]) -> [batch, steps, classes]`` scores every step of
a window in [0, 1]. ``auricle events --system`` runs it on files.
"""

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view
from numpy.typing import NDArray

from auricle.errors import AuricleError
from auricle.types import Detector, Waveform

if TYPE_CHECKING:
    import torch


def open_detector(spec: str) -> Detector:
    """Opens the detector that ``spec`` names.

    Args:
        spec: ``NAME`` or ``NAME@TAG`` of a system; ``NAME=PATH``, the system with weights of one's own; or a folder
            written by ``save_pretrained``.

    Raises:
        AuricleError: there is no such system, or it is no detector.
        WeightsError: the weights cannot be fetched or read.
    """
    from pathlib import Path

    from auricle.hub.ear import CONFIG
    from auricle.hub.registry import load

    path = Path(spec).expanduser()
    name, _, weights = spec.partition("=")
    if (path / CONFIG).is_file():
        from auricle.hub.pretrained import from_pretrained

        name, model = path.name, from_pretrained(path)
    else:
        model = load(name, path=weights) if weights else load(name)
    if isinstance(model, Detector):
        return model
    if not hasattr(model, "detect") or not model.classes:
        raise AuricleError(f"{name} does not say when it hears what", "A system that does is hts_at")
    return TorchDetector(name, model)


class TorchDetector:
    """A torch model as an ``auricle.types.Detector``: windows every half window, one at a time.

    Args:
        name: ``system@tag``.
        model: see the module's docstring; put into evaluation mode.
    """

    def __init__(self, name: str, model: "torch.nn.Module"):
        import torch

        about: Any = model  # its attributes are those of the protocol
        self.name, self.model = name, model.eval()
        self.sample_rate: int = about.sample_rate
        self.classes: Sequence[str] = tuple(about.classes)
        self.window = round(about.window * self.sample_rate)
        with torch.inference_mode():
            self.steps: int = about.detect(torch.zeros(1, self.window)).shape[1]
        self.hop = self.window * -(-self.steps // 2) // self.steps  # a whole number of steps, to the sample

    def hear(self, waveform: Waveform) -> NDArray[np.float32]:
        """Scores [k, steps, classes] of mono ``waveform`` [window + (k - 1) * hop]."""
        import torch

        model: Any = self.model
        windows = sliding_window_view(waveform, self.window)[:: self.hop]
        with torch.inference_mode():
            heard = [model.detect(torch.from_numpy(np.array(window[None], np.float32))) for window in windows]
        return np.concatenate([scores.numpy() for scores in heard])
