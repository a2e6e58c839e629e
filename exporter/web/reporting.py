"""Compute reports of a range of days in the ledger's worker thread, and cache them until the data changes."""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import UTC, date, datetime
from functools import partial
from typing import Any, Protocol, TypeVar

import msgspec

from exporter.days.ledger import Ledger, Published
from exporter.model import Window
from exporter.reports import api_keys, claude_code, cost, directory, messages
from exporter.reports.health import ReportHealth
from exporter.reports.names import Names
from exporter.reports.sums import Group
from exporter.reports.usage_rows import Actor
from exporter.reports.users import Users
from exporter.web import api_tokens, export, range_users, report
from exporter.web.api_tokens import ApiTokens, Use
from exporter.web.export import Format
from exporter.web.range_users import UserTotals
from exporter.web.report import Query, Report, Sums, UserUse

_T = TypeVar("_T")
PATIENCE = 5.0
"""Seconds that a person waits for fresh numbers."""
MAX_CACHED = 32
MAX_WAITING = 64
"""Reports that may wait to be computed. One at a time is computed, so that memory stays bounded."""
MAX_ATTEMPTS = 3


class Busy(Exception):
    """Too many reports are waiting to be computed. The message is one sentence for the person who asked."""


class Pages(Protocol):
    """What reports are computed from. `refresh.refresher.Refresher` implements it."""

    @property
    def published(self) -> Published:
        """The current page, with its window and the health of each report."""

    @property
    def interval(self) -> float:
        """The age in seconds at which the data is refreshed."""

    async def scrape(self, patience: float) -> object:
        """Refresh the data if it is old, waiting at most `patience` seconds."""

    async def in_worker(self, work: Callable[[], _T]) -> _T:
        """Run work in the one thread that may use the ledger, and return its result."""


