"""Authenticated HTTP to the Admin API: timeouts, size limits and the request budget. Knows no report.

Requests are sent one at a time, because the budget belongs to the whole organisation. A failed request is not repeated
here: the refresh decides when a report is retried. The key is sent to the configured host only, redirects are refused,
and no error contains it.
"""

import asyncio
import os
import ssl
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime

import httpx

from exporter import __version__
from exporter.api import refusals
from exporter.api.budget import Budget
from exporter.api.paging import Request
from exporter.clock import SYSTEM_CLOCK
from exporter.errors import ApiShapeChanged, ApiTimeout, ApiUnauthorized, ApiUnreachable, SettingsError
from exporter.telemetry import Telemetry

USER_AGENT = f"anthropic-exporter/{__version__} (https://github.com/anthropic-exporter/anthropic-exporter)"
TIMEOUT = httpx.Timeout(30, connect=10)
"""Seconds to connect, and between two pieces of a response."""
WHOLE_REQUEST = 90.0
"""Seconds for a whole exchange, however steadily its body arrives."""
LARGEST_BODY = 64 * 1024 * 1024
"""Bytes; a page of 1,000 records is about 1.5 MB."""
PREFIX = "/v1/organizations"


class Transport:
    """The Admin API of one organisation. `key` returns the Admin key as it is now, or raises SettingsError.

    `sent` counts requests. While `steady` is set, they are spread to a quarter of the budget.
    """

    steady = False
    sent = 0

    def __init__(
        self,
        *,
        base_url: str,
        version: str,
        key: Callable[[], str],
        requests_per_minute: int,
        telemetry: Telemetry,
        now: Callable[[], datetime] = SYSTEM_CLOCK.now,
        monotonic: Callable[[], float] = SYSTEM_CLOCK.monotonic,
    ) -> None:
        self._read_key = key
        self._key: str | None = None
        self._telemetry = telemetry
        self._now = now
        self._budget = Budget(requests_per_minute, monotonic)
        telemetry.limited(self._budget.allowed)
        self._one_at_a_time = asyncio.Lock()
        loopback = base_url.lower().startswith("http:")  # settings accept plain http for loopback only: no proxy
        with _named_variables():
            self._http = httpx.AsyncClient(
                base_url=base_url,
                headers={"anthropic-version": version, "user-agent": USER_AGENT, "accept": "application/json"},
                timeout=TIMEOUT,
                follow_redirects=False,
                trust_env=not loopback,
            )

    async def close(self) -> None:
        """Close all connections."""
        await self._http.aclose()

    def key_changed(self) -> bool:
        """Return whether the key differs from the one that was last sent."""
        try:
            return self._read_key() != self._key
        except SettingsError:
            return False

    async def get(self, request: Request, report: str, cursor: str | None = None) -> bytes:
        """Return the body of a 200. Raises ApiError."""
        if cursor:
            request = request._replace(query={**request.query, "page": cursor})
        await self._wait_for_budget()
        async with self._one_at_a_time:
            key = self._current_key()  # read last: it may have been replaced while this request waited
            response, body = await self._exchange(request, key, report)
        if response.status_code == httpx.codes.TOO_MANY_REQUESTS:
            self._budget.throttled()
        if response.status_code != httpx.codes.OK:
            with_cursor = cursor is not None
            raise refusals.refusal(
                response.status_code, response.headers, body, key=key, now=self._now(), with_cursor=with_cursor
            )
        return body

    async def _exchange(self, request: Request, key: str, report: str) -> tuple[httpx.Response, bytes]:
        """Send a request, count it, and read its whole response. Raises ApiError for what httpx raises."""
        self.sent += 1
        self._telemetry.requested(report)
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(WHOLE_REQUEST):
                return await self._send(request, key)
        except httpx.TimeoutException as error:
            raise ApiTimeout(f"timed out ({type(error).__name__}). {_CHECK_NETWORK}") from None
        except TimeoutError:
            raise ApiTimeout(f"no complete response within {WHOLE_REQUEST:g} s. {_CHECK_NETWORK}") from None
        except httpx.TransportError as error:
            detail = refusals.scrubbed(str(error) or type(error).__name__, key)
            advice = _TRUST_CA if "CERTIFICATE_VERIFY_FAILED" in detail else _CHECK_NETWORK
            raise ApiUnreachable(f"connection failed ({detail}). {advice}") from None
        except httpx.DecodingError:
            raise ApiShapeChanged("the body cannot be decompressed") from None
        finally:
            self._telemetry.answered(report, time.perf_counter() - begun)

    async def _send(self, what: Request, key: str) -> tuple[httpx.Response, bytes]:
        headers = {**what.headers, "x-api-key": key}
        request = self._http.build_request("GET", PREFIX + what.path, params=dict(what.query), headers=headers)
        response = await self._http.send(request, stream=True)
        try:
            body = bytearray()
            async for chunk in response.aiter_bytes():
                body += chunk
                if len(body) > LARGEST_BODY:
                    raise ApiShapeChanged(f"the body is larger than {LARGEST_BODY} bytes")
            return response, bytes(body)
        finally:
            await response.aclose()

    async def _wait_for_budget(self) -> None:
        begun = time.perf_counter()
        await self._budget.acquire()
        waited = time.perf_counter() - begun
        if waited > 0.001:  # noqa: PLR2004 - shorter waits are the cost of the call
            self._telemetry.waited(waited)
        if self.steady:
            await self._budget.spread()

    def _current_key(self) -> str:
        """Return the key, or the last one while its file cannot be read, which happens while the file is replaced."""
        try:
            self._key = self._read_key()
        except SettingsError as error:
            if self._key is None:
                raise ApiUnauthorized(str(error)) from None
        return self._key


_CHECK_NETWORK = "Check the network, the proxy and ANTHROPIC_BASE_URL."
_TRUST_CA = "For a private CA, set SSL_CERT_FILE to its certificate."


@contextmanager
def _named_variables() -> Iterator[None]:
    """Raise SettingsError with the name of the variable that httpx cannot use. A proxy's URL may hold a password."""
    try:
        yield
    except OSError as error:
        where = os.environ.get("SSL_CERT_FILE") or os.environ.get("SSL_CERT_DIR")
        problem = "has no certificate in PEM format" if isinstance(error, ssl.SSLError) else error.strerror
        raise SettingsError(f"SSL_CERT_FILE: {where} cannot be used: {problem}") from None
    except (ValueError, httpx.InvalidURL, ImportError):  # ImportError: a SOCKS proxy needs another package
        raise SettingsError("HTTPS_PROXY: must be the URL of an HTTP proxy, such as http://proxy.test:3128") from None
