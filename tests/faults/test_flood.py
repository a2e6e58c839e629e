"""API responses that are far too large: refused early, without using memory, in a real process."""

import gzip
from pathlib import Path

import pytest
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from exporter.api import transport as client
from exporter.demo.server import serve_in_thread
from exporter.reports import NAMES
from tests.integration.processes import environment, forked, upstream, wait_for

MIB = 1 << 20
SLACK = 40


@pytest.mark.integration
def test_a_gigabyte_body(tmp_path: Path) -> None:
    """Reading stops at the limit; two attempts use no lasting memory, and the numbers stay."""
    with upstream() as api, forked(tmp_path, environment(api.url, exporter_cache_ttl=1)) as exporter:
        exporter.filled()
        before = exporter.resident_mib()
        fault = api.faults.add(kind="huge", path="claude_code", size=1 << 30)
        wait_for(lambda: exporter.samples() and fault.hits >= 2, 60, "two attempts")
        wait_for(lambda: exporter.resident_mib() < before + SLACK, 20, "released memory")
        assert exporter.peak_mib() < before + 2.5 * client.LARGEST_BODY / MIB + SLACK
        assert exporter.wrong(api) == []
        assert "the body is larger than" in exporter.log
        assert len([line for line in exporter.log.splitlines() if "level=warning" in line]) == 1
        api.faults.clear()
        wait_for(lambda: exporter.samples() and "report recovered" in exporter.log, 90, "a recovery")


@pytest.mark.integration
def test_a_small_body_that_decompresses_to_256_mib(tmp_path: Path) -> None:
    """The limit applies to the decompressed size, while decompressing."""
    body = gzip.compress(bytes(256 * MIB))
    assert len(body) < MIB

    async def respond(_: Request) -> Response:
        return Response(body, headers={"content-encoding": "gzip", "content-type": "application/json"})

    app = Starlette(routes=[Route("/{path:path}", respond)])
    with serve_in_thread(app) as url, forked(tmp_path, environment(url)) as exporter:
        wait_for(lambda: exporter.log.count("the body is larger than") == len(NAMES), 60, "all refusals")
        assert exporter.peak_mib() < 2.5 * client.LARGEST_BODY / MIB + 150
        assert exporter.get("/-/ready").status_code == 503
