"""What clients are told when something is wrong: ``{"error": {"problem", "remedy"}}``, never a stack trace."""

from http import HTTPStatus
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.types import Receive, Scope, Send

from auricle.errors import AudioError, AuricleError, LibraryError, MissingExtra, QueryError, WeightsError

RETRY_SECONDS = 2  # told to clients that came at a busy moment

STATUS = {  # by the error's class, the nearest one
    QueryError: 400,
    LibraryError: 409,
    MissingExtra: 415,
    AudioError: 422,
    WeightsError: 503,
    AuricleError: 400,
}

REMEDIES = {
    400: "Send what /api/v1/openapi.json describes",
    404: "Check the address; /api/v1/openapi.json lists all there are",
    405: "See /api/v1/openapi.json for what can be done here",
}


class RefusalError(HTTPException, AuricleError):
    """A request that is turned down with a status of its own.

    Being an ``HTTPException`` it passes through FastAPI's parsing of bodies, where it may be raised.
    """

    def __init__(self, status: int, problem: str, remedy: str = "", headers: dict[str, str] | None = None):
        AuricleError.__init__(self, problem, remedy)
        HTTPException.__init__(self, status, problem, headers)


def not_found(what: str, remedy: str = "Reload the page: it may have been removed") -> RefusalError:
    return RefusalError(404, f"There is no {what}", remedy)


def explained(error: Exception) -> tuple[int, str, str]:
    """Status, problem and remedy of ``error``."""
    if isinstance(error, RefusalError):
        return error.status_code, error.problem, error.remedy
    if isinstance(error, AuricleError):
        status = next(STATUS[kind] for kind in type(error).__mro__ if kind in STATUS)
        return status, error.problem, error.remedy
    if isinstance(error, HTTPException):
        return error.status_code, str(error.detail), REMEDIES.get(error.status_code, "")
    return 500, "Something went wrong inside auricle", "The server's own output says what"


def answer(error: Exception) -> Response:
    """The response that tells of ``error``."""
    status, problem, remedy = explained(error)
    headers = {**(error.headers or {})} if isinstance(error, HTTPException) else {}
    if status == HTTPStatus.SERVICE_UNAVAILABLE:
        headers["retry-after"] = str(RETRY_SECONDS)
    if status in (HTTPStatus.REQUEST_TIMEOUT, HTTPStatus.REQUEST_ENTITY_TOO_LARGE):
        headers["connection"] = "close"  # what is left of the body is not waited for
    return JSONResponse({"error": {"problem": problem, "remedy": remedy}}, status, headers)


async def refuse(error: AuricleError, scope: Scope, receive: Receive, send: Send) -> None:
    """Sends the response that tells of ``error``, from a middleware."""
    await answer(error)(scope, receive, send)


def tell_errors(app: FastAPI) -> None:
    """Makes every error of ``app`` known in the same form."""

    async def told(request: Request, error: Exception) -> Response:
        return answer(error)

    async def invalid(request: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        return answer(RefusalError(422, *_invalid(error.errors()[0])))

    app.add_exception_handler(RequestValidationError, invalid)
    for kind in (HTTPException, AuricleError):
        app.add_exception_handler(kind, told)


def _invalid(error: dict[str, Any]) -> tuple[str, str]:
    """Problem and remedy of a pydantic error; what the client sent is not repeated."""
    place, *path = (str(part) for part in error["loc"])
    if error["type"] == "json_invalid":
        return "The request's body is not JSON", "Send a JSON object"
    where = f"{'.'.join(path)} " if path else ""
    return f"In the request's {place}, {where}is wrong: {error['msg']}", "See /api/v1/openapi.json for what is expected"
