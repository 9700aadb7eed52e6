"""Errors people can act on: each says what is wrong, with what, and what to do about it."""

from os import PathLike, fspath


class AuricleError(Exception):
    """Base of every error auricle raises on purpose.

    Args:
        problem: what is wrong, one sentence without a full stop.
        remedy: what the reader can do about it, one sentence without a full stop.
    """

    def __init__(self, problem: str, remedy: str = ""):
        super().__init__(problem, remedy)
        self.problem = problem
        self.remedy = remedy

    def __str__(self) -> str:
        return f"{self.problem}. {self.remedy}." if self.remedy else f"{self.problem}."


class AudioError(AuricleError):
    """A file that cannot be heard: ``path`` names it, ``problem`` says why."""

    def __init__(self, path: str | PathLike[str], problem: str, remedy: str = ""):
        super().__init__(problem, remedy)
        self.args = (fspath(path), problem, remedy)  # so that the error survives pickling between processes
        self.path = fspath(path)

    def __str__(self) -> str:
        return f"{self.path}: {super().__str__()}"


class WeightsError(AuricleError):
    """Weights that could not be fetched, or that are not what their card promises."""


class LibraryError(AuricleError):
    """A library that cannot be opened, written or queried as asked."""


class QueryError(AuricleError):
    """A query that cannot be understood: a bad filter, an empty text, an unknown format."""


class MissingExtra(AuricleError):  # noqa: N818, it reads as what it is
    """An optional dependency is not installed; the message names the extra that brings it."""

    def __init__(self, need: str, extra: str):
        super().__init__(
            f"{need} needs the optional extra [{extra}]", f"Install it with: pip install 'auricle[{extra}]'"
        )
        self.args = (need, extra)


class DataError(AuricleError):
    """A data set that is not what it should be: a file or column is missing, a label unknown, a layout another."""
