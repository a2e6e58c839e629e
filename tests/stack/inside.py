"""Run in the sandbox by the image's own Python: start the container's command, try it, stop it, print what was found.

The plan comes as JSON in the first argument, the findings leave as one line of JSON. No time passes by sleeping: the
exporter's own line `listening` says when it can be asked.
"""

# ruff: noqa: T201 - its findings are what it prints

import json
import os
import signal
import subprocess
import sys
import time
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

KEY = "sk-ant-admin01-of-the-rehearsal-0123456789"
PORT = 10918
"""The container has a network of its own, so the image's own port is free."""


def main() -> None:
    """Carry out the plan."""
    plan: dict[str, Any] = json.loads(sys.argv[1])
    found: dict[str, Any] = {"confinement": confinement(), "before": _code(plan["healthcheck"])}
    with _api(wanted=plan["api"]) as extra:
        found |= try_out(plan["command"], plan["healthcheck"], extra)
    found["data"] = sorted(path.name for path in Path("/data").iterdir())
    print(json.dumps(found))


def try_out(command: Sequence[str], healthcheck: Sequence[str], extra: Mapping[str, str]) -> dict[str, Any]:
    """Start the command; when it listens, ask it as Docker and Prometheus would, then stop it as Docker does."""
    with subprocess.Popen(command, env={**os.environ, **extra}, stderr=subprocess.PIPE, text=True) as process:
        log: list[str] = []
        for line in process.stderr or ():
            log.append(line)
            if "listening" in line:
                break
        else:
            return {"exit": process.wait(), "log": "".join(log)}
        found = {"healthy": _code(healthcheck), "page": _page()}
        asked = time.monotonic()
        process.send_signal(signal.SIGTERM)
        log.append(process.communicate(timeout=30)[1])
        return {**found, "exit": process.returncode, "stopping": time.monotonic() - asked, "log": "".join(log)}


def confinement() -> dict[str, Any]:
    """Return who we are and what we may do."""
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return {
        "uid": os.getuid(),
        "capabilities": status["CapEff"].strip() + status["CapBnd"].strip(),
        "no_new_privileges": status["NoNewPrivs"].strip(),
        "writable": [path for path in ("/", "/opt/exporter", "/tmp", "/data") if _can_write(path)],  # noqa: S108
    }


def _can_write(folder: str) -> bool:
    probe = Path(folder, "probe")
    try:
        probe.touch()
    except OSError:
        return False
    probe.unlink()
    return True


def _code(command: Sequence[str]) -> int:
    return subprocess.run(command, capture_output=True, check=False).returncode


def _page() -> str:
    request = urllib.request.Request(
        f"http://127.0.0.1:{PORT}/metrics", headers={"X-Prometheus-Scrape-Timeout-Seconds": "60"}
    )
    with urllib.request.urlopen(request, timeout=90) as answer:  # noqa: S310 - a literal http address
        return str(answer.read().decode())


@contextmanager
def _api(*, wanted: bool) -> Iterator[dict[str, str]]:
    """Yield the settings of the simulated API on loopback, or none."""
    if not wanted:
        yield {}
        return
    from exporter.demo.api import create_api  # noqa: PLC0415 - the image has it; the plan without an API needs no time
    from exporter.demo.organization import Organization  # noqa: PLC0415
    from exporter.demo.server import serve_in_thread  # noqa: PLC0415

    api = create_api(Organization(datetime.now(UTC).date()), now=lambda: datetime.now(UTC), key=KEY)
    with serve_in_thread(api) as url:
        yield {"ANTHROPIC_BASE_URL": url, "EXPORTER_REQUESTS_PER_MINUTE": "100000"}


if __name__ == "__main__":
    main()
