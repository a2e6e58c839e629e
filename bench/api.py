"""An API that serves prepared bodies from disk, as a separate process: `python -m bench.api PEOPLE DAYS COPIES`."""

import asyncio
import gzip
import socket
import sys
import zipfile
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from functools import cache

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from bench import bodies
from bench.bodies import Size

PREFIX = "/v1/organizations"


class InstantApi:
    """Serves the bodies that `body` returns by name. `today` (UTC) has several variants, of which one is active."""

    def __init__(self, body: Callable[[str], bytes], today: date) -> None:
        self._body = body
        self._today = today
        self._variant = 0
        self._requests = 0
        self._bill = cache(self._make_bill)

    def app(self) -> Starlette:
        """Return the application. `/-/variant/N` selects a variant, `/-/requests` returns the number of requests."""
        return Starlette(
            routes=[
                Route(f"{PREFIX}/me", self._plain),
                Route(f"{PREFIX}/workspaces", self._plain),
                Route(f"{PREFIX}/usage_report/claude_code", self._usage),
                Route(f"{PREFIX}/cost_report", self._cost),
                Route("/-/variant/{number:int}", self._choose),
                Route("/-/requests", self._count),
            ]
        )

    async def _plain(self, request: Request) -> Response:
        self._requests += 1
        return _packed(gzip.compress(self._body(request.url.path.rpartition("/")[2])))

    async def _usage(self, request: Request) -> Response:
        self._requests += 1
        day, page = request.query_params["starting_at"], request.query_params.get("page", "page_0")
        return _packed(self._body(f"usage/{day}/{self._of(day)}/{page.removeprefix('page_')}"))

    async def _cost(self, request: Request) -> Response:
        self._requests += 1
        query = request.query_params
        return _packed(self._bill(query["starting_at"][:10], query["ending_at"][:10], self._variant))

    def _make_bill(self, first: str, after: str, _: int) -> bytes:
        days = (date.fromisoformat(after) - date.fromisoformat(first)).days
        dates = [str(date.fromisoformat(first) + timedelta(days=offset)) for offset in range(days)]
        entries = b",".join(self._body(f"cost/{day}/{self._of(day)}") for day in dates)
        return gzip.compress(b'{"data":[' + entries + b'],"has_more":false,"next_page":null}', 1)

    def _of(self, day: str) -> int:
        return self._variant if day == str(self._today) else 0

    async def _choose(self, request: Request) -> Response:
        self._variant = request.path_params["number"] % bodies.VARIANTS
        return PlainTextResponse(str(self._variant))

    async def _count(self, _: Request) -> Response:
        return PlainTextResponse(str(self._requests))


def _packed(body: bytes) -> Response:
    return Response(body, media_type="application/json", headers={"content-encoding": "gzip"})


def main() -> None:
    """Serve until the process ends. The first line of standard output is the base URL."""
    people, days, copies = map(int, sys.argv[1:4])
    size = Size(people, days, copies)
    today = datetime.now(UTC).date()
    with zipfile.ZipFile(bodies.kept(size, today)) as archive, socket.create_server(("127.0.0.1", 0)) as listener:
        app = InstantApi(archive.read, today).app()
        print(f"http://127.0.0.1:{listener.getsockname()[1]}", flush=True)
        server = uvicorn.Server(uvicorn.Config(app, log_level="warning", access_log=False, lifespan="off"))
        asyncio.run(server.serve(sockets=[listener]))


if __name__ == "__main__":
    main()
