"""Signing in with the token: a link to follow, or a form to fill in."""

from typing import Annotated

from fastapi import APIRouter, Form, Query, Request
from fastapi.responses import HTMLResponse, RedirectResponse, Response

from auricle.serve.errors import RefusalError
from auricle.serve.security import LOGIN, Session, cookie_name

router = APIRouter(include_in_schema=False)

MONTH = 30 * 24 * 3600  # seconds a browser stays signed in
PAGE = """\
<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in · auricle</title>
<h1>auricle</h1>
<form method="post" action="/login">
  <p><label for="token">Token</label></p>
  <p><input id="token" name="token" type="password" autocomplete="current-password" required autofocus></p>
  <p><button>Sign in</button></p>
</form>
"""


@router.get(LOGIN)
def sign_in(request: Request, token: Annotated[str | None, Query(max_length=500)] = None) -> Response:
    return HTMLResponse(PAGE) if token is None else _signed_in(request, token)


@router.post(LOGIN)
def submit(request: Request, token: Annotated[str, Form(max_length=500)]) -> Response:
    return _signed_in(request, token)


def _signed_in(request: Request, token: str) -> Response:
    session: Session | None = request.app.state.session
    response = RedirectResponse("/", 303)
    if session is None:
        return response
    if not session.knows(token):
        raise RefusalError(401, "The token is wrong", "Copy it from where the server was started")
    response.set_cookie(
        cookie_name(request),
        session.cookie,
        max_age=MONTH,
        httponly=True,
        samesite="lax",
        secure=request.url.scheme == "https",
    )
    return response
