"""Bytes over HTTP that need not be sent: what the client has already (RFC 9110, section 13) or did not ask for (14)."""

import re
from collections.abc import Callable, Iterator

from starlette.requests import Request
from starlette.responses import Response, StreamingResponse

from auricle.serve.errors import RefusalError

FRESH = "private, no-cache"  # keep it, but ask each time whether it is still the same

_RANGE = re.compile(r"bytes\s*=\s*(\d*)\s*-\s*(\d*)\s*")

Chunks = Callable[[int, int], Iterator[bytes]]


def not_modified(request: Request, tag: str) -> Response | None:
    """The 304 answer if the client has the version ``tag`` (a quoted entity tag), else None."""
    known = request.headers.get("if-none-match", "")
    candidates = {candidate.strip().removeprefix("W/") for candidate in known.split(",")}
    if known.strip() == "*" or tag.removeprefix("W/") in candidates:
        return Response(status_code=304, headers={"etag": tag, "cache-control": FRESH})
    return None


def ranged(request: Request, size: int, chunks: Chunks, *, media_type: str, tag: str, filename: str = "") -> Response:
    """Answers a request for ``size`` bytes, or for one range of them.

    Args:
        chunks: yields the bytes from a first to before a last one; called when and if they are sent.
        tag: quoted entity tag.
        filename: name for a download; without one the browser shows or plays it.

    Raises:
        RefusalError: several ranges are asked for, or one that begins behind the end.
    """
    headers = {"etag": tag, "cache-control": FRESH, "accept-ranges": "bytes"}
    if filename:
        headers["content-disposition"] = disposition(filename)
    first, last, status = 0, size, 200
    span = request.headers.get("range")
    if span and request.headers.get("if-range", tag) == tag and (asked := _asked(span, size)):
        (first, last), status = asked, 206
        headers["content-range"] = f"bytes {first}-{last - 1}/{size}"
    headers["content-length"] = str(last - first)
    if request.method == "HEAD":
        return Response(status_code=status, headers=headers, media_type=media_type)
    return StreamingResponse(chunks(first, last), status, headers, media_type)


def _asked(header: str, size: int) -> tuple[int, int] | None:
    """The bytes a ``Range`` header asks for as (first, one past the last); None for a header to be ignored."""
    if "," in header and header.strip().startswith("bytes"):
        raise _unsatisfiable("Several ranges at once are not answered", "Ask for one range at a time", size)
    match = _RANGE.fullmatch(header.strip())
    if not match or match.groups() == ("", "") or max(map(len, match.groups())) > 18:
        return None
    begin, end = (int(digits) if digits else None for digits in match.groups())
    if begin is None:
        first, last = max(0, size - (end or 0)), size
    else:
        first, last = begin, size if end is None else min(end + 1, size)
        if end is not None and end < begin:
            return None
    if first >= last:
        raise _unsatisfiable("The range lies behind the end", f"There are {size} bytes", size)
    return first, last


def _unsatisfiable(problem: str, remedy: str, size: int) -> RefusalError:
    return RefusalError(416, problem, remedy, {"content-range": f"bytes */{size}"})


def disposition(filename: str) -> str:
    """A ``Content-Disposition`` that saves under ``filename``, whatever characters it holds (RFC 6266)."""
    from urllib.parse import quote

    plain = re.sub(r"[^ !#-\[\]-~]", "_", filename)
    return f"attachment; filename=\"{plain}\"; filename*=UTF-8''{quote(filename, safe='', errors='replace')}"
