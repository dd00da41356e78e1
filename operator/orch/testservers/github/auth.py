"""The middleware that says who calls: it reads the credential and puts the `Caller` into `scope["orch.token"]`.

Who calls it: `app`. It refuses bad credentials (401) and API requests that GitHub refuses out of hand (no User-Agent,
unknown API version); what a caller may do is `access`.
"""

from __future__ import annotations

import base64
import binascii

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from .access import Caller
from .errors import ApiError
from .rest import error_reply
from .state import State
from .wire import is_api, is_control

API_VERSIONS = ("2022-11-28",)


class Auth:
    def __init__(self, app: ASGIApp, state: State) -> None:
        self.app = app
        self.state = state

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or is_control(scope):
            await self.app(scope, receive, send)
            return
        refusal = self._admit(scope)
        await (refusal or self.app)(scope, receive, send)

    def _admit(self, scope: Scope) -> Response | None:
        """Fill in the caller; return the answer when it ends here."""
        headers = Headers(scope=scope)
        scope["orch.token"] = None
        value = credential(headers.get("authorization", ""))
        if value is not None:
            scope["orch.token"] = find_caller(self.state, value)
            if scope["orch.token"] is None:
                return bad_credentials(is_api(scope))
        if not is_api(scope):
            return None
        if not headers.get("user-agent"):
            text = "Request forbidden by administrative rules. Please make sure your request has a User-Agent header."
            return PlainTextResponse(text, 403)
        version = headers.get("x-github-api-version")
        if version is not None and version not in API_VERSIONS:
            known = ", ".join(API_VERSIONS)
            text = f"The API version {version!r} is not supported. Supported versions: {known}."
            return error_reply(ApiError(400, text))
        return None


def bad_credentials(for_api: bool) -> Response:
    if for_api:
        return error_reply(ApiError(401, "Bad credentials"))
    return PlainTextResponse("Invalid username or token.", 401, {"www-authenticate": 'Basic realm="GitHub"'})


def credential(header: str) -> str | None:
    """The token in an Authorization header: `token X`, `Bearer X`, or Basic with it as password or user name.

    None without a header; an unreadable one gives "", which is nobody's token.
    """
    if not header:
        return None
    scheme, _, rest = header.partition(" ")
    if scheme.lower() in ("token", "bearer"):
        return rest.strip()
    if scheme.lower() != "basic":
        return ""
    try:
        user, _, password = base64.b64decode(rest.strip(), validate=True).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return ""
    return password if password and password != "x-oauth-basic" else user


def find_caller(state: State, value: str) -> Caller | None:
    token = state.store.find_token(value)
    return None if token is None else Caller(token, state.account(token.login))
