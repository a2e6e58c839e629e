"""The image's HEALTHCHECK: ask the exporter in this container for `/-/healthy`. Exit code 0 when it answers, else 1.

It reads the same environment as the exporter, so that it follows another port, and TLS. A server that refuses us for
want of a client certificate is alive: that answer is enough.
"""

# ruff: noqa: INP001, T201 - a script of its own, which prints

import http.client
import os
import re
import ssl
import sys
from pathlib import Path

TIMEOUT_SECONDS = 4
"""Less than the HEALTHCHECK's own, so that the reason is printed."""


def main() -> int:
    """Print what was found, and return 0 when the exporter is healthy, else 1."""
    host, port = _address()
    try:
        found = _ask(host, port)
    except ssl.SSLError as error:
        if "ALERT" not in (error.reason or ""):
            return _unhealthy(error)
        found = "it wants a client certificate"
    except (OSError, ValueError, http.client.HTTPException) as error:
        return _unhealthy(error)
    print(f"healthy: {found}")
    return 0


def _unhealthy(error: Exception) -> int:
    print(f"not healthy: {error!r}", file=sys.stderr)
    return 1


def _address() -> tuple[str, int]:
    host, _, port = os.environ.get("EXPORTER_LISTEN_ADDRESS", "").strip().rpartition(":")
    every = {"": "127.0.0.1", "0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104 - where to ask when it listens everywhere
    host = host.strip("[]")
    return every.get(host, host), int(port or 10918)


def _ask(host: str, port: int) -> str:
    connection = (
        http.client.HTTPSConnection(host, port, timeout=TIMEOUT_SECONDS, context=_trusting())
        if _speaks_tls()
        else http.client.HTTPConnection(host, port, timeout=TIMEOUT_SECONDS)
    )
    try:
        connection.request("GET", "/-/healthy")
        answer = connection.getresponse()
        if answer.status != http.HTTPStatus.OK:
            raise ValueError(f"status {answer.status}")
        return answer.read(200).decode(errors="replace").strip()
    finally:
        connection.close()


def _speaks_tls() -> bool:
    file = os.environ.get("EXPORTER_WEB_CONFIG_FILE")
    text = Path(file).read_text("utf-8") if file else ""
    return re.search(r"^tls_server_config\s*:", text, re.MULTILINE) is not None


def _trusting() -> ssl.SSLContext:
    """Return a context that checks no certificate: its names are not ours, and nothing secret is sent."""
    context = ssl.create_default_context()
    context.check_hostname = False
    context.verify_mode = ssl.CERT_NONE
    return context


if __name__ == "__main__":
    sys.exit(main())
