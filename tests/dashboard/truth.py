"""The truth about an organisation's samples on the days that the picker chooses. Shares no code with the generator.

A chart is `{series: {day: value}}`, with None where a number is unknown; tiles and bar gauges are `{name: value}`; a
table is `{(user, type): {column: value}}`.
"""

from collections import defaultdict
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cached_property
from typing import TypeVar

from tests.dashboard.library import Seen
from tests.oracle import Samples

Key = TypeVar("Key")
Value = TypeVar("Value")
Chart = Mapping[str, Mapping[str, float | None]]
Values = Mapping[str, float]
Table = Mapping[tuple[str, ...], Mapping[str, float | None]]

DATES = "anthropic_date_timestamp_seconds"


@dataclass(frozen=True, eq=False)
class Truth:
    """The organisation's samples, and the days (YYYY-MM-DD) that the picker chooses of them."""

    samples: Samples
    days: frozenset[str]

    def sums(self, family: str, *by: str, **where: str) -> dict[tuple[str, ...], Decimal]:
        """Return the sums of a family over the chosen days, by labels; `where` names the values of other labels."""
        found: dict[tuple[str, ...], Decimal] = defaultdict(Decimal)
        for labels, value in self._families.get(family, ()):
            if all(labels[key] == wish for key, wish in where.items()):
                found[tuple(labels[label] for label in by)] += value
        return dict(found)

    @cached_property
    def _families(self) -> Mapping[str, list[tuple[dict[str, str], Decimal]]]:
        families: dict[str, list[tuple[dict[str, str], Decimal]]] = defaultdict(list)
        chosen = {None, *self.days}
        for (name, pairs), value in self.samples.items():
            labels = dict(pairs)
            if labels.get("date") in chosen:
                families[name].append((labels, value))
        return families

    @cached_property
    def window(self) -> frozenset[str]:
        """Return every day of the window."""
        dates = {dict(labels).get("date") for name, labels in self.samples if name == DATES}
        return frozenset(day for day in dates if day)

    @property
    def today(self) -> date:
        """Return the newest day of the window."""
        return date.fromisoformat(max(self.window))

    def total(self, family: str, **where: str) -> Decimal:
        """Return the sum of a family over the chosen days."""
        return self.sums(family, **where).get((), Decimal())

    def by_day(self, family: str, label: str, **where: str) -> dict[str, dict[str, Decimal]]:
        """Return for each value of `label` the sums by day."""
        found: dict[str, dict[str, Decimal]] = defaultdict(dict)
        for (day, name), value in self.sums(family, "date", label, **where).items():
            found[name][day] = value
        return dict(found)

    def by_workspace(self, family: str) -> dict[str, dict[str, Decimal]]:
        """Return for each workspace, by its name or else its id, the sums by day."""
        infos = (labels for labels, _ in self._families.get("anthropic_workspace_info", ()))
        names = {info["workspace_id"]: info["workspace_name"] for info in infos}
        return renamed(self.by_day(family, "workspace_id"), names)

    def days_of(self, family: str, **where: str) -> dict[str, Decimal]:
        """Return the sums by day."""
        return {day: value for (day,), value in self.sums(family, "date", **where).items()}


def truth_of(samples: Samples, seen: Seen) -> Truth:
    """Return what is true of the days of which any part lies in the range that was seen."""
    first = seen.start - timedelta(days=1)
    days = (
        dict(labels)["date"]
        for (name, labels), seconds in samples.items()
        if name == DATES and first < datetime.fromtimestamp(int(seconds), UTC) <= seen.end
    )
    return Truth(samples, frozenset(days))


def quotients(parts: Mapping[Key, Decimal], wholes: Mapping[Key, Decimal]) -> dict[Key, Decimal]:
    """Return the quotients, none where a whole is zero."""
    return {key: part / wholes[key] for key, part in parts.items() if wholes[key]}


def filled(series: Mapping[str, Mapping[str, Decimal]], empty: float | None = 0.0) -> Chart:
    """Return a chart with every day in each series, `empty` where a series has none."""
    days = sorted(set().union(*series.values()))
    return {name: {day: float(found[day]) if day in found else empty for day in days} for name, found in series.items()}


def renamed(found: Mapping[str, Value], names: Mapping[str, str]) -> dict[str, Value]:
    """Return what was found under other names."""
    return {names.get(name, name): value for name, value in found.items()}


def single(found: Mapping[tuple[str, ...], Decimal]) -> dict[str, Decimal]:
    """Return sums by one label under its values."""
    return {name: value for (name,), value in found.items()}


def descending(found: Mapping[str, Decimal]) -> dict[str, Decimal]:
    """Return what was found, the highest first."""
    return dict(sorted(found.items(), key=lambda item: -item[1]))
