"""Settled days as OpenMetrics text with timestamps, for importing the past into Prometheus or VictoriaMetrics. Pure.

Prometheus keeps the first value of a timestamp and VictoriaMetrics counts both, so a day must be imported once, when it
no longer changes. The series have names of their own, since those of `/metrics` carry the day as a label.
"""

from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from datetime import date, timedelta
from typing import Any

from exporter.exposition.encoder import header, lines
from exporter.model import Family, Sample, Window, timestamp
from exporter.reports.report import Report

SETTLED = timedelta(days=7)
"""The age from which a day is imported."""
_PREFIXES = ("anthropic_claude_code_", "anthropic_", "daily_")
_OTHER_NAMES = {"anthropic_tokens": "api_tokens"}
"""`anthropic_daily_tokens` has been the name for those of Claude Code."""


def openmetrics(
    reports: Iterable[Report[Any]],
    span: Window,
    days: Mapping[str, Collection[date]],
    rows: Callable[[str, date], Sequence[Any]],
) -> Iterator[str]:
    """Yield the text, a family at a time. `days` are those that are known of each report; `rows` returns their rows."""
    for report in reports:
        view = report.view()
        known = [day for day in span.dates() if day in days[report.name]]
        for day in known:
            view.replace(day, (), rows(report.name, day))
        changes = view.changes(span, known)
        for family in report.families:
            if family.labels[:1] == ("date",):
                samples = [sample for piece in changes.values() if piece for sample in piece.get(family.name, ())]
                yield _family(family, samples)
    yield "# EOF\n"


def daily_name(family: str) -> str:
    """Return the name of a family's daily series: `anthropic_daily_cost_usd` for `anthropic_cost_usd`."""
    family = _OTHER_NAMES.get(family, family)
    for prefix in _PREFIXES:
        family = family.removeprefix(prefix)
    return f"anthropic_daily_{family}"


def _family(family: Family, samples: Iterable[Sample]) -> str:
    """Return a family with the date of each sample as its timestamp; a series stays together, oldest sample first."""
    daily = Family(daily_name(family.name), family.help, family.labels[1:])
    series: defaultdict[tuple[str, ...], list[tuple[str, int | float]]] = defaultdict(list)
    for (day, *others), value in samples:
        series[tuple(others)].append((day, value))
    text = [header(daily).decode()]
    for labels, values in sorted(series.items()):
        for day, value in sorted(values):
            (line,) = lines(daily, [(labels, value)])
            text.append(f"{line.rstrip()} {timestamp(date.fromisoformat(day))}\n")
    return "".join(text) if series else ""
