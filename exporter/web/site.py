"""The route `/`, the page for people, and its static files."""

from collections.abc import Callable, Sequence
from pathlib import Path

from starlette.requests import Request
from starlette.responses import HTMLResponse, Response
from starlette.routing import BaseRoute, Mount, Route
from starlette.staticfiles import StaticFiles

from exporter.web import page
from exporter.web.api import answered, query_of
from exporter.web.page import ReportStatus
from exporter.web.report import Query
from exporter.web.reporting import Reporting

STATIC = Path(__file__).parent / "static"


def routes(
    reporting: Reporting, health: Callable[[], Sequence[ReportStatus]], *, version: str, simulated: bool
) -> list[BaseRoute]:
    """Return the routes. `health` returns the state of each report now; `simulated` is for the demo."""

    async def index(request: Request) -> Response:
        query, window = query_of(request, reporting), reporting.window
        report = await reporting.report(query)
        whole = await reporting.report(Query(window.first, window.last))
        text = page.render(
            report,
            health(),
            await reporting.api_tokens(query),
            version=version,
            simulated=simulated,
            filling=reporting.filling,
            interval=reporting.interval,
            chosen=query.models,
            models=[model.model for model in whole.models],
            window_days=window.days,
        )
        return HTMLResponse(text)

    return [Route("/", answered(index)), Mount("/static", StaticFiles(directory=STATIC))]
