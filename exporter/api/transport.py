"""Authenticated paging over the Admin API: time-outs, bounds, the request budget, and what a refusal means.

One request at a time, since the budget belongs to the whole organisation. A failed request is not
repeated here: `refresh` decides when a report is asked again. The key goes to the configured host only, redirects are
refused, and no error holds it.
"""

import asyncio
import hashlib
import time
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from datetime import UTC, date, datetime
from typing import NamedTuple

import httpx
from aiolimiter import AsyncLimiter

from exporter import __version__, wire
from exporter.api import refusals as answers
from exporter.errors import (
    ApiCursorRefused,
    ApiError,
    ApiShapeChanged,
    ApiTimeout,
    ApiUnauthorized,
    ApiUnreachable,
    SettingsError,
)
from exporter.model import DAY, CostRow, Directory, Report, UsageRow, midnight
from exporter.telemetry import DIRECTORY, Telemetry

USER_AGENT = f"anthropic-exporter/{__version__} (https://github.com/anthropic-exporter/anthropic-exporter)"
TIMEOUT = httpx.Timeout(30, connect=10)
WHOLE_REQUEST = 90.0
LARGEST_BODY = 64 * 1024 * 1024
"""A page of 1000 records is about 1.5 MB."""
PREFIX = "/v1/organizations"

Mark = tuple[str, str | None]
"""The digest of a page's body, and the cursor that stood in it: enough to see that a page has not changed."""


CostDays = dict[date, list[CostRow] | ApiShapeChanged]


class UsageDay(NamedTuple):
    """A day of usage: its rows, or None where every page is as in the marks that were known; and the marks now."""

    rows: list[UsageRow] | None
    marks: tuple[Mark, ...]


