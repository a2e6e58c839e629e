"""The image's HEALTHCHECK: request `/-/healthy` from the exporter in this container. Exit code 0 means healthy.

It reads the same variables as the exporter, so it uses the same port, and TLS if that is configured. A server that
requires a client certificate refuses the request. It is running, so it counts as healthy.
"""

# ruff: noqa: INP001, T201 - a script, which prints

import http.client
import os
import re
import ssl
import sys
from pathlib import Path

TIMEOUT_SECONDS = 4
"""Shorter than the timeout of HEALTHCHECK, so that the reason is printed."""


def main() -> int:
    """Print the result, and return 0 if the exporter is healthy, else 1."""
    host, port = _address()
    try:
        found = _ask(host, port)
    except (OSError, ValueError, http.client.HTTPException) as error:
        print(f"unhealthy: {error!r}", file=sys.stderr)
        return 1
    print(f"healthy: {found}")
    return 0


def _address() -> tuple[str, int]:
    host, _, port = os.environ.get("EXPORTER_LISTEN_ADDRESS", "").strip().rpartition(":")
    loopback = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - the address to connect to
    host = host.strip("[]")
    return loopback.get(host, host), int(port or 10918)


def _ask(host: str, port: int) -> str:
    tls = _speaks_tls()
    connection = (
        http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=_unverified())
        if tls
        else http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    )
    try:
        connection.connect()
        try:
            connection.request("GET", "/-/healthy")
            response = connection.getresponse()
        except (ssl.SSLError, ConnectionError):
            # With TLS 1.3 the server checks for a certificate after the client's part of the handshake. The client then
            # sees an alert, an end of file or a reset, depending on timing.
            if not tls:
                raise
            return "it refused a client without a certificate"
        if response.status != http.HTTPStatus.OK:
            raise ValueError(f"status {response.status}")
        return response.read(200).decode(errors="replace").strip()
    except ssl.SSLError as error:
        if "ALERT" in (error.reason or ""):  # TLS 1.2: within the handshake
            return "it refused a client without a certificate"
        raise
    finally:
        connection.close()


def _speaks_tls() -> bool:
    file = os.environ.get("EXPORTER_WEB_CONFIG_FILE")
    text = Path(file).read_text("utf-8") if file else ""
    return re.search(r"^tls_server_config\s*:", text, re.MULTILINE) is not None


def _unverified() -> ssl.SSLContext:
    """Return a context that accepts any certificate: it is not issued for loopback, and nothing secret is sent."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    sys.exit(main())
