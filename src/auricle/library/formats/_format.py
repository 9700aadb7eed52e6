"""What a format is, and the few things its readers and writers share."""

import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import IO, Any

import numpy as np

from auricle.types import Event

FIELDS = ("path", "start", "end", "label", "score", "low", "high")


@dataclass(frozen=True, slots=True)
class Format:
    """A file format for events.

    ``write`` takes checked events and an open file; ``read`` takes the file's `Lines` (the open file itself when
    ``binary``) and the recording's path, for formats that do not hold it.
    """

    name: str
    extension: str
    description: str  # plural, as the start of a sentence
    write: Callable[[Iterable[Event], IO[Any]], None]
    read: Callable[[Any, str], Iterator[Event]]
    keeps: tuple[str, ...] = FIELDS  # fields of an event that survive the way there and back
    precision: float = 0.0  # seconds by which start and end may come back different
    one_recording: bool = False  # a file describes one recording
    binary: bool = False


class Lines:
    """A text file, line by line, that knows the number of the line last read."""

    def __init__(self, file: IO[str]):
        self.file = file
        self.number = 0

    def __iter__(self) -> Iterator[str]:
        for line in self.file:
            self.number += 1
            yield line

    def stripped(self) -> Iterator[str]:
        """Lines without their ends."""
        return (line.rstrip("\r\n") for line in self)

    def read(self) -> str:
        return self.file.read()


def number(value: float | None) -> str:
    """The shortest decimal that reads back as ``value``, without an exponent; empty for None."""
    return "" if value is None else np.format_float_positional(value, trim="-")


def optional(text: Any) -> float | None:
    """The other way round."""
    return None if text in (None, "") else float(text)


_UNSAYABLE = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]|\\(?=u\{)")  # controls, line ends, and what escapes them
_ESCAPE = re.compile(r"\\u\{([0-9a-f]{1,4})\}")


def escape(text: str) -> str:
    """``text`` on one line: control characters as ``\\u{9}``. Backslashes stay, except one that would read as that."""
    return _UNSAYABLE.sub(lambda match: f"\\u{{{ord(match[0]):x}}}", text)


def unescape(text: str) -> str:
    """The other way round."""
    return _ESCAPE.sub(lambda match: chr(int(match[1], 16)), text)
