"""Tables with a row for each event: CSV, Parquet and JSON.

Columns are the fields of `auricle.types.Event`: ``path``, ``start`` and ``end`` in seconds, ``label``, ``score``, and
``low`` and ``high`` in Hz, empty where unknown.
"""

import csv
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from itertools import islice
from typing import IO, Any

from auricle.library.formats._format import FIELDS, Format, Lines, optional
from auricle.types import Event


def to_fields(event: Event) -> dict[str, Any]:
    return {field: getattr(event, field) for field in FIELDS}


def from_fields(fields: Mapping[str, Any]) -> Event:
    """An event from a row; ``score``, ``low`` and ``high`` may be absent."""
    path, label, score = fields["path"], fields["label"], optional(fields.get("score"))
    if not isinstance(path, str) or not isinstance(label, str):
        raise TypeError("path and label must be text")
    return Event(
        path=path,
        start=float(fields["start"]),
        end=float(fields["end"]),
        label=label,
        score=1.0 if score is None else score,
        low=optional(fields.get("low")),
        high=optional(fields.get("high")),
    )


# CSV (RFC 4180, with line feeds) --------------------------------------------------------------------------------------
#
# A spreadsheet takes a cell that begins with one of = + - @ (also full-width), or a tab or line break before them, for
# a formula and runs it, so a file name or a label could carry a program. Such text gets an apostrophe in front, which
# spreadsheets take to mean "text"; text that already reads like that gets one more, so that reading undoes it exactly.

_FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
_QUOTED = re.compile(r'[",\r\n]')


def write_csv(events: Iterable[Event], file: IO[str]) -> None:
    file.write(",".join(FIELDS) + "\n")
    for event in events:
        file.write(",".join(map(_cell, to_fields(event).values())) + "\n")


def read_csv(lines: Lines, path: str) -> Iterator[Event]:
    for row in csv.DictReader(lines, strict=True):
        yield from_fields({name: _unguard(value) for name, value in row.items()})


def _cell(value: str | float | None) -> str:
    if not isinstance(value, str):
        return "" if value is None else str(value)
    text = f"'{value}" if _FORMULA.match(value) else value
    return '"{}"'.format(text.replace('"', '""')) if _QUOTED.search(text) else text


def _unguard(text: str) -> str:
    return text[1:] if text and text[0] == "'" and _FORMULA.match(text) else text


# Parquet --------------------------------------------------------------------------------------------------------------

_ROWS = 65_536  # in a row group


def arrow_schema():
    """Arrow schema of the table: text and 64-bit floats, with the unit of each number in its field's metadata."""
    import pyarrow as pa

    units = {"start": "s", "end": "s", "score": "1", "low": "Hz", "high": "Hz"}
    return pa.schema(
        pa.field(name, pa.float64(), nullable=name in ("low", "high"), metadata={"unit": units[name]})
        if name in units
        else pa.field(name, pa.string(), nullable=False)
        for name in FIELDS
    )


def write_parquet(events: Iterable[Event], file: IO[bytes]) -> None:
    import pyarrow as pa
    from pyarrow import parquet

    schema = arrow_schema()
    remaining = iter(events)
    with parquet.ParquetWriter(file, schema) as writer:
        while group := list(islice(remaining, _ROWS)):
            columns = {field: [getattr(event, field) for event in group] for field in FIELDS}
            writer.write_batch(pa.RecordBatch.from_pydict(columns, schema))


def read_parquet(file: IO[bytes], path: str) -> Iterator[Event]:
    from pyarrow import parquet

    with parquet.ParquetFile(file) as table:
        for batch in table.iter_batches(_ROWS):
            yield from map(from_fields, batch.to_pylist())


# JSON: one array of objects -------------------------------------------------------------------------------------------


def to_json(value: Any) -> str:
    """One line of JSON; code units that are not Unicode, from file names that are not UTF-8, as ``\\udcxx``."""
    return json.dumps(value, ensure_ascii=False, allow_nan=False).encode(errors="backslashreplace").decode()


def write_json(events: Iterable[Event], file: IO[str]) -> None:
    before = "[\n"
    for event in events:
        file.write(before + to_json(to_fields(event)))
        before = ",\n"
    file.write("[]\n" if before == "[\n" else "\n]\n")


def read_json(lines: Lines, path: str) -> Iterator[Event]:
    rows = json.loads(lines.read())
    if not isinstance(rows, list):
        raise TypeError("it holds no array of events")
    yield from map(from_fields, rows)


CSV = Format("csv", ".csv", "CSV tables", write_csv, read_csv)
PARQUET = Format("parquet", ".parquet", "Parquet tables", write_parquet, read_parquet, binary=True)
JSON = Format("json", ".json", "JSON arrays", write_json, read_json)
