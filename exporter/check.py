"""`check`: try everything that `serve` needs, and say what works; one line each, and each cause once."""

import http.client
import re
import ssl
from collections.abc import AsyncIterator, Callable, Collection, Coroutine, Iterator
from datetime import date
from functools import partial
from ipaddress import ip_address
from typing import Any, Literal, NamedTuple
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

from exporter import reports
from exporter.api.transport import Transport
from exporter.days import database
from exporter.errors import (
    ApiError,
    ApiForbidden,
    ApiNotFound,
    ApiShapeChanged,
    ApiTimeout,
    ApiUnauthorized,
    ApiUnreachable,
    ExporterError,
    SettingsError,
)
from exporter.model import DAY
from exporter.reports import Sources, directory
from exporter.reports.report import Listing, Report
from exporter.service import listening, make_sources, make_transport
from exporter.settings import Settings
from exporter.telemetry import Telemetry
from exporter.values import ListenAddress
from exporter.web.toolkit import config as webconfig
from exporter.web.toolkit.tls import ssl_context

API, SETTINGS = 1, 2
RUNNING = "in use by the running exporter"
NOT_TRIED = "not tried, for the reason above"
PROBE_SECONDS = 4.0
LOOPBACK = {4: "127.0.0.1", 6: "::1"}
Attempt = Callable[[], Coroutine[Any, Any, str]]


class Finding(NamedTuple):
    """What was tried and how it went; `exit_code` is that of `serve` for the same cause."""

    state: Literal["ok", "none", "FAIL", "skip", "same", "diff"]
    what: str
    detail: str
    exit_code: int = 0

    def __str__(self) -> str:
        return f"{self.state:5} {self.what}: {self.detail}"


async def check(settings: Settings, today: date) -> AsyncIterator[Finding]:
    """Yield what becomes of everything that `serve` needs, in the order in which it is tried."""
    what = "key"
    try:
        settings.admin_key()
        what = "network"
        transport = make_transport(settings, Telemetry(reports.NAMES))
    except SettingsError as error:
        yield Finding("FAIL", what, str(error), SETTINGS)
        yield Finding("skip", "reports", NOT_TRIED)
    else:
        try:
            async for finding in api(transport, settings, today):
                yield finding
        finally:
            await transport.close()
    for finding in local(settings):
        yield finding


async def api(transport: Transport, settings: Settings, today: date) -> AsyncIterator[Finding]:
    """Yield what becomes of the key, the network, and each listing and report.

    Stops at an error that every later attempt would repeat.
    """
    url = settings.anthropic_base_url + _proxy(settings.anthropic_base_url)
    reached, causes = False, set()
    for what, attempt, optional in _attempts(transport, make_sources(settings), today):
        try:
            finding = Finding("ok", what, await attempt())
        except (ApiUnreachable, ApiTimeout) as error:
            yield (
                Finding("FAIL", what, str(error), API)
                if reached
                else Finding("FAIL", "network", f"{url}: {error}", API)
            )
            break
        except ApiUnauthorized as error:
            yield Finding("ok", "network", f"{url} answers")
            yield Finding("FAIL", "key", str(error), API)
            break
        except ApiError as error:
            if optional and isinstance(error, ApiForbidden | ApiNotFound):
                yield Finding("none", what, f"optional, and not for this key: {error}")
                continue
            cause = re.sub(r"; request-id [^)]*", "", str(error))
            finding = Finding("FAIL", what, "same as above" if cause in causes else str(error), API)
            causes.add(cause)
        if not reached:
            reached = True
            yield Finding("ok", "network", f"{url} answers")
            yield Finding("ok", "key", f"accepted, from {settings.key_file or 'ANTHROPIC_ADMIN_KEY'}")
        yield finding
    else:
        return
    yield Finding("skip", "reports", NOT_TRIED)


def local(settings: Settings) -> Iterator[Finding]:
    """Yield what becomes of the web configuration, the data folder and the port, without leaving a trace."""
    yield _tried("web configuration", partial(_web_configuration, settings))
    folder, address = settings.exporter_data_dir, settings.exporter_listen_address
    if database.is_locked(folder) and _is_exporter(address):
        yield Finding("ok", "data folder", f"{folder}, {RUNNING}")
        yield Finding("ok", "port", f"{address}, {RUNNING}")
        return
    yield _tried("data folder", partial(database.examine, folder))
    yield _tried("port", partial(_port, address))


