"""The composition root: settings into a running exporter, its schedule, its signals and its end."""

import asyncio
import errno
import gc
import hashlib
import os
import signal
import socket
import time
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

import structlog
import uvicorn
from apscheduler.schedulers.asyncio import AsyncIOScheduler
from starlette.types import ASGIApp

from exporter import __version__
from exporter.api.transport import Client
from exporter.days.ledger import Ledger
from exporter.days.store import Store
from exporter.errors import SettingsError
from exporter.model import Report
from exporter.ports import Clock
from exporter.refresh.refresher import Refresher
from exporter.settings import ListenAddress, Settings
from exporter.telemetry import Telemetry
from exporter.web.app import ReportStatus, Status, create_app, moment
from exporter.web.toolkit import config as webconfig
from exporter.web.toolkit.basic_auth import BasicAuth
from exporter.web.toolkit.config import WebConfigFile
from exporter.web.toolkit.http_protocol import BoundedHttpProtocol
from exporter.web.toolkit.limits import RateLimit, SecurityHeaders
from exporter.web.toolkit.tls import reloading_context

TICK_SECONDS = 15
GRACE_SECONDS = 3
COLLECT_AFTER = (10_000, 5, 1000)
"""Garbage in cycles is looked for this seldom: rows are many and hold none, and each search stops the process."""
SYSTEM_CLOCK = Clock(now=lambda: datetime.now(UTC), monotonic=time.monotonic)
NAMES = "names"
log = structlog.get_logger()


def make_client(settings: Settings, telemetry: Telemetry, clock: Clock = SYSTEM_CLOCK) -> Client:
    """Return a client of the API that the settings name."""
    return Client(
        base_url=settings.anthropic_base_url,
        version=settings.anthropic_version,
        key=settings.admin_key,
        requests_per_minute=settings.exporter_requests_per_minute,
        telemetry=telemetry,
        now=clock.now,
    )


def make_ledger(settings: Settings, store: Store) -> Ledger:
    """Return a ledger that shows and stores users as EXPORTER_USER_LABEL says.

    When that changed, or the key of the digests did, the days of Claude Code are forgotten and read again: a digest can
    not be turned back, and a name that is not wanted any more must not stay in the file.
    """
    label = settings.exporter_user_label
    key = None if label == "email" else _hash_key(settings, store)
    stored_as = f"digest {hashlib.sha256(key).hexdigest()[:8]}" if key else "plain"
    known_as = store.note(NAMES)
    if known_as not in (None, stored_as):
        log.warning("users are named otherwise now: the days of claude_code are read again", user_label=label)
        store.forget(Report.CLAUDE_CODE)
    if known_as != stored_as:  # so that a start on a full disk writes nothing
        store.put_note(NAMES, stored_as)
    return Ledger(store, max_users=settings.exporter_max_users, per_user=label != "none", hash_key=key)


def _hash_key(settings: Settings, store: Store) -> bytes:
    given = settings.exporter_user_hash_key
    return given.get_secret_value().encode() if given else store.hash_key()


@asynccontextmanager
async def refreshing(
    settings: Settings, store: Store, telemetry: Telemetry, clock: Clock = SYSTEM_CLOCK
) -> AsyncIterator[Refresher]:
    """Yield a refresher that has published what the store holds; the schedule is the caller's."""
    client = make_client(settings, telemetry, clock)
    refresher = Refresher(
        client,
        make_ledger(settings, store),
        telemetry,
        clock,
        window_days=settings.exporter_window_days,
        ttl=settings.exporter_cache_ttl,
    )
    try:
        await refresher.start()
        yield refresher
    finally:
        await refresher.stop()
        await client.close()


async def serve(settings: Settings, store: Store, *, started: Callable[[str], None] = lambda _: None) -> None:
    """Serve until SIGTERM or SIGINT; `started` is told the address. Raises SettingsError when it can not listen."""
    gc.set_threshold(*COLLECT_AFTER)
    telemetry = Telemetry()
    web_config = settings.exporter_web_config_file
    tls = web_config is not None and webconfig.load(web_config).tls_server_config is not None
    with listening(settings.exporter_listen_address, "https" if tls else "http") as (listener, address):
        async with refreshing(settings, store, telemetry) as refresher:
            app = create_app(refresher, telemetry, partial(status, refresher), __version__)
            server = Server(_server_config(app, settings.exporter_web_config_file, telemetry))
            scheduler = AsyncIOScheduler(timezone=UTC)
            scheduler.add_job(refresher.tick, "interval", seconds=TICK_SECONDS, next_run_time=datetime.now(UTC))
            scheduler.start()
            _stop_on_signals(server, refresher)
            gc.freeze()
            log.info("listening", address=address, version=__version__)
            started(address)
            try:
                await server.serve(sockets=[listener])
            finally:
                scheduler.shutdown(wait=False)
    log.info("stopped")


def _server_config(app: ASGIApp, web_config: Path | None, telemetry: Telemetry) -> uvicorn.Config:
    """Return uvicorn's configuration for the application behind what the web configuration file asks for."""

    def told(outcome: str) -> None:
        if outcome == "refused":
            telemetry.reload_failed()

    context = None
    if web_config is None:
        app = SecurityHeaders(app)
    else:
        file = WebConfigFile(web_config, told)
        context = reloading_context(file, told)
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


class Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which would end the process before the store is closed."""

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave the signals to `serve`."""
        yield


def _stop_on_signals(server: uvicorn.Server, refresher: Refresher) -> None:
    def stop() -> None:
        server.should_exit = True
        refresher.let_go()

    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop)


@contextmanager
def listening(address: ListenAddress, scheme: str = "http") -> Iterator[tuple[socket.socket, str]]:
    """Yield a listening socket and its URL; an empty host is every interface, of both IP versions where there are."""
    every = not address.host
    family = socket.AF_INET6 if ":" in address.host or (every and socket.has_dualstack_ipv6()) else socket.AF_INET
    try:
        listener = socket.create_server(
            (address.host, address.port), family=family, dualstack_ipv6=every and family == socket.AF_INET6, backlog=512
        )
    except OSError as error:
        reason = "it is in use" if error.errno == errno.EADDRINUSE else os.strerror(error.errno or 0)
        raise SettingsError(f"EXPORTER_LISTEN_ADDRESS: {address} can not be listened on: {reason}") from error
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)  # accepted connections inherit it
    with listener:
        host = "localhost" if every else f"[{address.host}]" if ":" in address.host else address.host
        yield listener, f"{scheme}://{host}:{listener.getsockname()[1]}"


def status(refresher: Refresher) -> Status:
    """Return what the status page shows now."""
    reports = []
    for report, health in refresher.published.health.items():
        standing = refresher.standings[report]
        success = None if health.last_success is None else datetime.fromtimestamp(health.last_success, UTC)
        reports.append(
            ReportStatus(
                name=report.value,
                state={None: "not tried yet", True: "works", False: "fails"}[health.up],
                last_success=moment(success),
                newest_date=str(health.newest_date or "none"),
                coverage=f"{health.coverage:.1%}",
                error=f"{moment(standing.failed_at)}: {standing.error}" if standing.error else "none",
            )
        )
    page = refresher.page
    return Status(refresher.published.headlines, reports, f"{page.series:,} series, {len(page.body):,} bytes.")