class Reporting:
    """Reports by query."""

    def __init__(self, pages: Pages, ledger: Ledger, names: Names, max_users: int) -> None:
        self._pages = pages
        self._ledger = ledger
        self._names = names
        self._max_users = max_users
        self._cache: OrderedDict[tuple[str, Query], tuple[int, Any]] = OrderedDict()
        self._lock = asyncio.Lock()
        self._waiting = 0

    @property
    def window(self) -> Window:
        """The days that are shown."""
        return self._pages.published.window

    @property
    def filling(self) -> bool:
        """Whether days of the window are still to be read."""
        return any(state.coverage < 1 for state in self._health())

    @property
    def interval(self) -> float:
        """The age in seconds at which the data is refreshed."""
        return self._pages.interval

    async def file(self, name: str, form: Format, query: Query) -> AsyncIterator[str]:
        """Yield the parts of a file. Each is made in a short step, between which the worker can serve a refresh."""
        names = self._ledger.listed.value(directory.NAME)
        workspaces = names.workspaces if names else {}
        parts = export.parts(name, form, query.span, self._ledger.rows, workspaces, users_shown=self._names.shown)
        while (part := await self._pages.in_worker(partial(next, parts, None))) is not None:
            yield part

    async def report(self, query: Query) -> Report:
        """Return the numbers of a range, refreshed first as for a scrape. Raises Busy when too many wait for theirs."""
        await self._pages.scrape(PATIENCE)
        found = await self._once(("report", query), partial(self._report, query))
        return msgspec.structs.replace(found, as_of=self._as_of())

    async def api_tokens(self, query: Query) -> ApiTokens | None:
        """Return the tokens of the whole API, None when the key may not read them. Raises Busy as `report` does."""
        if messages.NAME not in self._pages.published.health:
            return None
        found = await self._once(("tokens", query), partial(self._tokens, query))
        names, keys = self._ledger.listed.value(directory.NAME), self._ledger.listed.value(api_keys.NAME) or {}
        named = {of: key.name for of, key in keys.items() if key.name != "none"}
        return found._replace(workspaces=names.workspaces if names else {}, api_keys=named)

    async def _once(self, key: tuple[str, Query], compute: Callable[[], Awaitable[_T]]) -> _T:
        """Return what was computed before from the same data, or compute it."""
        found: _T | None = self._cached(key)
        if found is None:
            if self._waiting >= MAX_WAITING:
                raise Busy("Too many reports are being computed: try again in a few seconds.")
            self._waiting += 1
            try:
                async with self._lock:
                    found = self._cached(key) or await self._computed(key, compute)
            finally:
                self._waiting -= 1
        return found

    def _cached(self, key: tuple[str, Query]) -> Any:  # noqa: ANN401 - what was computed
        version, found = self._cache.get(key, (-1, None))
        if version != self._ledger.version:
            return None
        self._cache.move_to_end(key)
        return found

    async def _computed(self, key: tuple[str, Query], compute: Callable[[], Awaitable[_T]]) -> _T:
        """Compute in short steps, between which the worker can serve a refresh; again when it changed the data."""
        for _ in range(MAX_ATTEMPTS):
            version = self._ledger.version
            found = await compute()
            if version == self._ledger.version:
                break
        self._cache[key] = version, found
        if len(self._cache) > MAX_CACHED:
            self._cache.popitem(last=False)
        return found

    async def _report(self, query: Query) -> Report:
        found = await self._pages.in_worker(partial(self._without_users, query))
        found.users = await self._users(query)
        return found

    async def _tokens(self, query: Query) -> ApiTokens:
        tokens: dict[Use, Group] = {}
        for day in query.span.dates():
            await self._pages.in_worker(partial(self._add_tokens, tokens, day, query))
        return await self._pages.in_worker(partial(self._with_savings, tokens, query))

    def _add_tokens(self, tokens: dict[Use, Group], day: date, query: Query) -> None:
        api_tokens.add_day(tokens, self._ledger.rows(messages.NAME, day), query)

    def _with_savings(self, tokens: dict[Use, Group], query: Query) -> ApiTokens:
        used, bills = (self._ledger.shown[name].view.by_day.sums for name in (messages.NAME, cost.NAME))
        (read,) = report.coverage(query, {messages.NAME: used}).values()
        return ApiTokens(read, tokens, api_tokens.saved(query, used, bills))

    def _without_users(self, query: Query) -> Report:
        usage, bills = (self._ledger.shown[name].view for name in (claude_code.NAME, cost.NAME))
        sums = Sums(self._pages.published.window, usage.by_day.sums, bills.by_day.sums)
        names = self._ledger.listed.value(directory.NAME)
        return Report(
            first=query.first,
            last=query.last,
            today=sums.window.last,
            as_of=None,
            organization=report.Organization(*names.organization) if names else None,
            coverage=report.coverage(query, {claude_code.NAME: sums.usage, cost.NAME: sums.bills}),
            totals=report.totals(query, sums, usage.users.active(query.span)),
            previous=report.previous(query, sums, usage.users.active),
            days=report.days(query, sums),
            models=report.models(query, sums),
            tools=report.tools(query, sums),
            users=[],
        )

    async def _users(self, query: Query) -> list[UserUse]:
        if not self._names.shown:
            return []
        inside = set(query.span.dates())
        outside = set(self.window.dates()) - inside
        subtracting = not query.models and len(outside) < len(inside)
        totals = await self._pages.in_worker(self._of_window) if subtracting else {}
        for day in sorted(outside if subtracting else inside):
            await self._pages.in_worker(partial(self._change, totals, day, query, -1 if subtracting else 1))
        return await self._pages.in_worker(partial(self._ranked, totals, query))

    def _of_window(self) -> dict[Actor, UserTotals]:
        return {actor: range_users.of_window(user) for actor, user in self._user_sums().sums.items()}

    def _change(self, totals: dict[Actor, UserTotals], day: date, query: Query, sign: int) -> None:
        range_users.change(totals, self._ledger.rows(claude_code.NAME, day), query, sign)

    def _ranked(self, totals: dict[Actor, UserTotals], query: Query) -> list[UserUse]:
        return range_users.ranked(totals, self._user_sums(), query, self._max_users)

    def _user_sums(self) -> Users:
        users: Users = self._ledger.shown[claude_code.NAME].view.users
        return users

    def _as_of(self) -> datetime | None:
        reads = [state.last_success for state in self._health() if state.last_success]
        return datetime.fromtimestamp(min(reads), UTC).replace(microsecond=0) if reads else None

    def _health(self) -> list[ReportHealth]:
        """Return the health of the reports that are on the page."""
        return [self._pages.published.health[name] for name in (claude_code.NAME, cost.NAME)]
