"""Where hits and events go: the terminal, a pipe, JSON, or files in the formats of other programs."""

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from auricle.cli.options import ToFile
from auricle.cli.output import Cell, path, print_json, score, span, strip, table, tags, text

if TYPE_CHECKING:
    from auricle.types import Event, Hit


def deliver(results: "Sequence[Hit] | Sequence[Event]", to: ToFile, as_json: bool) -> None:
    """Prints results, or writes them where ``-o`` and ``--format`` say; ``--json`` prints them in any case.

    Raises:
        QueryError: an unknown format, or one that needs a file and has none.
    """
    if as_json:
        print_json(results)
    if to.out or to.format:
        write(results, to)
    elif not as_json:
        show(results)


def show(results: Sequence[Any]) -> None:
    """Prints hits or events for people, or as lines for a pipe."""
    if results and hasattr(results[0], "label"):
        table(["file", "when", "", "what", "score"], _event_rows(results))
    else:
        table(
            ["", "file", "when", "score", "heard there"],
            [
                [Cell("", str(rank), "dim"), path(hit.path), span(hit.start, hit.end), score(hit.score), tags(hit.tags)]
                for rank, hit in enumerate(results, 1)
            ],
        )


def _event_rows(events: "Sequence[Event]") -> Iterator[list[Cell]]:
    """One row an event; on a terminal a file is named once and its events lie on one time line."""
    ends: dict[str, float] = {}
    for event in events:
        ends[event.path] = max(event.end, ends.get(event.path, 0.0))
    before = ""
    for event in events:
        name = path(event.path)
        yield [
            name._replace(pretty="") if event.path == before else name,
            span(event.start, event.end),
            strip(event.start, event.end, ends[event.path]),
            text(event.label),
            score(event.score),
        ]
        before = event.path
