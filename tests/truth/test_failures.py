"""Every way in which a report can fail: its numbers stay, the others continue, one line is logged, it recovers."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import Any, get_args

import httpx
import pytest
from structlog.testing import capture_logs

from exporter.api import transport as client
from exporter.api.refusals import REFUSED_PAUSE
from exporter.demo.organization import Organization
from exporter.errors import Reason
from exporter.reports import NAMES
from tests.simulator.faults import KINDS, Fault, Gate, Kind
from tests.support import (
    DAY,
    FAMILIES_OF,
    KEY,
    REPORT_PATHS,
    REPORTS,
    TODAY,
    VERSIONS,
    WARM_REQUESTS,
    Api,
    Exporter,
    MovableTime,
    answering_again,
    api_of,
    matching,
    of_report,
)

pytestmark = pytest.mark.anyio
REASON_OF: dict[Kind, Reason] = {
    "401": "unauthorized",
    "403": "forbidden",
    "404": "request",
    "400_date_range": "request",
    "400_cursor_mismatch": "request",
    "400_date_not_available": "request",
    "429_retry_after": "throttled",
    "429_retry_after_date": "throttled",
    "429_retry_after_ms": "throttled",
    "429_reset": "throttled",
    "429_bare": "throttled",
    "500": "server",
    "529": "server",
    "error_body": "request",
    "cursor_expired": "request",
    "redirect": "request",
    "html": "shape",
    "not_json": "shape",
    "empty_object": "shape",
    "truncated": "shape",
    "wrong_shape": "shape",
    "missing_field": "shape",
    "wrong_date": "shape",
    "cursor_loop": "shape",
    "slow_drip": "timeout",
    "hang": "timeout",
    "reset": "network",
    "huge": "shape",
}
PAUSE_OF: dict[Kind, float] = {
    "401": REFUSED_PAUSE,
    "403": REFUSED_PAUSE,
    "400_date_range": REFUSED_PAUSE,  # x-should-retry: false
    "429_retry_after": 17,
    "429_retry_after_date": 17,
    "429_retry_after_ms": 17,
    "429_reset": 17,
}
SLOW: set[Kind] = {"hang", "slow_drip", "huge"}
MORE: dict[Kind, dict[str, Any]] = {
    "huge": {"size": 1 << 20},
    "wrong_shape": {"field": "data"},
    "missing_field": {"field": "data"},
}


def test_every_kind_of_failure_is_tried() -> None:
    """No kind is left out, and each of the closed list of reasons is met."""
    assert REASON_OF.keys() == set(KINDS)
    assert set(REASON_OF.values()) == set(get_args(Reason))


def fail(api: Api, kind: Kind, path: str) -> Fault:
    """Make what has this path fail until the plan is cleared. Where a cursor is refused, there is one to refuse."""
    if kind in ("cursor_expired", "400_cursor_mismatch"):
        api.faults.add(kind="cursor_loop", path=path, paged=False)
    more = dict(MORE.get(kind, {}))
    if kind == "slow_drip":
        stuck = Gate()
        more["pause"] = stuck.wait
    return api.faults.add(kind=kind, path=path, **more)


@contextmanager
def impatient(exporter: Exporter, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Make time-outs and the largest body small while something hangs or floods."""
    http = exporter.refresher._fetcher._api._http  # type: ignore[attr-defined]
    patient, http.timeout = http.timeout, httpx.Timeout(0.5)
    with monkeypatch.context() as patch:
        patch.setattr(client, "LARGEST_BODY", 1 << 17)
        yield
    http.timeout = patient


