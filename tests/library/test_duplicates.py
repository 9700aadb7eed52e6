import os
import shutil

import numpy as np
import pytest
import soundfile
from tests.library.conftest import RATE, save


@pytest.mark.parametrize("prints", [False, True])
def test_copies_and_re_encodings_are_found_and_nothing_else(library, sounds, prints):
    rng = np.random.default_rng(1)
    melody = np.concatenate([0.3 * np.sin(2 * np.pi * f * np.arange(RATE) / RATE) for f in rng.uniform(80, 6000, 12)])
    original = save(sounds / "melody.wav", melody.astype(np.float32))
    shutil.copy(original, sounds / "melody copy.wav")
    soundfile.write(sounds / "melody.ogg", melody, RATE)
    save(sounds / "melody backwards.wav", melody[::-1].astype(np.float32))
    library.index(sounds, workers=1, prints=prints)
    groups = library.duplicates()
    named = [(group.kind, [os.path.basename(path) for path in group.paths]) for group in groups]
    assert ("copy", ["melody copy.wav", "melody.wav"]) in named
    encoded = [set(paths) for kind, paths in named if kind == "re-encoded"]
    assert any("melody.ogg" in paths and paths & {"melody.wav", "melody copy.wav"} for paths in encoded)
    assert not any("melody backwards.wav" in paths for paths in encoded)
    assert not any({"low 0.wav", "high 0.wav"} <= paths for paths in encoded)


def test_recordings_without_prints_are_compared_as_well(library, sounds):
    rng = np.random.default_rng(2)
    library.index(sounds, workers=1, prints=True)
    melody = np.concatenate([0.3 * np.sin(2 * np.pi * f * np.arange(RATE) / RATE) for f in rng.uniform(80, 6000, 12)])
    save(sounds / "late.wav", melody.astype(np.float32))
    soundfile.write(sounds / "late.ogg", melody, RATE)
    library.index(sounds, workers=1, prints=False)
    groups = [{os.path.basename(path) for path in group.paths} for group in library.duplicates()]
    assert any({"late.wav", "late.ogg"} <= group for group in groups)
