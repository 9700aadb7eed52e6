"""A checkpoint written by the format's description, whole and in parts."""

import struct

import numpy as np
import pytest

from auricle.errors import WeightsError
from auricle.hub.checkpoints import ctranslate2

NUMBERS = {"<f4": 0, "|i1": 1, "<i2": 2, "<i4": 3, "<f2": 4}


def string(text):
    return struct.pack("<H", len(text) + 1) + text.encode() + b"\0"


def written(tensors, version=6):
    """The bytes of a checkpoint."""
    parts = [struct.pack("<I", version), string("WhisperSpec"), struct.pack("<II", 3, len(tensors))]
    for name, tensor in tensors.items():
        shape = struct.pack(f"<B{tensor.ndim}I", tensor.ndim, *tensor.shape)
        kind = struct.pack("<BI", NUMBERS[tensor.dtype.str], tensor.nbytes)
        parts += [string(name), shape, kind, tensor.tobytes()]
    return b"".join([*parts, struct.pack("<I", 0)])


TENSORS = {
    "encoder/weight": np.arange(6, dtype=np.float16).reshape(2, 3),
    "encoder/bias": np.array([1.5, -2.0], np.float32),
    "heads": np.array(8, np.int16),
    "table": np.array([[-1, 2]], np.int8),
}


@pytest.mark.parametrize("cut", [0, 5, 60])
def test_tensors_come_back_whole_or_in_parts(tmp_path, cut):
    data = written(TENSORS)
    files = [tmp_path / "part1", tmp_path / "part2"]
    for file, part in zip(files, (data[:cut], data[cut:]), strict=True):
        file.write_bytes(part)
    found = ctranslate2.read(*files)
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert np.array_equal(found[name], tensor)


@pytest.mark.parametrize("data", [b"", b"RIFF" * 9, written(TENSORS)[:-30], written(TENSORS, version=3)])
def test_other_files_are_refused(tmp_path, data):
    path = tmp_path / "model.bin"
    path.write_bytes(data)
    with pytest.raises(WeightsError, match="CTranslate2"):
        ctranslate2.read(path)
