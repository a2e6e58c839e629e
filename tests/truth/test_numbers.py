"""Every sample of every family equals the organisation's own sums, whatever happened before."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest

from exporter.demo.organization import Organization
from exporter.demo.records import Record
from exporter.demo.story import View
from tests.oracle import expected_samples
from tests.support import (
    DAY,
    REPORT_PATHS,
    TODAY,
    VERSIONS,
    WARM_REQUESTS,
    MovableTime,
    api_of,
    dates_of,
    fill_requests,
)

pytestmark = pytest.mark.anyio
YESTERDAY = TODAY - DAY


@pytest.mark.parametrize("version", VERSIONS)
async def test_first_fill_warm_refresh_and_restart(
    organization: Organization, time: MovableTime, tmp_path: Path, version: str
) -> None:
    """All is right after the fewest requests, after a warm refresh a minute later, and after a restart with none."""
    async with api_of(organization, time, anthropic_version=version) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert api.wrong(exporter) == []
            assert api.requests() == fill_requests(90)
            names = [entry.path for entry in api.log if not entry.path.endswith(tuple(REPORT_PATHS.values()))]
            assert len(names) == len(set(names))
            assert api.log.peak_in_flight == 1
            api.log.clear()
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
            assert 1 <= len(api.log) <= WARM_REQUESTS
        api.log.clear()
        async with api.exporter(tmp_path) as exporter:
            await exporter.scrape()
            assert api.wrong(exporter) == []
            await exporter.fill()
            assert api.log == []
            assert exporter.refresher.ready


@pytest.mark.parametrize("version", VERSIONS)
async def test_a_day_of_scrapes(few: Organization, tmp_path: Path, version: str) -> None:
    """From noon to noon, a scrape every hour: today grows, midnight passes, yesterday is restated at 06:00."""
    time = MovableTime(datetime(2026, 11, 19, 12, tzinfo=UTC))
    given = {"exporter_window_days": 10, "anthropic_version": version}
    async with api_of(few, time, **given) as api, api.exporter(tmp_path) as exporter:
        await exporter.fill()
        seen = set()
        for _ in range(24):
            api.log.clear()
            await exporter.scrape_later(3600)
            assert api.requests() <= WARM_REQUESTS
            seen.add(_value(exporter.shown(), "anthropic_claude_code_sessions", date=str(YESTERDAY)))
            assert not [line for line in api.wrong(exporter) if str(YESTERDAY) in line or str(TODAY) in line]
        assert api.wrong(exporter) == []
        samples = exporter.shown()
        assert len(seen) > 5
        assert max(dates_of(samples, "anthropic_date_timestamp_seconds")) == TODAY
        assert min(dates_of(samples, "anthropic_claude_code_commits")) == TODAY - 9 * DAY


@pytest.mark.parametrize("factor", ["0.5", "3", "0"])
async def test_yesterday_restated(few: Organization, time: MovableTime, tmp_path: Path, factor: str) -> None:
    """Numbers go up, down, and to nothing, and the next scrape shows it; so does a restart."""
    async with api_of(few, time, exporter_window_days=5) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            before = exporter.shown()
            few.restate(YESTERDAY, factor)
            await exporter.scrape_later()
            assert exporter.shown() != before
            assert api.wrong(exporter) == []
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []


async def test_an_old_day_restated(few: Organization, time: MovableTime) -> None:
    """The daily sweep finds a restated day 12 days back, one settled day with each refresh."""
    async with api_of(few, time, exporter_window_days=15) as api, api.exporter(None) as exporter:
        await exporter.fill()
        few.restate(TODAY - 12 * DAY, "1.7")
        time.advance(DAY)
        for _ in range(15):
            api.log.clear()
            await exporter.scrape_later()
            assert api.requests() <= WARM_REQUESTS
        assert api.wrong(exporter) == []


async def test_an_outage_of_three_days(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """Nothing is lost, days that were not complete when last read are read again, and all is right within an hour."""
    async with api_of(few, time, exporter_window_days=14) as api, api.exporter(tmp_path) as exporter:
        await exporter.fill()
        last_seen = exporter.shown()
        api.faults.add(kind="500")
        for _ in range(72):
            await exporter.scrape_later(3600)
        samples = exporter.shown()
        assert exporter.up() == {0}
        old = TODAY - 9 * DAY
        family = "anthropic_claude_code_sessions"
        assert _value(samples, family, date=str(old)) == _value(last_seen, family, date=str(old))
        assert TODAY + 3 * DAY not in dates_of(samples, family)
        api.faults.clear()
        for _ in range(4):
            await exporter.scrape_later(900)
            await exporter.fill()
        assert api.wrong(exporter) == []
        assert exporter.up() == {1}


async def test_a_restart_after_three_days_down(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """The missed days are read at once, and the others are not read again."""
    async with api_of(few, time, exporter_window_days=30) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
        time.advance(3 * DAY)
        api.log.clear()
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert len(api.log.to("claude_code")) <= 6
            assert api.wrong(exporter) == []


class _Shrinking(Organization):
    """An organisation from which an actor can be removed."""

    removed = ""

    def usage_of(self, view: View) -> list[Record]:
        """Return the records without those of the actor that was removed."""
        return [one for one in super().usage_of(view) if self.removed not in one["actor"].values()]


async def test_a_removed_actor(time: MovableTime, tmp_path: Path) -> None:
    """An actor that has left the report leaves every family of the page; also after a restart."""
    organization = _Shrinking(TODAY, people=8)
    async with api_of(organization, time, exporter_window_days=2) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            actors = [one["actor"] for one in organization.claude_code_records(YESTERDAY, time.now())]
            organization.removed = next(actor["email_address"] for actor in actors if "email_address" in actor)
            assert organization.removed in exporter.refresher.page.body.decode()
            for day in (TODAY, YESTERDAY):
                organization.restate(day, Decimal("1.000001"))  # else the API would answer from what it has made
            await exporter.scrape_later()
            page = exporter.refresher.page.body.decode().splitlines()
            assert [line for line in page if organization.removed in line and "_member_info{" not in line] == []
            assert api.wrong(exporter) == []
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []


@pytest.mark.parametrize("days", [1, 7, 30, 100])
async def test_other_windows(few: Organization, time: MovableTime, days: int) -> None:
    """The window is as long as the setting says, and so are the sums per user."""
    async with api_of(few, time, exporter_window_days=days) as api, api.exporter(None) as exporter:
        await exporter.fill()
        assert api.wrong(exporter) == []
        assert api.requests() == fill_requests(days)


async def test_a_smaller_and_a_larger_window_on_one_store(few: Organization, time: MovableTime, tmp_path: Path) -> None:
    """When the window grows again, only days that were not kept are read."""
    async with api_of(few, time, exporter_window_days=30) as api:
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
        api.given["exporter_window_days"] = 7
        async with api.exporter(tmp_path) as exporter:
            assert api.wrong(exporter) == []
            await exporter.scrape_later()
            assert api.wrong(exporter) == []
        api.given["exporter_window_days"] = 30
        api.log.clear()
        async with api.exporter(tmp_path) as exporter:
            await exporter.fill()
            assert api.wrong(exporter) == []
            assert len(api.log.to("claude_code")) <= 23 + 2


@pytest.mark.parametrize("limit", [0, 1, 5])
async def test_folding(organization: Organization, time: MovableTime, limit: int) -> None:
    """The most expensive keep their name, the others are one user `other` of each actor type; sums stay true."""
    given = {"exporter_window_days": 10, "exporter_max_users": limit}
    async with api_of(organization, time, **given) as api, api.exporter(None) as exporter:
        await exporter.fill()
        assert api.wrong(exporter, max_users=limit) == []
        await exporter.scrape_later(3600)
        assert api.wrong(exporter, max_users=limit) == []
        users = {dict(labels)["user"] for name, labels in exporter.shown() if name.endswith("_user_sessions")}
        assert len(users - {"other"}) == limit
        everyone = expected_samples(organization, time.now(), window_days=10)
        assert exporter.own("users_folded") == sum(name.endswith("_user_sessions") for name, _ in everyone) - limit


async def test_a_day_with_many_pages(time: MovableTime) -> None:
    """A day of more than a thousand records is read page by page and summed whole, and unchanged pages stay so."""
    organization = Organization(TODAY, people=900)
    async with (
        api_of(organization, time, exporter_window_days=2, exporter_max_users=20) as api,
        api.exporter(None) as exporter,
    ):
        await exporter.fill()
        assert any("page=" in entry.query for entry in api.log.to("claude_code"))
        assert api.wrong(exporter, max_users=20) == []
        organization.restate(YESTERDAY, "0.9")
        await exporter.scrape_later()
        assert api.wrong(exporter, max_users=20) == []


async def test_what_is_shown_while_the_first_fill_runs(few: Organization, time: MovableTime) -> None:
    """With an API that hangs after 5 days, a scrape ends in time and shows those days only."""
    stuck = TODAY - 5 * DAY
    async with api_of(few, _Ticking(time), exporter_window_days=30) as api, api.exporter(None) as exporter:
        fault = api.faults.add(kind="hang", path="claude_code", dates={stuck})
        await exporter.refresher.tick()
        await fault.begun.wait()
        await exporter.refresher.scrape(0.05)
        samples = exporter.shown()
        for family in ("sessions", "commits", "pull_requests", "lines_of_code"):
            shown = dates_of(samples, f"anthropic_claude_code_{family}")
            assert shown == {TODAY - age * DAY for age in range(5)}
        assert exporter.health("report_coverage_ratio", "claude_code") == pytest.approx(5 / 30)
        assert exporter.health("report_coverage_ratio", "cost") == 1
        wrong = api.wrong(exporter)
        assert not [line for line in wrong if str(YESTERDAY) in line]
        assert not [line for line in wrong if "_active_users{" in line and "daily" not in line and "none" not in line]
        api.faults.clear()
        await exporter.refresher.settle()
        await exporter.scrape_later()
        assert api.wrong(exporter) == []


class _Ticking(MovableTime):
    """A clock on which a second passes each time the API looks at it."""

    def __init__(self, time: MovableTime) -> None:
        super().__init__(time.at, time.seconds)

    def now(self) -> datetime:
        """Return the time, and let a second pass on the monotonic clock."""
        self.seconds += 1
        return self.at


def _value(samples: dict[tuple[str, frozenset[tuple[str, str]]], Decimal], family: str, **labels: str) -> Decimal:
    return samples[family, frozenset(labels.items())]
