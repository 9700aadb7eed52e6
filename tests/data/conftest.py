"""Small recordings to make data sets of."""

import numpy as np
import pytest

from auricle import audio


@pytest.fixture
def tone():
    """Writes a tone of ``seconds`` at ``frequency`` Hz to ``path``, whose suffix names the format."""

    def write(path, seconds=0.5, frequency=440.0, rate=8000):
        path.parent.mkdir(parents=True, exist_ok=True)
        time = np.arange(round(seconds * rate)) / rate
        audio.write(path, (0.5 * np.sin(2 * np.pi * frequency * time)).astype(np.float32), rate)
        return path

    return write