class Client:
    """The Admin API of one organisation. `key` returns the Admin key as it is now, or raises SettingsError."""

    def __init__(
        self,
        *,
        base_url: str,
        version: str,
        key: Callable[[], str],
        requests_per_minute: int,
        telemetry: Telemetry,
        now: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._read_key = key
        self._key: str | None = None
        self._telemetry = telemetry
        self._now = now
        self._limiter = _limiter(requests_per_minute)
        self._one_at_a_time = asyncio.Lock()
        loopback = base_url.lower().startswith("http:")  # settings take plain http for loopback only: no proxy
        self._http = httpx.AsyncClient(
            base_url=base_url,
            headers={"anthropic-version": version, "user-agent": USER_AGENT, "accept": "application/json"},
            timeout=TIMEOUT,
            follow_redirects=False,
            trust_env=not loopback,
        )

    async def close(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    def key_changed(self) -> bool:
        """Return whether the key is another one than the last that was sent."""
        try:
            return self._read_key() != self._key
        except SettingsError:
            return False

    async def claude_code(self, day: date, known: tuple[Mark, ...] = ()) -> UsageDay:
        """Return one UTC day of usage_report/claude_code; raises ApiError.

        An unchanged page costs a digest. A refused cursor starts the day again, once.
        """
        try:
            return await self._claude_code(day, known)
        except ApiCursorRefused:
            return await self._claude_code(day, ())

    async def _claude_code(self, day: date, known: tuple[Mark, ...]) -> UsageDay:
        marks: list[Mark] = []
        unread: list[bytes] = []
        rows: list[UsageRow] = []
        query = {"starting_at": day.isoformat(), "limit": "1000"}
        cursor: str | None = None
        while True:
            async with self._attempt(Report.CLAUDE_CODE.value, f"claude_code {day}"):
                body = await self._get("/usage_report/claude_code", Report.CLAUDE_CODE.value, query, cursor)
                digest = _digest(body)
                if len(marks) < len(known) and known[len(marks)][0] == digest:
                    cursor = known[len(marks)][1]
                    unread.append(body)
                else:
                    for skipped in unread:
                        rows += (await asyncio.to_thread(wire.claude_code, skipped, day)).rows
                    unread.clear()
                    page = await asyncio.to_thread(wire.claude_code, body, day)
                    rows += page.rows
                    known, cursor = (), page.next_page
                _refuse_loop(cursor, marks)
            marks.append((digest, cursor))
            if cursor is None:
                unchanged = bool(known) and len(marks) == len(known)
                return UsageDay(None if unchanged else rows, tuple(marks))

    async def cost(self, first: date, last: date) -> CostDays:
        """Return what cost_report says of the days from `first` to `last` (both included, at most 31).

        A day's value is its rows, or why that day can not be read; a day that the answer leaves out is not there.
        Both bounds are sent, aligned to midnight UTC, the end exclusive: other bounds are refused with 400
        (Usage and Cost API guide, and integrators' reports). Raises ApiError.
        """
        query: dict[str, str | list[str]] = {
            "starting_at": f"{midnight(first):%Y-%m-%dT%H:%M:%SZ}",
            "ending_at": f"{midnight(last + DAY):%Y-%m-%dT%H:%M:%SZ}",
            "bucket_width": "1d",
            "group_by[]": ["description", "workspace_id"],
            "limit": "31",
        }
        try:
            return await self._cost(query, first, last)
        except ApiCursorRefused:
            return await self._cost(query, first, last)

    async def _cost(self, query: Mapping[str, str | list[str]], first: date, last: date) -> CostDays:
        days: CostDays = {}
        marks: list[Mark] = []
        cursor: str | None = None
        while True:
            async with self._attempt(Report.COST.value, f"cost {first} to {last}"):
                body = await self._get("/cost_report", Report.COST.value, query, cursor)
                page = await asyncio.to_thread(wire.cost, body)
                if strange := [day for day in page.days if not first <= day <= last]:
                    raise ApiShapeChanged(f"{min(strange)} was not asked for")
                if twice := days.keys() & page.days.keys():
                    raise ApiShapeChanged(f"{min(twice)} stands on two pages")
                cursor = page.next_page
                _refuse_loop(cursor, marks)
            self._count_bad_days(page.days.values())
            days |= page.days
            marks.append(("", cursor))
            if cursor is None:
                return days

    def _count_bad_days(self, days: Iterable[list[CostRow] | ApiShapeChanged]) -> None:
        for error in days:
            if isinstance(error, ApiShapeChanged):
                self._telemetry.failed(Report.COST.value, error.reason)

    async def directory(self) -> Directory:
        """Return the organisation and the names of its workspaces, archived ones too; raises ApiError."""
        async with self._attempt(DIRECTORY, "organisation"):
            organization = wire.organization(await self._get("/me", DIRECTORY, {}, None))
        names = {wire.DEFAULT_WORKSPACE: wire.DEFAULT_WORKSPACE}
        query = {"limit": "1000", "include_archived": "true"}
        after: str | None = ""
        while after is not None:
            async with self._attempt(DIRECTORY, "workspaces"):
                more = {**query, "after_id": after} if after else query
                page = wire.workspaces(await self._get("/workspaces", DIRECTORY, more, None))
                if page.after_id is not None and page.names.keys() <= names.keys():
                    raise ApiShapeChanged("the list of workspaces does not end")
            names |= page.names
            after = page.after_id
        return Directory(organization, names)

    @asynccontextmanager
    async def _attempt(self, report: str, what: str) -> AsyncIterator[None]:
        """Count a failure, and say in its message what was asked for."""
        try:
            yield
        except ApiError as error:
            self._telemetry.failed(report, error.reason)
            error.args = (f"{what}: {error}",)
            raise

    async def _get(self, path: str, report: str, query: Mapping[str, str | list[str]], cursor: str | None) -> bytes:
        key = self._current_key()
        params = {**query, "page": cursor} if cursor else query
        await self._budget()
        async with self._one_at_a_time:
            self._telemetry.requested(report)
            begun = time.perf_counter()
            try:
                async with asyncio.timeout(WHOLE_REQUEST):
                    status, headers, body = await self._exchange(path, params, key)
            except (httpx.TimeoutException, TimeoutError):
                raise ApiTimeout(f"no whole answer within {WHOLE_REQUEST:g} s") from None
            except httpx.TransportError as error:
                detail = answers.scrubbed(str(error) or type(error).__name__, key)
                raise ApiUnreachable(f"no connection: {detail}; check the network and ANTHROPIC_BASE_URL") from None
            except httpx.DecodingError:
                raise ApiShapeChanged("the body's compression is damaged") from None
            finally:
                self._telemetry.answered(report, time.perf_counter() - begun)
        if status != httpx.codes.OK:
            raise answers.refusal(status, headers, body, key=key, now=self._now(), with_cursor=cursor is not None)
        return body

    async def _exchange(
        self, path: str, params: Mapping[str, str | list[str]], key: str
    ) -> tuple[int, httpx.Headers, bytes]:
        request = self._http.build_request("GET", PREFIX + path, params=params, headers={"x-api-key": key})
        response = await self._http.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise ApiShapeChanged(f"the body is larger than {LARGEST_BODY} bytes")
            return response.status_code, response.headers, bytes(body)
        finally:
            await response.aclose()

    async def _budget(self) -> None:
        begun = time.perf_counter()
        await self._limiter.acquire()
        waited = time.perf_counter() - begun
        if waited > 0.001:  # noqa: PLR2004 - less is the cost of asking
            self._telemetry.waited(waited)

    def _current_key(self) -> str:
        """Return the key; the last one while its file can not be read, which happens while it is replaced."""
        try:
            self._key = self._read_key()
        except SettingsError as error:
            if self._key is None:
                raise ApiUnauthorized(str(error)) from None
        return self._key


def _limiter(requests_per_minute: int) -> AsyncLimiter:
    """Return a limiter that lets a short burst through and keeps any 60 seconds within the budget.

    A leaky bucket of size b that leaks r a minute lets b + r through in a minute: so r is the budget less b.
    """
    burst = requests_per_minute // 6
    if burst <= 1:
        return AsyncLimiter(1, 60 / requests_per_minute)
    return AsyncLimiter(burst, 60 * burst / (requests_per_minute - burst))


def _digest(body: bytes) -> str:
    return hashlib.blake2b(body, digest_size=16, person=b"reader-1").hexdigest()


def _refuse_loop(cursor: str | None, marks: list[Mark]) -> None:
    if cursor is not None and any(cursor == known for _, known in marks):
        raise ApiShapeChanged("the page cursor does not move on")
