"""Fetch days and listings into the ledger, and keep the health of each report: what failed, and when to retry it.

A report that fails keeps its last good numbers and is paused; the others continue. The ledger is used from one worker
thread, so no locks are needed and the event loop is never blocked.
"""

import asyncio
import random
from collections.abc import Callable, Collection
from concurrent.futures import ThreadPoolExecutor
from datetime import date
from functools import partial
from typing import Any, Protocol, TypeVar

import structlog

from exporter.api.paging import Answer, Getter
from exporter.clock import Clock
from exporter.days.ledger import Ledger
from exporter.errors import ApiCursorRefused, ApiError, ApiForbidden, ApiNotFound, ApiShapeChanged, StoreError
from exporter.refresh.health import Health
from exporter.refresh.plan import Fetch
from exporter.reports.report import Listing, Report
from exporter.telemetry import Telemetry

_T = TypeVar("_T")
_UNREADABLE = "Check ANTHROPIC_BASE_URL; if it is right, the API may have changed: look for a newer release."
log = structlog.get_logger()


class Api(Getter, Protocol):
    """What a refresh needs of the API. `api.transport.Transport` implements it.

    `sent` counts requests. While `steady` is set, they are spread to a quarter of the budget.
    """

    sent: int
    steady: bool

    def key_changed(self) -> bool:
        """Return whether the key differs from the one that was last sent."""


