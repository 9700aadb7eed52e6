"""Append-only logs of what people change: any change can be taken back, in order, and nothing ever said is lost."""

from datetime import UTC, datetime
from typing import Any

import pyarrow as pa

from auricle.library.store import Store


class Changes:
    """One log, a small table of the library.

    Args:
        store: the library's tables.
        table: name of the log.
        schema: its columns, among them ``change`` (int64, counts from 1), ``action`` (string), ``undoes`` (int64, the
            change an "undo" takes back) and ``created`` (timestamp).
    """

    def __init__(self, store: Store, table: str, schema: pa.Schema):
        self.store, self.table, self.schema = store, table, schema

    def standing(self) -> list[dict[str, Any]]:
        """Changes that were not taken back, oldest first."""
        return _standing(self.store.log(self.table))

    def write(self, action: str, **facts: Any) -> None:
        """Adds a change; ``facts`` are the log's other columns."""
        with self.store.lock(name=self.table):
            self._append(action, facts, number=len(self.store.log(self.table)) + 1)

    def undo(self) -> dict[str, Any] | None:
        """Takes back the latest change that still stands and returns it; None when there is none."""
        with self.store.lock(name=self.table):
            log = self.store.log(self.table)
            standing = _standing(log)
            if not standing:
                return None
            self._append("undo", standing[-1] | {"undoes": standing[-1]["change"]}, number=len(log) + 1)
            return standing[-1]

    def _append(self, action: str, facts: dict[str, Any], number: int) -> None:
        row = facts | {"change": number, "action": action, "created": datetime.now(UTC)}
        self.store.append(self.table, pa.Table.from_pylist([row], schema=self.schema))


def _standing(log: list[dict[str, Any]]) -> list[dict[str, Any]]:
    undone = {row["undoes"] for row in log if row["action"] == "undo"}
    return [row for row in log if row["action"] != "undo" and row["change"] not in undone]
