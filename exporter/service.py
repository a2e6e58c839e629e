"""The composition root: from settings to a running exporter, with its schedule, signals and shutdown."""

import asyncio
import errno
import gc
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Callable, Collection, Iterator, Mapping
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Literal

import structlog
import uvicorn
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from starlette.applications import Starlette
from starlette.types import ASGIApp

from exporter import __version__, memory, notify, reports
from exporter.api.transport import Transport
from exporter.clock import SYSTEM_CLOCK, Clock
from exporter.days.ledger import Ledger
from exporter.days.snapshot import Snapshot
from exporter.days.store import Store
from exporter.errors import SettingsError
from exporter.refresh.pace import Pace
from exporter.refresh.refresher import Refresher
from exporter.reload import Reload
from exporter.reports import Sources, api_keys, directory
from exporter.reports.names import Names
from exporter.settings import Settings
from exporter.telemetry import Telemetry
from exporter.values import ListenAddress
from exporter.web import api, site
from exporter.web import reload as reloading
from exporter.web.app import create_app
from exporter.web.reporting import Reporting
from exporter.web.status import report_statuses
from exporter.web.toolkit import config as webconfig
from exporter.web.toolkit.basic_auth import BasicAuth
from exporter.web.toolkit.config import OnReload, WebConfigFile
from exporter.web.toolkit.http_protocol import BoundedHttpProtocol
from exporter.web.toolkit.limits import RateLimit, SecurityHeaders
from exporter.web.toolkit.tls import reloading_context

TICK_SECONDS = 15
GRACE_SECONDS = 3
SWITCH_SECONDS = 0.0005
"""How long the worker thread may keep the interpreter while a scrape waits for it; Python's default is 5 ms."""
GC_THRESHOLDS = (10_000, 5, 1000)
"""Raised GC thresholds: rows form no reference cycles, and every collection stalls the process."""
log = structlog.get_logger()


def make_transport(settings: Settings, telemetry: Telemetry, clock: Clock = SYSTEM_CLOCK) -> Transport:
    """Return the transport to the API that the settings name."""
    return Transport(
        base_url=settings.anthropic_base_url,
        version=settings.anthropic_version,
        key=settings.admin_key,
        requests_per_minute=settings.exporter_requests_per_minute,
        telemetry=telemetry,
        now=clock.now,
        monotonic=clock.monotonic,
    )


def make_names(settings: Settings, store: Store | Snapshot) -> Names:
    """Return how users are named, as EXPORTER_USER_LABEL says."""
    label = settings.exporter_user_label
    return Names(key=None if label == "email" else _hash_key(settings, store), shown=label != "none")


def make_ledger(settings: Settings, store: Store) -> Ledger:
    """Return the ledger of every report."""
    names = make_names(settings, store)

    def workspace_ids() -> Collection[str] | None:
        return directory.workspace_ids(ledger.listed.value(directory.NAME))

    def key_names() -> Mapping[str, str]:
        return api_keys.shown_names(ledger.listed.value(api_keys.NAME))

    sources, most = make_sources(settings), settings.exporter_max_users
    all_reports = reports.reports(names, most, sources, workspace_ids, key_names)
    ledger = Ledger(store, all_reports, reports.listings(names, workspace_ids), repr(settings))
    return ledger


def make_sources(settings: Settings) -> Sources:
    """Return where the bill and the tokens are read."""
    return Sources(settings.exporter_cost_source, settings.exporter_usage_source)


def _hash_key(settings: Settings, store: Store | Snapshot) -> bytes:
    given = settings.exporter_user_hash_key
    return given.get_secret_value().encode() if given else store.hash_key()


@asynccontextmanager
async def refreshing(
    settings: Settings, store: Store, telemetry: Telemetry, clock: Clock = SYSTEM_CLOCK
) -> AsyncIterator[Refresher]:
    """Yield a refresher that has published what the store holds. The caller schedules it."""
    ledger = make_ledger(settings, store)
    transport = make_transport(settings, telemetry, clock)
    refresher = Refresher(
        transport,
        ledger,
        telemetry,
        clock,
        window_days=settings.exporter_window_days,
        pace=Pace(ttl=settings.exporter_cache_ttl, requests_per_minute=settings.exporter_requests_per_minute),
        max_series_warn=settings.exporter_max_series_warn,
    )
    try:
        await refresher.start()
        yield refresher
    finally:
        await refresher.stop()
        await transport.close()


def make_app(
    refresher: Refresher,
    settings: Settings,
    store: Store,
    telemetry: Telemetry,
    *,
    simulated: bool = False,
    reload: Callable[[], str | None] = lambda: None,
) -> Starlette:
    """Return the application: metrics, the page, the numbers as JSON and files, and `/-/reload`."""
    reporting = Reporting(refresher, refresher.ledger, make_names(settings, store), settings.exporter_max_users)
    pages = site.routes(reporting, partial(report_statuses, refresher), version=__version__, simulated=simulated)
    return create_app(refresher, telemetry, [*pages, *api.routes(reporting), *reloading.routes(reload)])