def _attempts(transport: Transport, sources: Sources, today: date) -> Iterator[tuple[str, Attempt, bool]]:
    """Yield (what, attempt, whether some keys may not read it)."""
    yesterday, listed = today - DAY, dict[str, Any]()

    def workspace_ids() -> Collection[str] | None:
        return directory.workspace_ids(listed.get(directory.NAME))

    for listing in reports.listings(workspace_ids=workspace_ids):
        yield f"{listing.name} listing", partial(_listing, transport, listing, listed), listing.optional
    for report in reports.reports(sources=sources, workspace_ids=workspace_ids):
        what = f"{report.name} report for {yesterday}"
        yield what, partial(_day, transport, report, yesterday), report.optional


async def _listing(transport: Transport, listing: Listing[Any], listed: dict[str, Any]) -> str:
    listed[listing.name] = value = await listing.fetch(transport)
    samples = listing.samples(value)
    return ", ".join(f"{len(found)} {family}" for family, found in samples.items())


async def _day(transport: Transport, report: Report[Any], day: date) -> str:
    try:
        answer = await report.source.fetch(transport, day, day)
    except (ApiForbidden, ApiNotFound) as error:
        error.args = (missing(report, error),)
        raise
    rows = report.source.read(answer.bodies, day, day).get(day, ApiShapeChanged("the answer leaves this day out"))
    if isinstance(rows, ApiError):
        raise rows
    if rows is None:
        return "readable, and the API has nothing of this day yet"
    return f"{len(rows)} rows" if rows else "readable, nothing on this day"


def missing(report: Report[Any], error: ApiForbidden | ApiNotFound) -> str:
    """Return the text of an error, and the setting to change where the API has no such report."""
    retired = isinstance(error, ApiNotFound) or not report.source.missing_for
    return f"{error} {report.source.if_missing}".strip() if retired else str(error)


def _proxy(url: str) -> str:
    """Return through which proxy a URL is reached, without its password; empty for none."""
    parts, proxies = urlsplit(url), getproxies()
    proxy = proxies.get("https") or proxies.get("all")
    if parts.scheme != "https" or not proxy or proxy_bypass(parts.hostname or ""):
        return ""
    return f" through the proxy {urlsplit(proxy).netloc.rpartition('@')[2]}"


def _tried(what: str, attempt: Callable[[], str]) -> Finding:
    try:
        return Finding("ok", what, attempt())
    except ExporterError as error:
        return Finding("FAIL", what, str(error), SETTINGS if isinstance(error, SettingsError) else API)


def _web_configuration(settings: Settings) -> str:
    path = settings.exporter_web_config_file
    if path is None:
        return "none, so no TLS and no passwords"
    config = webconfig.load(path)
    if config.tls_server_config:
        ssl_context(config.tls_server_config)
    users = len(config.basic_auth_users)
    return f"{path}, {'TLS' if config.tls_server_config else 'no TLS'}, {users} user{'' if users == 1 else 's'}"


def _port(address: ListenAddress) -> str:
    with listening(address):
        return f"{address} is free"


def _is_exporter(address: ListenAddress) -> bool:
    """Return whether an exporter answers at an address. One that wants a client certificate counts as one."""
    return any(_answers(address, tls=tls) for tls in (False, True))


def _loopback(host: str) -> str:
    """Return where a server on all interfaces can be reached; any other host as it is."""
    try:
        address = ip_address(host or "::")
    except ValueError:
        return host
    return host if not address.is_unspecified else "localhost" if not host else LOOPBACK[address.version]


def _answers(address: ListenAddress, *, tls: bool) -> bool:
    host = _loopback(address.host)
    unverified = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    unverified.check_hostname, unverified.verify_mode = False, ssl.CERT_NONE  # its certificate is for another name
    connection = (
        http.client.HTTPSConnection(host, address.port, timeout=PROBE_SECONDS, context=unverified)
        if tls
        else http.client.HTTPConnection(host, address.port, timeout=PROBE_SECONDS)
    )
    try:
        connection.connect()
        connection.request("GET", "/-/healthy")
        return connection.getresponse().read(100).startswith(b"anthropic-exporter")
    except ssl.SSLError as error:
        return "ALERT" in (error.reason or "")
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()
