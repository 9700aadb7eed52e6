"""A bundle written by hand: one table block with shared prefixes, its index block, and the footer."""

import struct

import numpy as np
import pytest

from auricle.errors import WeightsError
from auricle.hub.checkpoints import tensorflow

TYPES = {"<f4": 1, "<i8": 9}
TENSORS = {
    "conv2d/bias": np.array([0.5, -1.0, 300.0], np.float32),
    "conv2d/kernel": np.arange(600, dtype=np.float32).reshape(2, 300),
    "step": np.array(7, np.int64),
}


def varint(value):
    groups = [value & 0x7F]
    while value := value >> 7:
        groups.append(value & 0x7F)
    return bytes([*(group | 0x80 for group in groups[:-1]), groups[-1]])


def field(number, value):
    """A field of a message: an integer, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def block(entries):
    """A block of entries whose keys share what they can, with its one restart point, type and checksum."""
    body, before = b"", b""
    for key, value in entries:
        kept = next(
            (i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        body += varint(kept) + varint(len(key) - kept) + varint(len(value)) + key[kept:] + value
        before = key
    return body + struct.pack("<II", 0, 1), bytes(5)


def written(tensors):
    """The bytes of the index and of the data."""
    entries, data = [(b"", field(1, 1))], b""
    for name, tensor in tensors.items():
        shape = b"".join(field(2, field(1, length)) for length in tensor.shape)
        place = field(4, len(data)) + field(5, tensor.nbytes) + varint(6 << 3 | 5) + bytes(4)
        entries.append((name.encode(), field(1, TYPES[tensor.dtype.str]) + field(2, shape) + place))
        data += tensor.tobytes()
    table, end = block(entries)
    handle = varint(0) + varint(len(table))
    index, _ = block([(b"z", handle)])
    footer = varint(0) + varint(0) + varint(len(table + end)) + varint(len(index))
    return table + end + index + end + footer.ljust(40, b"\0") + tensorflow.MAGIC, data


@pytest.fixture
def bundle(tmp_path):
    index, data = written(TENSORS)
    (tmp_path / ".index").write_bytes(index)
    (tmp_path / ".data").write_bytes(data)
    return tmp_path / ".index", tmp_path / ".data"


def test_tensors_come_back(bundle):
    found = tensorflow.read(*bundle)
    assert list(found) == list(TENSORS)
    for name, tensor in TENSORS.items():
        assert found[name].dtype == tensor.dtype
        assert np.array_equal(found[name], tensor)


def test_other_files_are_refused(bundle):
    index, data = bundle
    whole = index.read_bytes()
    for content in (b"", b"RIFF" * 20, whole[:-1]):
        index.write_bytes(content)
        with pytest.raises(WeightsError, match="TensorFlow"):
            tensorflow.read(index, data)
    index.write_bytes(whole)
    data.write_bytes(data.read_bytes()[:-8])
    with pytest.raises(WeightsError):
        tensorflow.read(index, data)


def test_a_compressed_index_is_refused(bundle):
    index, data = bundle
    table, _ = block([(b"", field(1, 1))])
    broken = bytearray(written({})[0])
    broken[len(table)] = 1
    index.write_bytes(bytes(broken))
    with pytest.raises(WeightsError, match="compressed"):
        tensorflow.read(index, data)
