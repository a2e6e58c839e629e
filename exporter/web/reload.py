"""`POST /-/reload`: read the key and the web configuration again."""

from collections.abc import Callable

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route


def routes(reload: Callable[[], str | None]) -> list[Route]:
    """Return the route; `reload` returns why it failed in one line, or None if it worked."""

    async def answer(_: Request) -> Response:
        problem = reload()
        if problem is None:
            return PlainTextResponse("Configuration reloaded.\n")
        return PlainTextResponse(f"Reload failed, the previous configuration stays: {problem}\n", status_code=500)

    return [Route("/-/reload", answer, methods=["POST"])]
