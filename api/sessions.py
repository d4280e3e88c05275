"""Signing in and out: how a page comes to have the rights of a key without keeping it."""

from dataclasses import dataclass
from functools import partial
from typing import Any

from litestar import Request, Response, post
from litestar.datastructures import Cookie
from litestar.di import NamedDependency
from litestar.params import JSONBody
from pydantic import Field

from api import examples
from api.auth import EVERYBODY, SIGN_IN, cookie_name
from api.backend import Backend
from api.door import STRANGERS
from api.errors import KeyNeeded
from api.limits import Rate
from api.openapi import body_example, empty, example, problems
from api.schemas import JsonText
from runtime.errors import KeyRefused
from runtime.keys import Role, csrf_token

SIGN_INS_PER_MINUTE = 10  # with one key, right or wrong, and with all that name no key


class SignInRequest(JsonText):
    """The key that `dermacite keys create` printed."""

    key: str = Field(min_length=1, max_length=200)


@dataclass(frozen=True, slots=True)
class SignedIn:
    """Who is signed in, until when (UTC), and what his pages send as X-CSRF-Token."""

    name: str
    role: Role
    csrf_token: str
    expires_at: str


@post(
    SIGN_IN, role=EVERYBODY, status_code=200, operation_id="sign_in", summary="Sign in", tags=["door"],
    responses={
        200: example(SignedIn, examples.SIGNED_IN, "A cookie holds the session"),
        **problems(400, 401, 413, 429, 503, everybody=True),
    },
    operation_class=body_example("application/json", examples.SIGN_IN),
)  # fmt: skip
async def sign_in(
    data: JSONBody[SignInRequest], backend: NamedDependency[Backend], sign_ins: NamedDependency[Rate]
) -> Response[SignedIn]:
    """For pages; programs send their key with every request. The session ends after 8 hours, and with its key.

    With the cookie, everything but GET also needs `csrf_token` in the header `X-CSRF-Token`.
    """
    keys, key = backend.service.keys, data.key.strip()
    named = await backend.read(partial(keys.named_by, key))
    await sign_ins.spend(named or STRANGERS)
    try:
        session = await backend.read(partial(keys.sign_in, key))
    except KeyRefused as error:
        raise KeyNeeded(str(error), error.reason) from error
    signed_in = SignedIn(session.key.name, Role(session.key.role), csrf_token(session.token), session.expires_at)
    return Response(signed_in, cookies=[_cookie(backend, session.token)])


@post(
    "/sign-out", role=Role.READER, status_code=204, operation_id="sign_out", summary="Sign out", tags=["door"],
    responses={204: empty("The session is gone"), **problems(503)},
)  # fmt: skip
async def sign_out(request: Request[Any, Any, Any], backend: NamedDependency[Backend]) -> Response[None]:
    """The session of this cookie is forgotten; without one nothing happens."""
    token = request.cookies.get(cookie_name(backend.service.settings.public_url))
    if token is not None:
        await backend.read(partial(backend.service.keys.sign_out, token))
    return Response(None, status_code=204, cookies=[_cookie(backend, None)])


def _cookie(backend: Backend, token: str | None) -> Cookie:
    """Of this browser session; the service ends it by its own clock."""
    public_url = backend.service.settings.public_url
    return Cookie(
        key=cookie_name(public_url), value=token or "", path="/", max_age=None if token else 0, secure=public_url is not None,
        httponly=True, samesite="strict",
    )  # fmt: skip
