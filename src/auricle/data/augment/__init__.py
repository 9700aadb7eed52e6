"""Augmentation: of waveforms (``wave``, ``rooms``), and of batches and spectrograms (``batch``).

Waveform transforms are small frozen objects called as ``(wave [samples], sample_rate, rng) -> wave``, so that they can
be listed in ``Clips(augment=[...])``, compared, printed into a recipe and sent to worker processes. What they draw
comes from ``rng`` alone. The input is never changed.
"""

from auricle.data.augment.batch import mixup, patchout, spec_augment
from auricle.data.augment.rooms import Reverb, simulate_room
from auricle.data.augment.wave import Chance, Codec, Gain, Noise, Pitch, Speed

__all__ = [
    "Chance",
    "Codec",
    "Gain",
    "Noise",
    "Pitch",
    "Reverb",
    "Speed",
    "mixup",
    "patchout",
    "simulate_room",
    "spec_augment",
]
