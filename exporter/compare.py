"""`check --compare`: both sources of the bill and of the tokens for the same days, differences first."""

import math
from collections.abc import AsyncIterator, Collection, Iterator, Mapping
from datetime import date
from typing import Any

from exporter import reports
from exporter.api.paging import Getter
from exporter.check import API, Finding, missing
from exporter.errors import ApiError, ApiForbidden, ApiNotFound, ApiShapeChanged, SettingsError
from exporter.model import DAY, Window
from exporter.reports import Sources, directory
from exporter.reports.report import Report
from exporter.service import make_transport
from exporter.settings import Settings
from exporter.telemetry import Telemetry

DAYS = 30
MOST_SERIES = 10
Series = tuple[str, tuple[str, ...]]
Numbers = Mapping[Series, float]
Pair = tuple[float | None, float | None]


async def compare(settings: Settings, today: date) -> AsyncIterator[Finding]:
    """Yield what both sources of each report say of the last 30 complete days: in total, by day, by series."""
    try:
        transport = make_transport(settings, Telemetry(reports.NAMES))
    except SettingsError:  # which the other checks have reported
        return
    try:
        async for finding in sources(transport, today):
            yield finding
    finally:
        await transport.close()


async def sources(api: Getter, today: date) -> AsyncIterator[Finding]:
    """Yield what `compare` does, with a given API."""
    window = Window(today - DAY, DAYS)
    try:
        listed = directory.workspace_ids(await directory.fetch(api))
    except ApiError as error:
        yield Finding("FAIL", f"{directory.NAME} listing", str(error), API)
        return
    successors = reports.reports(sources=Sources("analytics", "analytics"), workspace_ids=lambda: listed)
    by_name = {report.name: report for report in successors}
    for classic in reports.reports():
        if len(classic.sources) > 1:
            async for finding in _both(api, classic, by_name[classic.name], window):
                yield finding


async def _both(api: Getter, first: Report[Any], second: Report[Any], window: Window) -> AsyncIterator[Finding]:
    found: list[Numbers] = []
    for report in (first, second):
        try:
            found.append(await _numbers(api, report, window))
        except ApiError as error:
            text = missing(report, error) if isinstance(error, ApiForbidden | ApiNotFound) else str(error)
            yield Finding("FAIL", f"{report.name} from {report.source.name}", text, API)
    if len(found) == len((first, second)):
        for finding in differences(first, (first.source.name, second.source.name), found[0], found[1]):
            yield finding


async def _numbers(api: Getter, report: Report[Any], window: Window) -> Numbers:
    """Return the samples of the days by family and labels. Raises ApiError, also for one day that cannot be read."""
    answer = await report.source.fetch(api, window.first, window.last)
    found = report.source.read(answer.bodies, window.first, window.last)
    view = report.view()
    for day in window.dates():
        rows = found.get(day, ApiShapeChanged("the answer leaves this day out"))
        if isinstance(rows, ApiShapeChanged):
            raise ApiShapeChanged(f"{day}: {rows}")
        view.replace(day, (), rows or ())
    pieces = view.changes(window, list(window.dates())).values()
    return {
        (family, labels): float(value)
        for samples in pieces
        for family, rows in (samples or {}).items()
        for labels, value in rows
    }


def differences(report: Report[Any], names: tuple[str, str], first: Numbers, second: Numbers) -> Iterator[Finding]:
    """Yield the total, the days and the series of both sources, by the largest difference; equal days come last.

    Series of families that only one source has are left out.
    """
    counted, labels_of = report.families[0].name, {family.name: family.labels for family in report.families}
    both = {name for name, _ in first} & {name for name, _ in second}
    wrong = [of for of in {**first, **second} if of[0] in both and first.get(of) != second.get(of)]
    wrong_days = {labels[0] for name, labels in wrong if labels_of[name][0] == "date"}
    days = sorted({labels[0] for name, labels in {**first, **second} if name == counted} | wrong_days, reverse=True)

    def of_days(wanted: Collection[str]) -> Pair:
        sums = (_sum(numbers, counted, wanted) for numbers in (first, second))
        return next(sums), next(sums)

    def of_series(of: Series) -> Pair:
        return first.get(of), second.get(of)

    yield _finding(f"{report.name} of {len(days)} days", names, of_days(days), differs=bool(wrong))
    for day in sorted(wrong_days, key=lambda day: -abs(_difference(of_days([day])))):
        yield _finding(f"{report.name} of {day}", names, of_days([day]), differs=True)
    for of in sorted(wrong, key=lambda of: -abs(_difference(of_series(of))))[:MOST_SERIES]:
        pairs = ",".join(f'{label}="{value}"' for label, value in zip(labels_of[of[0]], of[1], strict=True))
        yield _finding(f"{of[0]}{{{pairs}}}", names, of_series(of), differs=True)
    if len(wrong) > MOST_SERIES:
        yield Finding("diff", report.name, f"{len(wrong) - MOST_SERIES} more series differ")
    for day in days:
        if day not in wrong_days:
            yield _finding(f"{report.name} of {day}", names, of_days([day]), differs=False)


def _sum(numbers: Numbers, family: str, days: Collection[str]) -> float:
    return math.fsum(value for (name, labels), value in numbers.items() if name == family and labels[0] in days)


def _difference(numbers: Pair) -> float:
    return (numbers[1] or 0) - (numbers[0] or 0)


def _finding(what: str, names: tuple[str, str], numbers: Pair, *, differs: bool) -> Finding:
    texts = ["none" if number is None else f"{number:,.10g}" for number in numbers]
    sides = ", ".join(f"{name} {text}" for name, text in zip(names, texts, strict=True))
    if not differs:
        return Finding("same", what, sides)
    return Finding("diff", what, f"{sides}, difference {_difference(numbers):+,.10g}")