@pytest.mark.parametrize("report", REPORTS)
@pytest.mark.parametrize("kind", KINDS)
async def test_one_report_fails(
    few: Organization, time: MovableTime, monkeypatch: pytest.MonkeyPatch, kind: Kind, report: str
) -> None:
    """Its numbers stay, `up` is 0, the others continue, one line is logged, no request in the pause, it recovers."""
    version = VERSIONS[(KINDS.index(kind) + REPORTS.index(report)) % 2]
    async with (
        api_of(few, time, exporter_window_days=3, anthropic_version=version) as api,
        api.exporter(None) as exporter,
    ):
        await exporter.fill()
        before = of_report(exporter.shown(), report)
        for day in (TODAY, TODAY - DAY):
            few.restate(day, 2)
        with capture_logs() as lines, impatient(exporter, monkeypatch) if kind in SLOW else nullcontext():
            fault = fail(api, kind, REPORT_PATHS[report])
            await exporter.scrape_later()
            assert of_report(exporter.shown(), report) == before
            assert_down(api, exporter, report, kind)
            await assert_left_alone(api, exporter, report)
            await exporter.scrape_later(pause_of(exporter, report))
            assert fault.hits >= 2
            warning = only_warning(lines, report)
            assert warning["reason"] == REASON_OF[kind]
            assert warning["retry_in_seconds"] == pytest.approx(PAUSE_OF.get(kind, 1.1), rel=0.15)
            assert KEY not in str(lines)
            assert KEY not in str(exporter.refresher.health[report].error)
            api.faults.clear()
        with capture_logs() as lines:
            await exporter.scrape_later(REFUSED_PAUSE + 1)
        assert len(matching(lines, log_level="info", report=report)) == 1
        assert api.wrong(exporter) == []
        assert exporter.up() == {1}
        assert exporter.own("report_failing", report=report, reason=REASON_OF[kind]) == 0


def assert_down(api: Api, exporter: Exporter, report: str, kind: Kind) -> None:
    """Check what the page says of a report that fails, and of the others."""
    assert {name: exporter.health("up", name) for name in REPORTS} == {name: name != report for name in REPORTS}
    assert {line.partition("{")[0] for line in api.wrong(exporter)} <= {*FAMILIES_OF[report]}
    assert exporter.own("report_failing", report=report, reason=REASON_OF[kind]) == 1
    assert exporter.own("api_request_failures_total", report=report, reason=REASON_OF[kind]) >= 1  # type: ignore[operator]
    left = exporter.own("report_paused_until_timestamp_seconds", report=report)
    assert left == pytest.approx(exporter.time.now().timestamp() + pause_of(exporter, report), abs=0.01)


async def assert_left_alone(api: Api, exporter: Exporter, report: str) -> None:
    """Check that nothing is requested during the pause, and that a scrape does not wait for it."""
    requests = api.requests(report)
    exporter.time.advance(pause_of(exporter, report) / 2)
    async with asyncio.timeout(20):
        await exporter.scrape(3600)
    assert api.requests(report) == requests


def pause_of(exporter: Exporter, report: str) -> float:
    """Return for how many seconds a report is paused from now on."""
    return exporter.refresher.health[report].paused_until - exporter.time.monotonic()


def only_warning(lines: list[Any], report: str) -> dict[str, Any]:
    """Return the one warning of a report."""
    (warning,) = matching(lines, log_level="warning", report=report)
    assert isinstance(warning, dict)
    return warning


async def test_connection_refused(few: Organization, time: MovableTime) -> None:
    """Without a server, all reports are down and keep their numbers; they recover when the server is back."""
    async with api_of(few, time, exporter_window_days=3) as api, api.exporter(None) as exporter:
        await exporter.fill()
        page = exporter.refresher.page
        await api.stop()
        with capture_logs() as lines:
            for _ in range(3):
                await exporter.scrape_later(100)
        assert {only_warning(lines, report)["reason"] for report in REPORTS} == {"network"}
        assert page.body.splitlines()[0:100] == exporter.refresher.page.body.splitlines()[0:100]
        assert exporter.up() == {0}
        async with answering_again(api.app, api.url):
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
            assert exporter.up() == {1}


