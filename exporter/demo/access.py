"""Who may read the simulated API: a GET with the key and a known version."""

from hmac import compare_digest

from starlette.requests import Request
from starlette.types import ASGIApp, Receive, Scope, Send

from exporter.demo.refusals import FINAL_ANSWER, Refusal, refuse

VERSIONS = frozenset({"2023-01-01", "2023-06-01", "2026-10-21"})


class Guard:
    """Lets a request through that has the key and a known version, and is a GET."""

    def __init__(self, app: ASGIApp, key: str) -> None:
        self._app = app
        self._key = key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one ASGI request."""
        if scope["type"] == "http":
            request = Request(scope)
            try:
                self._check(request)
            except Refusal as refusal:
                await (await refuse(request, refusal))(scope, receive, send)
                return
        await self._app(scope, receive, send)

    def _check(self, request: Request) -> None:
        if not compare_digest(request.headers.get("x-api-key", "").encode(), self._key.encode()):
            raise Refusal(401, "invalid x-api-key", FINAL_ANSWER)
        version = request.headers.get("anthropic-version")
        if version not in VERSIONS:
            raise Refusal(400, "anthropic-version: header is required" if version is None else "unknown version")
        if request.method != "GET":
            raise Refusal(405, "Method not allowed")
