"""The shipped rules over the demo organisation's 90 days, in Prometheus's own rule engine."""

import re
import subprocess
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

import pytest

from exporter.demo.organization import Organization
from tests.rules.pages import Pages, series, write_tests

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

ANCHOR = date(2026, 11, 20)
SPIKE = date(2026, 11, 13)
DIP = (date(2026, 10, 26), date(2026, 10, 30))
HOLIDAYS = (date(2026, 9, 13), date(2026, 9, 29), date(2026, 10, 11))
"""An empty Sunday, a working day like a Saturday, a Sunday with one person."""

ADOPTION, TODAY = "AnthropicAdoptionDrop", "AnthropicSpendTodayHigh"
SPEND, WORKSPACE = "AnthropicSpendSpike", "AnthropicWorkspaceSpendSpike"

AT_NOON: Mapping[str, set[str]] = {
    "2026-10-29": {ADOPTION},  # Wednesday has settled: the third day of the dip
    "2026-10-30": {ADOPTION},
    "2026-10-31": {ADOPTION},
    "2026-11-01": {ADOPTION},
    "2026-11-02": {ADOPTION},
    "2026-11-03": {ADOPTION},  # of the last five working days, three are of the dip until Monday has settled
    "2026-11-04": {ADOPTION},  # and until Tuesday has
    "2026-11-13": {TODAY},  # the runaway job is at work
    "2026-11-14": {SPEND, WORKSPACE},
}
"""Which alerts are there on which days as "today", at 12:00 UTC. On all other days there is none."""

SPANS = {
    ADOPTION: ("2026-10-29T12", "2026-11-04T18"),
    TODAY: ("2026-11-13T18", "2026-11-13T18"),
    SPEND: ("2026-11-14T06", "2026-11-14T18"),
    WORKSPACE: ("2026-11-14T06", "2026-11-14T18"),
}
"""When each alert fires: first and last of the times 00, 06, 12 and 18 UTC, one of them after it became true."""


@pytest.fixture(scope="module")
def pages() -> Pages:
    """Return the pages of the organisation whose story ends on the anchor."""
    return Pages(Organization(ANCHOR))


def test_the_tables_are_about_this_story() -> None:
    """The dates in the tables are those of the organisation's spike, dip and holidays."""
    story = Organization(ANCHOR).story
    assert story.spike == SPIKE
    assert (story.dip[0], story.dip[-1]) == DIP
    assert {story.empty_holiday, story.public_holiday, story.quiet_sunday} == set(HOLIDAYS)


def test_each_of_the_ninety_days_as_today(pages: Pages, tmp_path: Path) -> None:
    """At noon of each day, from one page and no history, there are the alerts of the table and no other.

    Between two noons there is no page, so nothing of one day helps the next. With one evaluation a day an alert is
    still pending: the next test waits.
    """
    noons = [datetime.combine(ANCHOR - timedelta(days=age), time(12), UTC) for age in reversed(range(90))]
    assert set(AT_NOON) <= {str(noon.date()) for noon in noons}
    expected = {noon: AT_NOON.get(str(noon.date()), set()) for noon in noons}
    complaints = replay(pages, expected, timedelta(hours=12), "ALERTS", tmp_path)
    assert not complaints, complaints


def test_each_alert_fires_once_and_without_a_break(pages: Pages, tmp_path: Path) -> None:
    """Over the last five weeks, through midnights, mornings and the restatement of each day, no alert flaps."""
    step = timedelta(hours=6)
    first, steps = datetime(2026, 10, 17, tzinfo=UTC), 35 * 4
    expected = {first + step * number: firing(first + step * number) for number in range(steps)}
    complaints = replay(pages, expected, step, 'ALERTS{alertstate="firing"}', tmp_path)
    assert not complaints, complaints


def firing(now: datetime) -> set[str]:
    """Return the alerts whose span holds this time."""
    return {name for name, (first, last) in SPANS.items() if first <= now.strftime("%Y-%m-%dT%H") <= last}


def replay(pages: Pages, expected: Mapping[datetime, Iterable[str]], step: timedelta, alerts: str, folder: Path) -> str:
    """Return what promtool has to say against these alerts at these times: nothing when all are as expected."""
    start, inputs = series([(now, pages.at(now)) for now in sorted(expected)], step)
    hours = {now: f"{int((now - start) / timedelta(hours=1))}h" for now in expected}
    checks = [_check(alerts, hours[now], names) for now, names in expected.items()]
    interval = f"{int(step / timedelta(hours=1))}h"
    test = {"interval": interval, "input_series": inputs, "promql_expr_test": checks}
    write_tests(folder / "replay.test.yml", [test], interval=interval)
    done = subprocess.run(
        ["promtool", "test", "rules", "replay.test.yml"], cwd=folder, capture_output=True, text=True, check=False
    )
    return "" if done.returncode == 0 else _dated(done.stdout + done.stderr, start)


def _dated(output: str, start: datetime) -> str:
    """Return promtool's complaints with the story's dates in place of its own times (such as 10d6h)."""

    def moment(found: re.Match[str]) -> str:
        parts = {unit: int(number) for number, unit in re.findall(r"(\d+)([wdh])", found[1])}
        delta = timedelta(weeks=parts.get("w", 0), days=parts.get("d", 0), hours=parts.get("h", 0))
        return f"time: {start + delta:%Y-%m-%dT%H},"

    return re.sub(r"time: (\w+),", moment, output)


def _check(alerts: str, hour: str, names: Iterable[str]) -> dict[str, Any]:
    samples = [{"labels": f'{{alertname="{name}"}}', "value": 1} for name in sorted(names)]
    return {"expr": f"count by (alertname) ({alerts})", "eval_time": hour, "exp_samples": samples}