async def serve(
    settings: Settings,
    store: Store,
    *,
    simulated: bool = False,
    started: Callable[[str], None] = lambda _: None,
) -> None:
    """Serve until SIGTERM or SIGINT; `started` is called with the address. Raises SettingsError if it cannot listen.

    `simulated` is for the demo: the page says so.
    """
    gc.set_threshold(*GC_THRESHOLDS)
    memory.give_back_large_blocks()
    sys.setswitchinterval(SWITCH_SECONDS)
    telemetry = Telemetry(reports.label_values(make_sources(settings)))
    reload = Reload(settings.admin_key, telemetry, SYSTEM_CLOCK)
    web_config = settings.exporter_web_config_file
    tls = web_config is not None and webconfig.load(web_config).tls_server_config is not None
    with listening(settings.exporter_listen_address, "https" if tls else "http") as (listener, address):
        async with refreshing(settings, store, telemetry) as refresher:
            app = make_app(refresher, settings, store, telemetry, simulated=simulated, reload=reload)
            server = Server(_server_config(app, settings.exporter_web_config_file, telemetry, reload))
            scheduler = AsyncIOScheduler(timezone=UTC)
            scheduler.add_job(_once_loaded, args=[refresher, scheduler])
            scheduler.add_job(_hourly_line(telemetry), "interval", hours=1)
            if (watchdog := notify.watchdog_seconds()) is not None:
                scheduler.add_job(notify.alive, "interval", seconds=watchdog / 3, misfire_grace_time=None)
            scheduler.start()
            _stop_on_signals(server, refresher)
            asyncio.get_running_loop().add_signal_handler(signal.SIGHUP, reload)
            log.info("listening", address=address, version=__version__)
            started(address)
            notify.send(notify.READY)
            try:
                await server.serve(sockets=[listener])
            finally:
                scheduler.shutdown(wait=False)
    log.info("stopped")


async def _once_loaded(refresher: Refresher, scheduler: AsyncIOScheduler) -> None:
    """Exempt the sums of the stored days from garbage collection, and begin to tick."""
    await refresher.loaded()
    gc.freeze()
    scheduler.add_job(refresher.tick, "interval", seconds=TICK_SECONDS, next_run_time=datetime.now(UTC))


def _server_config(app: ASGIApp, web_config: Path | None, telemetry: Telemetry, reload: Reload) -> uvicorn.Config:
    """Return uvicorn's configuration for the application behind what the web configuration file asks for."""

    def on_reload(part: str) -> OnReload:
        note = reload.noted(part)

        def noted(outcome: Literal["applied", "refused"]) -> None:
            note(outcome)
            if outcome == "refused":
                telemetry.reload_failed()

        return noted

    context = None
    if web_config is None:
        app = SecurityHeaders(app)
    else:
        file = WebConfigFile(web_config, on_reload("web configuration"))
        context = reloading_context(file, on_reload("TLS"))
        reload.web = [file.reload, *([context.reload] if context else [])]
        app = BasicAuth(app, users=file.users, on_failure=telemetry.auth_failed)
        app = SecurityHeaders(RateLimit(app, limit=file.rate_limit), headers=file.headers)
    return uvicorn.Config(
        app,
        http=BoundedHttpProtocol,
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        lifespan="off",
        timeout_graceful_shutdown=GRACE_SECONDS,
        ssl_context_factory=(lambda _config, _default: context) if context else None,
    )


def _hourly_line(telemetry: Telemetry) -> Callable[[], None]:
    """Return a function that logs the requests since it was last called."""
    before = telemetry.requests()

    def say() -> None:
        nonlocal before
        now = telemetry.requests()
        log.info("requests in the last hour", sent=now[0] - before[0], failed=now[1] - before[1])
        before = now

    return say


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which would end the process before the store is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `serve`."""
        yield


def _stop_on_signals(server: uvicorn.Server, refresher: Refresher) -> None:
    def stop() -> None:
        notify.send(notify.STOPPING)
        server.should_exit = True
        refresher.release_scrapes()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


@contextmanager
def listening(address: ListenAddress, scheme: str = "http") -> Iterator[tuple[socket.socket, str]]:
    """Yield a listening socket and its URL; an empty host is every interface, of both IP versions where available."""
    every = not address.host
    family = socket.AF_INET6 if ":" in address.host or (every and socket.has_dualstack_ipv6()) else socket.AF_INET
    try:
        listener = socket.create_server(
            (address.host, address.port), family=family, dualstack_ipv6=every and family == socket.AF_INET6, backlog=512
        )
    except OSError as error:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
        raise SettingsError(f"EXPORTER_LISTEN_ADDRESS: {address} cannot be listened on: {reason}") from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    with listener:
        host = "localhost" if every else f"[{address.host}]" if ":" in address.host else address.host
        yield listener, f"{scheme}://{host}:{listener.getsockname()[1]}"
