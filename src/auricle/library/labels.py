"""What people say about a recording: events confirmed, rejected or renamed, and regions they draw themselves.

Machine events are never touched: a label stands beside them and says what it thinks of one. Every change is a row of
an append-only log (``labels.lance``), so any of them can be undone, in order, and nothing that was ever said is lost.
"""

import json
import uuid
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any, Literal

import pyarrow as pa

from auricle.errors import LibraryError, QueryError
from auricle.library.changes import Changes
from auricle.library.store import Store
from auricle.types import Event

Verdict = Literal["confirmed", "rejected", "renamed", "drawn"]
VERDICTS = ("confirmed", "rejected", "renamed", "drawn")
LONGEST_LABEL = 200  # characters

LOG = pa.schema(
    [
        ("change", pa.int64()),
        ("action", pa.string()),  # "set", "remove" or "undo"
        ("undoes", pa.int64()),  # the change that an "undo" takes back
        ("id", pa.string()),
        ("recording", pa.string()),
        ("start", pa.float64()),
        ("end", pa.float64()),
        ("low", pa.float64()),
        ("high", pa.float64()),
        ("label", pa.string()),
        ("verdict", pa.string()),
        ("event", pa.string()),  # the machine event answered, as JSON
        ("created", pa.timestamp("us", tz="UTC")),
    ]
)


@dataclass(frozen=True, slots=True)
class Label:
    """A region of a recording with what a person called it; ``event`` is the machine event it answers, if any."""

    id: str
    recording: str  # content id
    start: float  # seconds
    end: float
    label: str
    verdict: Verdict = "drawn"
    low: float | None = None  # Hz
    high: float | None = None
    event: dict[str, Any] | None = None
    version: int = 1  # counts the changes to this label
    created: datetime | None = None

    def as_event(self, path: str) -> Event:
        """The label as a row of an export."""
        return Event(path, self.start, self.end, self.label, 1.0, self.low, self.high)


class Labels:
    """All labels of one library."""

    def __init__(self, store: Store):
        self.store = store
        self._changes = Changes(store, "labels", LOG)

    def __call__(self, recording: str | None = None) -> list[Label]:
        """Labels as they now stand, of one recording or of all, by start time."""
        living = self._living()
        chosen = (label for label in living.values() if recording in (None, label.recording))
        return sorted(chosen, key=lambda label: (label.recording, label.start, label.end, label.id))

    def add(self, recording: str, start: float, end: float, label: str, **facts: Any) -> Label:
        """Adds a label; ``facts`` are further fields of ``Label``.

        Raises:
            QueryError: the region or the label makes no sense.
            LibraryError: the recording is not in the library.
        """
        new = Label(uuid.uuid4().hex[:12], recording, float(start), float(end), label.strip(), **facts)
        return self._set(new)

    def change(self, id: str, **facts: Any) -> Label:
        """Changes some fields of a label."""
        return self._set(replace(self._get(id), **facts))

    def remove(self, id: str) -> Label:
        """Removes a label (``undo`` brings it back)."""
        label = self._get(id)
        self._log("remove", label)
        return label

    def undo(self) -> dict[str, Any] | None:
        """Takes back the latest change that still stands: ``{"action", "label"}``, or None when there is none."""
        undone = self._changes.undo()
        return undone and {"action": undone["action"], "label": _label(undone, 1)}

    def _living(self) -> dict[str, Label]:
        living: dict[str, Label] = {}
        for row in self._changes.standing():
            if row["action"] == "remove":
                living.pop(row["id"], None)
            else:
                version = living[row["id"]].version + 1 if row["id"] in living else 1
                living[row["id"]] = _label(row, version)
        return living

    def _get(self, id: str) -> Label:
        label = self._living().get(id)
        if label is None:
            raise LibraryError(f"There is no label {id!r}", "It may have been removed or undone; reload the labels")
        return label

    def _set(self, label: Label) -> Label:
        if not 0 <= label.start < label.end:
            raise QueryError(
                f"A region from {label.start} s to {label.end} s makes no sense", "Its end must follow its start"
            )
        if not label.label or len(label.label) > LONGEST_LABEL:
            raise QueryError("A label needs between 1 and 200 characters", "Name what is heard, in a few words")
        if label.verdict not in VERDICTS:
            raise QueryError(f"There is no verdict {label.verdict!r}", f"Use one of {', '.join(VERDICTS)}")
        if not self.store.rows_by("id", [label.recording]):
            raise LibraryError(f"No recording {label.recording!r} is in the library", "Index it first")
        self._log("set", label)
        return self._get(label.id)

    def _log(self, action: str, label: Label) -> None:
        event = json.dumps(label.event) if label.event else None
        self._changes.write(action, **asdict(label) | {"event": event})


def _label(row: dict[str, Any], version: int) -> Label:
    return Label(
        row["id"],
        row["recording"],
        row["start"],
        row["end"],
        row["label"],
        row["verdict"],
        row["low"],
        row["high"],
        json.loads(row["event"]) if row["event"] else None,
        version,
        row["created"],
    )
