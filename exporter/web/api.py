"""The routes `/api/v1/report` and `/api/v1/export/...`: the page's numbers as JSON, and files."""

from collections.abc import Awaitable, Callable

import msgspec
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route

from exporter.web import queries
from exporter.web.export import COLUMNS, FORMATS
from exporter.web.queries import BadQuery
from exporter.web.report import Query
from exporter.web.reporting import Busy, Reporting

Handler = Callable[[Request], Awaitable[Response]]
RETRY_AFTER = "5"


def routes(reporting: Reporting) -> list[Route]:
    """Return the routes."""

    async def report(request: Request) -> Response:
        found = await reporting.report(query_of(request, reporting))
        return Response(msgspec.json.encode(found), media_type="application/json")

    async def file(request: Request) -> Response:
        name, extension = request.path_params["name"], request.path_params["extension"]
        if name not in COLUMNS or extension not in FORMATS:
            return PlainTextResponse("Choose cost, usage or users, as .csv or .jsonl.\n", 404)
        query = query_of(request, reporting)
        headers = {"content-disposition": f'attachment; filename="{name}-{query.first}-{query.last}.{extension}"'}
        text = reporting.file(name, FORMATS[extension], query)
        return StreamingResponse(text, media_type=FORMATS[extension].media_type, headers=headers)

    return [
        Route("/api/v1/report", answered(report)),
        Route("/api/v1/export/{name}.{extension}", answered(file)),
    ]


def query_of(request: Request, reporting: Reporting) -> Query:
    """Return what a request asks for. Raises BadQuery."""
    return queries.parse(request.query_params.multi_items(), reporting.window)


def answered(handler: Handler) -> Handler:
    """Return the handler with its refusals turned into responses: 400 with one sentence, or 503."""

    async def respond(request: Request) -> Response:
        try:
            return await handler(request)
        except BadQuery as error:
            return PlainTextResponse(f"{error}\n", 400)
        except Busy as error:
            return PlainTextResponse(f"{error}\n", 503, {"retry-after": RETRY_AFTER})

    return respond
