"""The demo organisation as series for `promtool test rules`: what a Prometheus would have scraped, and when.

promtool's time starts at 1970-01-01, a Thursday. A story is moved there by whole weeks, so that weekdays stay true.
"""

import functools
import itertools
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from typing import Any

from exporter.demo.organization import Organization
from exporter.reports import reports
from tests.oracle import Key, expected_samples

RULES = Path(__file__).parents[2] / "prometheus" / "rules"
WINDOW = 90
REPORTS = tuple(report.name for report in reports())
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_WEEK = timedelta(days=7)
_FINAL = time(12)

Page = Mapping[Key, float]


def families_of_rules() -> frozenset[str]:
    """Return the families that the shipped rules read: the others of the page would only take time."""
    text = "\n".join(file.read_text() for file in RULES.glob("*.yml"))
    return frozenset(re.findall(r"(?<![\w:])(?:anthropic_\w+|up)(?![\w:])", text))


class Pages:
    """The pages of one organisation, each put together from days that are computed once."""

    def __init__(self, organization: Organization) -> None:
        self._organization = organization
        self._families = families_of_rules()
        self._day = functools.cache(self._day_as_seen)

    def at(self, now: datetime) -> Page:
        """Return the samples of the page at `now` (UTC), all days of the window read."""
        page: dict[Key, float] = dict(self._workspaces)
        for age in range(WINDOW):
            day = now.date() - timedelta(days=age)
            page.update(self._day(day, now if age <= 1 else _settled(day)))
        page.update(_health(page, now))
        return page

    def _day_as_seen(self, day: date, now: datetime) -> Page:
        samples = expected_samples(self._organization, now, window_days=(now.date() - day).days + 1, user_label="none")
        label = ("date", str(day))
        return {key: float(value) for key, value in samples.items() if key[0] in self._families and label in key[1]}

    @functools.cached_property
    def _workspaces(self) -> Page:
        samples = expected_samples(self._organization, _settled(self._organization.anchor), window_days=1)
        return {key: float(value) for key, value in samples.items() if key[0] == "anthropic_workspace_info"}


def series(pages: Sequence[tuple[datetime, Page]], step: timedelta) -> tuple[datetime, list[dict[str, str]]]:
    """Return the start of promtool's time and the input series that hold these pages, one every `step` from there.

    Times of which there is no page have no sample.
    """
    start = pages[0][0] - ((pages[0][0] - _EPOCH) % _WEEK)
    places = {(now - start) // step: page for now, page in pages}
    shift = (start - _EPOCH).total_seconds()
    keys = sorted({key for page in places.values() for key in page}, key=str)
    length = max(places) + 1
    return start, [
        {
            "series": _notation(key),
            "values": _values([_moved(key, places.get(place, {}).get(key), shift) for place in range(length)]),
        }
        for key in keys
    ]


def write_tests(path: Path, tests: Iterable[Mapping[str, Any]], *, interval: str) -> None:
    """Write a file for `promtool test rules` with the shipped rules. It is JSON, which is YAML as well."""
    groups = ("thresholds", "calendar", "spend", "adoption", "alerts-spend", "alerts-adoption", "alerts-exporter")
    content = {
        "rule_files": sorted(str(file) for file in RULES.glob("*.yml")),
        "evaluation_interval": interval,
        "group_eval_order": [f"anthropic-{group}" for group in groups],
        "tests": list(tests),
    }
    path.write_text(json.dumps(content))


def _settled(day: date) -> datetime:
    return datetime.combine(day + timedelta(days=1), _FINAL, UTC)


def _health(page: Page, now: datetime) -> Page:
    """Return what a healthy exporter says about itself at `now`."""
    data = {report.name: report.families[0].name for report in reports()}
    health: dict[Key, float] = {
        ("up", frozenset()): 1,
        ("anthropic_exporter_build_info", frozenset({("version", "1"), ("python", "3")})): 1,
    }
    for report, family in data.items():
        label = frozenset({("report", report)})
        dates = [dict(labels)["date"] for name, labels in page if name == family]
        newest = datetime.combine(date.fromisoformat(max(dates)), time(), UTC)
        health["anthropic_up", label] = 1
        health["anthropic_report_coverage_ratio", label] = 1
        health["anthropic_report_last_success_timestamp_seconds", label] = now.timestamp()
        health["anthropic_report_newest_date_timestamp_seconds", label] = newest.timestamp()
        for reason in ("unauthorized", "throttled", "server"):
            health["anthropic_exporter_report_failing", label | {("reason", reason)}] = 0
    return health


def _moved(key: Key, value: float | None, shift: float) -> float | None:
    return value - shift if value is not None and key[0].endswith("_timestamp_seconds") else value


def _notation(key: Key) -> str:
    labels = {"job": "claude", "instance": "a:10918", **dict(key[1])}
    return f"{key[0]}{{{','.join(f'{name}={json.dumps(value)}' for name, value in sorted(labels.items()))}}}"


def _values(values: Iterable[float | None]) -> str:
    """Return promtool's notation: `_x3` is three times nothing, `5x3` is 5 and three more of it."""
    runs = ((value, len(list(run))) for value, run in itertools.groupby(values))
    return " ".join(f"_x{length}" if value is None else f"{value!r}x{length - 1}" for value, length in runs)
