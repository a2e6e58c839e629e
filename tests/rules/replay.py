"""Replays situations: what Prometheus would have scraped, hour by hour, put through the shipped rules by promtool.

A situation is a function from a day to dollars or users. From it follow the pages: at each moment the days of the
window with their dates, today with the part that has arrived, nothing during a gap in the scrapes.

promtool's time starts at 1970-01-01, a Thursday. A situation is moved there by whole weeks, so weekdays stay true; the
`date` labels stay as they are.
"""

import itertools
import json
import re
import subprocess
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from tempfile import NamedTemporaryFile
from typing import NamedTuple

RULES = Path(__file__).parents[2] / "prometheus" / "rules"
GROUPS = ("thresholds", "records", "alerts-spend", "alerts-adoption", "alerts-cache", "alerts-exporter")
DAY, HOUR = timedelta(days=1), timedelta(hours=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

ByDay = Callable[[date], float]
Sample = dict[str, float]


class Firing(NamedTuple):
    """One alert of a replay: when it first and last fired, and how many times it began."""

    alert: str
    labels: Mapping[str, str]
    first: datetime
    last: datetime
    times: int


@dataclass(frozen=True)
class Organization:
    """What one exporter shows: dollars of each workspace, people and tokens by day, and how the exporter fares."""

    name: str = "Acme"
    job: str = "anthropic-exporter"
    instance: str = "a:10918"
    dollars: ByDay = lambda _day: 0.0
    """What belongs to no workspace here: a workspace is as much work for promtool as the organisation."""
    workspaces: Mapping[str, ByDay] = field(default_factory=dict)
    users: ByDay | None = None
    people: Mapping[str, tuple[ByDay, int]] = field(default_factory=dict)
    """Groups of people: whether they work on a day (0 or 1), and how many they are."""
    tokens: ByDay | None = None
    """Input tokens of the whole API; None where the key may not read them."""
    cached: ByDay = lambda _day: 0.9
    """The share of them that is read from the prompt cache."""
    window: int = 90
    lag: timedelta = HOUR
    """How much later than it is spent the API reports it."""
    known: Callable[[date, datetime], bool] = lambda _day, _now: True
    """Whether a day has been read."""
    restated: Callable[[date, datetime], float] = lambda _day, _now: 1.0
    """What a day is multiplied with, as seen at a moment."""
    up: Callable[[datetime], bool] = lambda _now: True
    """Whether a scrape works."""
    target: Callable[[datetime], bool] = lambda _now: True
    """Whether Prometheus knows the exporter at all."""
    model: Callable[[date], str] = lambda _day: "opus"
    health: "Health" = lambda _self, _now: {}
    """Samples that are otherwise than those of a healthy exporter; None takes one away."""

    def page(self, now: datetime) -> Sample:
        """Return the samples of a scrape at `now`."""
        if not self.target(now):
            return {}
        if not self.up(now):
            return {self.series("up"): 0.0}
        today = now.date()
        days = [day for day in (today - DAY * age for age in range(self.window)) if self.known(day, now)]
        page: dict[str, float | None] = {
            self.series("up"): 1.0,
            self.series("anthropic_exporter_build_info", version="1"): 1.0,
            self.series(
                "anthropic_organization_info", organization_id=f"id-{self.name}", organization_name=self.name
            ): 1,
            self.series("anthropic_exporter_page_timestamp_seconds"): now.timestamp(),
            self.series("anthropic_exporter_store_failures_total"): 0.0,
        }
        for age in range(self.window):
            day = today - DAY * age
            page[self.series("anthropic_date_timestamp_seconds", date=str(day))] = _midnight(day).timestamp()
        page |= self._spend(days, now) | self._adoption(days, now) | self._messages(days, now)
        reports = {"cost": "anthropic_cost_usd", "claude_code": "anthropic_claude_code_daily"}
        for report, family in (reports | ({"messages": "anthropic_tokens"} if self.tokens else {})).items():
            page[self.series("anthropic_up", report=report)] = 1.0
            page[self.series("anthropic_report_coverage_ratio", report=report)] = len(days) / self.window
            page[self.series("anthropic_report_last_success_timestamp_seconds", report=report)] = now.timestamp()
            dates = [_date(name) for name, value in page.items() if name.startswith(family) and value]
            if dates:
                newest = _midnight(max(dates)).timestamp()
                page[self.series("anthropic_report_newest_date_timestamp_seconds", report=report)] = newest
        page |= self.health(self, now)
        return {series: value for series, value in page.items() if value is not None}

    def _spend(self, days: Sequence[date], now: datetime) -> Sample:
        page: Sample = {}
        for day in days:
            share = self._arrived(day, now) * self.restated(day, now)
            parts = {name: usd(day) * share for name, usd in self.workspaces.items()}
            for name, dollars in parts.items():
                if dollars:
                    page[self.series("anthropic_workspace_cost_usd", workspace_id=name, date=str(day))] = dollars
            if total := sum(parts.values()) + self.dollars(day) * share:
                labels = {"date": str(day), "model": self.model(day), "cost_type": "tokens", "token_type": "output"}
                page[self.series("anthropic_cost_usd", **labels)] = total
        for name in self.workspaces:
            page[self.series("anthropic_workspace_info", workspace_id=name, workspace_name=f"The {name}")] = 1.0
        return page

    def _arrived(self, day: date, now: datetime) -> float:
        """Return the part of a day that the API reports already."""
        return min(max((now - self.lag - _midnight(day)) / DAY, 0), 1)

    def _messages(self, days: Sequence[date], now: datetime) -> Sample:
        page: Sample = {}
        for day in days if self.tokens else ():
            prompt, share = self.tokens(day) * self._arrived(day, now) if self.tokens else 0.0, self.cached(day)
            kinds = {"uncached_input": 1 - share, "cache_read_input": share, "output": 0.5}
            for kind, part in kinds.items() if prompt else ():
                labels = {"date": str(day), "model": self.model(day), "token_type": f"{kind}_tokens"}
                page[self.series("anthropic_tokens", **labels)] = prompt * part
        return page

    def _adoption(self, days: Sequence[date], now: datetime) -> Sample:
        page: Sample = {}
        if not self.users and not self.people:
            return page
        seen = [day for day in days if now - self.lag > _midnight(day) + timedelta(hours=6)]
        for day in seen:
            users = sum(works(day) * size for works, size in self.people.values()) if self.people else 0
            users = self.users(day) if self.users else users
            family = "anthropic_claude_code_daily_active_users"
            page[self.series(family, actor_type="user", date=str(day))] = float(round(users))
        for group, (works, size) in self.people.items():
            active = [day for day in seen if works(day)]
            for number in range(size if active else 0):
                label = {"user": f"{group}-{number}", "actor_type": "user"}
                page[self.series("anthropic_claude_code_user_active_dates", **label)] = float(len(active))
                newest = _midnight(max(active)).timestamp()
                page[self.series("anthropic_claude_code_user_last_active_timestamp_seconds", **label)] = newest
        return page

    def series(self, family: str, **labels: str) -> str:
        """Return a series of this exporter in promtool's notation."""
        pairs = {"job": self.job, "instance": self.instance, **labels}
        return f"{family}{{{','.join(f'{name}={json.dumps(value)}' for name, value in sorted(pairs.items()))}}}"


Health = Callable[[Organization, datetime], Mapping[str, float | None]]


@dataclass(frozen=True)
class Replay:
    """Scrapes of some organisations from one day to another (inclusive), one every `step`."""

    organizations: Sequence[Organization]
    first: date
    last: date
    step: timedelta = timedelta(hours=6)
    scraped: Callable[[datetime], bool] = lambda _now: True
    """Whether Prometheus runs."""

    def test(self) -> dict[str, object]:
        """Return the test for promtool: the series, and questions to which it answers with what it got."""
        hours = int((_midnight(self.last) + DAY - _EPOCH - self.shift) / HOUR)
        alerts = 'ALERTS{alertstate="firing"}'
        step = _promql(self.step)
        questions = (
            f"min_over_time(timestamp({alerts})[{hours}h:{step}])",
            f"max_over_time(timestamp({alerts})[{hours}h:{step}])",
            f"count_over_time(({alerts} unless {alerts} offset {step})[{hours}h:{step}])",
        )
        return {
            "interval": step,
            "input_series": list(self._series()),
            "promql_expr_test": [{"expr": question, "eval_time": f"{hours}h"} for question in questions],
        }

    def firings(self, output: str) -> list[Firing]:
        """Return the alerts in promtool's complaints about the test."""
        answers = [
            {labels: float(value) for labels, value in re.findall(r"(\{.*?\}) ([\d.E+]+)", got)}
            for got in re.findall(r"^\s+got:(.*)$", output, re.MULTILINE)
        ]
        if not answers:
            return []
        first, last, times = answers
        return [
            Firing(
                (label := dict(re.findall(r'(\w+)="([^"]*)"', labels)))["alertname"],
                label,
                _EPOCH + timedelta(seconds=first[labels]) + self.shift,
                _EPOCH + timedelta(seconds=last[labels]) + self.shift,
                int(times[labels]),
            )
            for labels in first
        ]

    @property
    def shift(self) -> timedelta:
        """How far the situation is moved into promtool's time."""
        days = (self.first - _EPOCH.date()).days
        return DAY * (days - days % 7)

    def _series(self) -> Iterator[dict[str, str]]:
        zero = _EPOCH + self.shift
        count = int((_midnight(self.last) + DAY - zero) / self.step)
        moments = [zero + self.step * number for number in range(count + 1)]
        pages = [self._page(moment) for moment in moments]
        for series in dict.fromkeys(itertools.chain.from_iterable(pages)):
            moved = self.shift.total_seconds() if "_timestamp_seconds{" in series else 0.0
            yield {
                "series": series,
                "values": _values(None if (v := page.get(series)) is None else v - moved for page in pages),
            }

    def _page(self, now: datetime) -> Sample:
        if now.date() < self.first or not self.scraped(now):
            return {}
        return {name: value for one in self.organizations for name, value in one.page(now).items()}


def run(replay: Replay, rules: Path = RULES) -> list[Firing]:
    """Return what fires in a replay."""
    return replay.firings(_promtool(replay.test(), replay.step, rules))


def described(replay: Replay, alert: str, now: datetime) -> dict[str, str]:
    """Return the annotations of an alert at a moment: promtool prints them when it expected none."""
    since = now - _EPOCH - replay.shift
    question = {"alertname": alert, "eval_time": _promql(since), "exp_alerts": []}
    test = {**replay.test(), "promql_expr_test": [], "alert_rule_test": [question]}
    output = _promtool(test, replay.step, RULES)
    found = re.search(r"Annotations:(\{.*?\})\s*$", output, re.MULTILINE)
    assert found, output
    return {name: json.loads(text) for name, text in re.findall(r'(\w+)=("(?:[^"\\]|\\.)*")', found[1])}


def _promtool(test: Mapping[str, object], step: timedelta, rules: Path) -> str:
    """Return what promtool has to say about a test."""
    content = {
        "rule_files": sorted(str(file) for file in rules.glob("*.yml")),
        "evaluation_interval": _promql(step),
        "group_eval_order": [f"anthropic-{group}" for group in GROUPS],
        "tests": [test],
    }
    with NamedTemporaryFile("w", suffix=".test.yml") as file:
        json.dump(content, file)  # JSON is YAML as well
        file.flush()
        done = subprocess.run(["promtool", "test", "rules", file.name], capture_output=True, text=True, check=False)
    output = done.stdout + done.stderr
    assert done.returncode == 0 or "got:" in output, output
    return output


def _promql(duration: timedelta) -> str:
    return f"{int(duration / timedelta(minutes=1))}m"


def _midnight(day: date) -> datetime:
    return datetime(day.year, day.month, day.day, tzinfo=UTC)


def _date(series: str) -> date:
    found = re.search(r'date="([^"]+)"', series)
    assert found
    return date.fromisoformat(found[1])


def _values(values: Iterable[float | None]) -> str:
    """Return promtool's notation: `_x3` is three times nothing, `5x3` is 5 and three more of it."""
    runs = ((value, len(list(run))) for value, run in itertools.groupby(values))
    return " ".join(f"_x{length}" if value is None else f"{value:.12g}x{length - 1}" for value, length in runs)