async def test_a_body_that_drips_for_longer_than_a_request_may_last(
    few: Organization, time: MovableTime, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Bytes that come steadily, each within the read time-out, are no reason to wait forever."""
    async with api_of(few, time, exporter_window_days=2) as api, api.exporter(None) as exporter:
        await exporter.fill()
        before = of_report(exporter.shown(), "claude_code")

        async def a_little() -> None:
            await asyncio.sleep(0.05)

        api.faults.add(kind="slow_drip", path="claude_code", pause=a_little, chunks=1000)
        with monkeypatch.context() as patch:
            patch.setattr(client, "WHOLE_REQUEST", 0.5)
            await exporter.scrape_later()
        assert of_report(exporter.shown(), "claude_code") == before
        assert exporter.own("report_failing", report="claude_code", reason="timeout") == 1


async def test_one_bad_day_of_a_bill_spoils_no_other(few: Organization, time: MovableTime) -> None:
    """A day of cost_report with an invalid amount keeps its numbers; the others of the same answer are taken."""
    async with api_of(few, time, exporter_window_days=3) as api, api.exporter(None) as exporter:
        await exporter.fill()
        for day in (TODAY, TODAY - DAY):
            few.restate(day, 2)
        api.faults.add(kind="wrong_shape", path="cost_report", field="data.0.results.0.amount", times=1)
        await exporter.scrape_later()
        wrong = [line for line in api.wrong(exporter) if "cost_usd" in line]
        assert wrong
        assert all(str(TODAY - DAY) in line for line in wrong)
        await exporter.scrape_later()
        assert api.wrong(exporter) == []


async def test_a_cursor_that_expires_once(time: MovableTime) -> None:
    """The day is read again from its first page, within the same refresh, and nothing is counted twice."""
    organization = Organization(TODAY, people=900)
    given = {"exporter_window_days": 2, "exporter_max_users": 20}
    async with api_of(organization, time, **given) as api, api.exporter(None) as exporter:
        api.faults.add(kind="cursor_expired", path="claude_code", times=1)
        await exporter.fill()
        yesterday = [entry for entry in api.log.to("claude_code") if str(TODAY - DAY) in entry.query]
        assert ["page=" in entry.query for entry in yesterday] == [False, True, False, True]
        assert api.wrong(exporter, max_users=20) == []
        assert exporter.health("up", "claude_code") == 1


async def test_names_stay_when_they_cannot_be_read(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """Without /me and /workspaces the names that were read stay, also over a restart; the reports are up."""
    async with api_of(few, time, exporter_window_days=2) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            api.faults.add(kind="500", path="/me")
            time.advance(DAY)
            await exporter.scrape()
            assert exporter.own("report_failing", report="directory", reason="server") == 1
            assert exporter.up() == {1}
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []


async def test_a_bad_settled_day_makes_no_storm(few: Organization, time: MovableTime) -> None:
    """One old day that fails for hours: one more request per scrape, `up` stays 0, one line is logged."""
    bad = TODAY - 4 * DAY
    async with api_of(few, time, exporter_window_days=20) as api, api.exporter(None) as exporter:
        await exporter.fill()
        time.advance(2 * 3600)
        api.faults.add(kind="500", path="claude_code", dates={bad})
        ups: list[float] = []
        with capture_logs() as lines:
            for _ in range(40):
                api.log.clear()
                await exporter.scrape_later()
                assert len(api.log) <= WARM_REQUESTS + 1
                ups.append(exporter.health("up", "claude_code") or 0.0)
        assert ups == sorted(ups, reverse=True)
        assert ups[-1] == 0
        assert len(matching(lines, report="claude_code")) == 1
        api.faults.clear()
        await exporter.scrape_later(120)
        assert exporter.health("up", "claude_code") == 1


async def test_a_bad_day_of_the_first_fill_delays_no_other(few: Organization, time: MovableTime) -> None:
    """All other days are read, coverage says what is missing, and the bad day is read when it can be."""
    bad = TODAY - 2 * DAY
    async with api_of(few, time, exporter_window_days=10) as api, api.exporter(None) as exporter:
        api.faults.add(kind="truncated", path="claude_code", dates={bad})
        for _ in range(3):
            await exporter.fill()
            time.advance(90)
        assert exporter.health("report_coverage_ratio", "claude_code") == 0.9
        assert exporter.health("up", "claude_code") == 0
        shown = {dict(labels).get("date") for _, labels in of_report(exporter.shown(), "claude_code")}
        assert str(bad) not in shown
        assert str(TODAY - 9 * DAY) in shown
        api.faults.clear()
        await exporter.fill()
        await exporter.scrape_later()
        assert api.wrong(exporter) == []
        assert exporter.health("up", "claude_code") == exporter.health("report_coverage_ratio", "claude_code") == 1


async def test_a_refused_key_and_a_new_one(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """A refused key is not tried again for 5 minutes; a new one in the file is tried at the next scrape."""
    file = tmp_path / "key"
    file.write_text("sk-ant-admin01-an-old-one\n")
    given = {"anthropic_admin_key": None, "anthropic_admin_key_file": file, "exporter_window_days": 3}
    async with api_of(few, time, **given) as api, api.exporter(None) as exporter:
        with capture_logs() as lines:
            await exporter.fill()
            assert len(api.log) == len(NAMES)
            for _ in range(4):
                await exporter.scrape_later()
            assert len(api.log) == len(NAMES)
        assert "put a new Admin key" in only_warning(lines, "cost")["error"]
        assert exporter.up() == {0}
        file.write_text(KEY)
        await exporter.scrape()
        assert api.wrong(exporter) == []
        assert exporter.up() == {1}