class Fetcher:
    """Fetches one thing at a time. `health` is by report and listing."""

    def __init__(self, api: Api, ledger: Ledger, telemetry: Telemetry, clock: Clock) -> None:
        self._api = api
        self._ledger = ledger
        self._telemetry = telemetry
        self._clock = clock
        self.health = {name: Health() for name in (*ledger.reports, *ledger.listed.listings)}
        self._worker = ThreadPoolExecutor(1, thread_name_prefix="ledger")
        self._store_failing = False

    def close(self) -> None:
        """End the worker thread."""
        self._worker.shutdown()

    async def in_worker(self, work: Callable[[], _T]) -> _T:
        """Run work that uses the ledger in the worker thread, and return its result."""
        return await asyncio.get_running_loop().run_in_executor(self._worker, work)

    def may_fetch(self, report: str) -> bool:
        """Return whether a report is not paused. A changed key ends the pauses of all refused reports."""
        monotonic = self._clock.monotonic()
        refused = [health for health in self.health.values() if health.key_refused and not health.may_fetch(monotonic)]
        if refused and self._api.key_changed():  # all at once: after the first request the key counts as sent
            for health in refused:
                health.end_pause()
        return self.health[report].may_fetch(monotonic)

    def refresh_started(self, *, recent: bool) -> None:
        """Note that a refresh starts."""
        for health in self.health.values():
            health.refresh_started(self._clock.monotonic(), recent=recent)

    def refresh_ended(self, *, recent: bool) -> None:
        """Note that a refresh has ended, and log the reports that have recovered."""
        for report, health in self.health.items():
            if health.refresh_ended(recent=recent):
                log.info("report recovered", report=report)
            self._show_health(report)

    async def fetch_days(self, fetch: Fetch) -> None:
        """Fetch days of a report, and take what can be read of them into the ledger."""
        report, days, read_at = self._ledger.reports[fetch.report], fetch.dates(), self._clock.now()
        try:
            answer = await self._answer(report, fetch)
            unreadable = await self.in_worker(partial(self._ledger.take, report, days, answer, read_at))
        except ApiError as error:
            advice = self._advice(report, error)
            never_read = self._ledger.last_read(report.name) is None
            if report.optional and never_read and self._is_not_for_key(report.name, error, advice):
                return
            self._failed(report.name, error, str(fetch), days, advice)
            return
        except Exception as error:  # a report with a defect must not stop the others
            log.exception("report cannot be read because of a defect: please report it", report=report.name)
            self._failed(report.name, ApiShapeChanged(f"unexpected {type(error).__name__}"), str(fetch), days)
            return
        await self.write(self._ledger.save)
        if readable := [day for day in days if day not in unreadable]:
            self.health[report.name].worked(readable)
        if unreadable:
            newest = max(unreadable)
            what = str(Fetch(report.name, newest, newest))
            self._failed(report.name, unreadable[newest], what, unreadable)

    async def _answer(self, report: Report[Any], fetch: Fetch) -> Answer:
        """Return every page of an answer. A refused cursor restarts once from the first page. Raises ApiError."""
        try:
            return await report.source.fetch(self._api, fetch.first, fetch.last)
        except ApiCursorRefused as error:
            self._telemetry.failed(report.name, error.reason)
            return await report.source.fetch(self._api, fetch.first, fetch.last)

    def _advice(self, report: Report[Any], error: ApiError) -> str:
        """Return what to do about a report that has been missing for as long as its source says, else nothing."""
        beta = not report.source.missing_for
        if not isinstance(error, ApiNotFound | ApiForbidden if beta else ApiNotFound):
            return ""
        now = self._clock.now()
        since = self._ledger.last_read(report.name) or self.health[report.name].missing_since(now)
        return report.source.if_missing if now - since >= report.source.missing_for else ""

    async def fetch_listing(self, listing: Listing[Any]) -> None:
        """Fetch a listing if it is due and not paused. An optional one may be refused: it is tried again in an hour."""
        if not self.may_fetch(listing.name) or not self._ledger.listed.is_due(listing, self._clock.now()):
            return
        try:
            value = await listing.fetch(self._api)
        except ApiError as error:
            if listing.optional and self._is_not_for_key(listing.name, error):
                await self.write(partial(self._ledger.listed.drop, listing))
                return
            self._failed(listing.name, error, f"{listing.name} listing")
            return
        except Exception as error:  # a listing with a defect must not stop the reports
            log.exception("listing cannot be read because of a defect: please report it", report=listing.name)
            self._failed(listing.name, ApiShapeChanged(f"unexpected {type(error).__name__}"), f"{listing.name} listing")
            return
        await self.write(partial(self._ledger.listed.take, listing, value, self._clock.now()))
        self.health[listing.name].worked()

    async def write(self, work: Callable[[], None]) -> None:
        """Run work that writes to the store. The ledger keeps what could not be written and tries again next time."""
        try:
            await self.in_worker(work)
            self._store_failing = False
        except StoreError as error:
            self._telemetry.store_failed()
            if not self._store_failing:
                log.warning("cannot write to the store: days are kept in memory until it works", error=str(error))
            self._store_failing = True

    def _is_not_for_key(self, report: str, error: ApiError, advice: str = "") -> bool:
        """Return whether the error says that this key may not read something optional, and note it."""
        if not isinstance(error, ApiForbidden | ApiNotFound):
            return False
        self.health[report].refused(self._clock.monotonic())
        error.args = (f"{error} {advice}".strip(),)
        log.info("optional report is not for this key: left out", report=report, error=str(error))
        self._show_health(report)
        return True

    def _failed(self, report: str, error: ApiError, what: str, days: Collection[date] = (), advice: str = "") -> None:
        """Count a failure, pause the report, and log it when the reason, or the advice, is new."""
        self._telemetry.failed(report, error.reason)
        more = _UNREADABLE if isinstance(error, ApiShapeChanged) else advice
        error.args = (f"{what}: {str(error).removesuffix('.')}. {more}" if more else f"{what}: {error}",)
        health, monotonic = self.health[report], self._clock.monotonic()
        jitter = random.random()  # noqa: S311 - spreads retries, guards nothing
        is_new = health.failed(error, days, now=self._clock.now(), monotonic=monotonic, jitter=jitter)
        if health.advised(advice) or is_new:
            pause = round(health.paused_until - monotonic, 1)
            log.warning("report failed", report=report, reason=error.reason, error=str(error), retry_in_seconds=pause)
        self._show_health(report)

    def _show_health(self, report: str) -> None:
        health = self.health[report]
        left = health.paused_until - self._clock.monotonic()
        until = self._clock.now().timestamp() + left if health.error and left > 0 else 0
        self._telemetry.reported(report, health.error.reason if health.error else None, until)
