"""An Admin API of two reports and a listing that answers as a test says, and a fetcher or refresher that reads it."""

import asyncio
from collections.abc import Callable, Collection
from datetime import date, timedelta

from exporter.api.paging import Request
from exporter.days.ledger import Ledger
from exporter.days.store import Store
from exporter.errors import ApiError
from exporter.reports import claude_code, cost, directory
from exporter.telemetry import Telemetry
from tests.bodies import bucket, page, record, result, usage_page

REPORTS = ("claude_code", "cost")
NAMES = (*REPORTS, "directory")


class ScriptedApi:
    """Fails by report, answers with `sessions` a day and a dollar a day, and holds requests back at a closed `gate`."""

    bad_days: Collection[date] = ()
    left_out: Collection[date] = ()
    on_request: Callable[[str], object] = staticmethod(lambda _what: None)
    sessions = 1
    key_differs = False
    steady = False
    sent = 0

    def __init__(self) -> None:
        self.errors: dict[str, Exception] = {}
        self.gate = asyncio.Event()
        self.gate.set()
        self.waiting = asyncio.Event()
        self.at_once = self.most_at_once = 0
        self.requested: list[str] = []

    def key_changed(self) -> bool:
        """Return what the test says."""
        return self.key_differs

    async def get(self, request: Request, report: str, _cursor: str | None = None) -> bytes:
        """Return the body of a whole answer."""
        first, last = (str(request.query.get(name, ""))[:10] for name in ("starting_at", "ending_at"))
        what = f"{report} {first} {last}".strip() if first else request.path
        self.sent += 1
        self.requested.append(what)
        self.on_request(what)
        self.at_once += 1
        self.most_at_once = max(self.most_at_once, self.at_once)
        try:
            self.waiting.set()
            await self.gate.wait()
        finally:
            self.at_once -= 1
        self.key_differs = False
        if report in self.errors:
            raise self._error(report)
        return self._body(request.path, first, last)

    def _error(self, report: str) -> Exception:
        error = self.errors[report]
        return type(error)(*error.args, pause=error.pause) if isinstance(error, ApiError) else error

    def _body(self, path: str, first: str, last: str) -> bytes:
        if path == "/me":
            return b'{"id": "o", "name": "Org"}'
        if path == "/workspaces":
            return b'{"data": [], "has_more": false, "last_id": null}'
        day = date.fromisoformat(first)
        if not last:
            return usage_page(day, record(sessions=self.sessions))
        days = [day + timedelta(days=age) for age in range((date.fromisoformat(last) - day).days)]
        amounts = {of: "ten" if of in self.bad_days else "100" for of in days if of not in self.left_out}
        return page(*(bucket(of, result(amount)) for of, amount in amounts.items()))

    def taken(self) -> list[str]:
        """Return what was requested since the last call: the report, its first day, and the day after the last."""
        requested, self.requested = self.requested, []
        return requested


def ledger(store: Store | None = None) -> Ledger:
    """Return a ledger of both reports and the listing."""
    return Ledger(store or Store(None), [claude_code.report(), cost.report()], [directory.listing()])


def own(telemetry: Telemetry, name: str, **labels: str) -> float | None:
    """Return one of the exporter's own metrics."""
    return telemetry.registry.get_sample_value(f"anthropic_exporter_{name}", labels)
