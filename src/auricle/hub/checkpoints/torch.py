"""What ``torch.save`` wrote, read without torch and without unpickling.

Such a file is a pickle, a program for a small stack machine, beside the raw bytes of the tensors. Here the program is
read as text (``pickletools.genops``) and followed by a machine of its own that can do nothing but build dicts, lists,
tuples and arrays. A class or function is only ever a name: an ordered dict's and a tensor's are known, and what any
other would have made is None. Both layouts are read, the zip archive and the sequence of pickles from before 2020.
"""

import pickletools
import struct
import zipfile
from collections.abc import Callable, Iterable
from os import PathLike, fspath
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np
from numpy.lib.stride_tricks import as_strided
from numpy.typing import NDArray

from auricle.errors import WeightsError

DTYPES = {
    "torch HalfStorage": np.dtype("<f2"),
    "torch FloatStorage": np.dtype("<f4"),
    "torch DoubleStorage": np.dtype("<f8"),
    "torch IntStorage": np.dtype("<i4"),
    "torch LongStorage": np.dtype("<i8"),
}
PLAIN = {"BININT", "BININT1", "BININT2", "LONG1", "BINFLOAT", "BINUNICODE", "SHORT_BINUNICODE"}


class Name(NamedTuple):
    """The name of a class or function, as ``module name``."""

    text: str


def read(path: str | PathLike[str]) -> Any:
    """The object that was saved: dicts, lists, tuples, numbers, strings, and tensors as arrays.

    Raises:
        WeightsError: the file is not of torch, or holds what this reader does not know.
    """
    try:
        with open(path, "rb") as file:
            size = Path(path).stat().st_size
            return _read_zip(file, size) if zipfile.is_zipfile(file) else _read_sequence(file, size)
    except (OSError, ValueError, LookupError, TypeError, AttributeError, struct.error, zipfile.BadZipFile) as error:
        raise WeightsError(f"{fspath(path)} cannot be read as a torch checkpoint: {error}") from error


def _read_zip(file: IO[bytes], size: int) -> Any:
    with zipfile.ZipFile(file) as archive:
        program = next((name for name in archive.namelist() if name.endswith("/data.pkl")), "data.pkl")
        storages = _Storages(size)
        with archive.open(program) as opcodes:
            found = _follow(pickletools.genops(opcodes.read()), storages)
        folder = program.removesuffix("data.pkl")
        for key, storage in storages.items():
            storage[:] = np.frombuffer(archive.read(f"{folder}data/{key}"), storage.dtype)
    return found


def _read_sequence(file: IO[bytes], size: int) -> Any:
    file.seek(0)
    storages = _Storages(size)
    *_, found, keys = [_follow(pickletools.genops(file), storages) for _ in range(5)]  # magic number, version, machine
    for key in keys:
        (count,) = struct.unpack("<q", file.read(8))
        storage = storages[key]
        if count != len(storage):
            raise ValueError(f"storage {key} holds {count} values instead of {len(storage)}")
        storage[:] = np.frombuffer(file.read(storage.nbytes), storage.dtype)
    return found


class _Storages(dict[str, NDArray[Any]]):
    """The flat arrays that tensors are views of, made when they are first named and filled once all are known."""

    def __init__(self, limit: int):
        super().__init__()
        self.limit = limit  # bytes: a storage is no larger than the file

    def named(self, identity: tuple[Any, ...]) -> NDArray[Any]:
        """The storage of a persistent identity ``("storage", type, key, device, count, …)``."""
        _, kind, key, _, count, *_ = identity
        dtype = DTYPES[kind.text]
        if not 0 <= count * dtype.itemsize <= self.limit:
            raise ValueError(f"a storage of {count} values in a file of {self.limit} bytes")
        return self.setdefault(key, np.empty(count, dtype))


def _tensor(storage: NDArray[Any], offset: int, shape: tuple[int, ...], strides: tuple[int, ...], *_: Any) -> NDArray:
    last = offset + sum((length - 1) * stride for length, stride in zip(shape, strides, strict=True))
    if min((offset, *shape, *strides)) < 0 or (0 not in shape and last >= len(storage)):
        raise ValueError(f"a tensor of shape {shape} beyond its storage of {len(storage)} values")
    return as_strided(storage[offset:], shape, [stride * storage.itemsize for stride in strides], writeable=False)


_CALLS: dict[str, Callable[..., Any]] = {
    "collections OrderedDict": lambda *_: {},
    "torch._utils _rebuild_tensor_v2": _tensor,
}


def _follow(opcodes: Iterable[tuple[pickletools.OpcodeInfo, Any, int | None]], storages: _Storages) -> Any:
    """Follows the program of one pickle; returns what is on the stack in the end."""
    stack: list[Any] = []
    marks: list[int] = []
    memo: dict[int, Any] = {}

    def top(count: int) -> list[Any]:
        items = stack[len(stack) - count :]
        del stack[len(stack) - count :]
        return items

    def marked() -> list[Any]:
        return top(len(stack) - marks.pop())

    for opcode, argument, _ in opcodes:
        match opcode.name:
            case "PROTO" | "STOP":
                pass
            case name if name in PLAIN:
                stack.append(argument)
            case "NONE" | "NEWTRUE" | "NEWFALSE" as name:
                stack.append({"NONE": None, "NEWTRUE": True, "NEWFALSE": False}[name])
            case "EMPTY_DICT" | "EMPTY_LIST" | "EMPTY_TUPLE" as name:
                stack.append({"EMPTY_DICT": dict, "EMPTY_LIST": list, "EMPTY_TUPLE": tuple}[name]())
            case "MARK":
                marks.append(len(stack))
            case "TUPLE":
                stack.append(tuple(marked()))
            case "TUPLE1" | "TUPLE2" | "TUPLE3" as name:
                stack.append(tuple(top(int(name[-1]))))
            case "APPEND" | "APPENDS" as name:
                items = top(1) if name == "APPEND" else marked()
                stack[-1].extend(items)
            case "SETITEM" | "SETITEMS" as name:
                items = top(2) if name == "SETITEM" else marked()
                stack[-1].update(zip(items[::2], items[1::2], strict=True))
            case "BINPUT" | "LONG_BINPUT":
                memo[argument] = stack[-1]
            case "BINGET" | "LONG_BINGET":
                stack.append(memo[argument])
            case "GLOBAL":
                stack.append(Name(argument))
            case "BINPERSID":
                stack.append(storages.named(stack.pop()))
            case "REDUCE":
                called, arguments = top(2)
                make = _CALLS.get(called.text)
                stack.append(make(*arguments) if make else None)
            case "BUILD":
                stack.pop()  # attributes of an object; no tensor or dict here needs its own
            case name:
                raise ValueError(f"its pickle has the opcode {name}")
    return stack.pop()
