"""The fake ear, except that a tone above 7 kHz ends its process at once, as a bug in a decoder would."""

import os

import numpy as np
from fake_ear import FakeEar

from auricle.hub import Card

CARD = Card(name="crashing_ear", title="Energy in bands, with a weakness", room="represent", kind="model", ear=True)


class CrashingEar(FakeEar):
    name = "crashing_ear@test"

    def hear(self, waveform):
        loudest = np.argmax(np.abs(np.fft.rfft(waveform))) * self.sample_rate / len(waveform)
        if loudest > 7000:
            os._exit(139)
        return super().hear(waveform)


def load(tag="", path=None):
    return CrashingEar()
