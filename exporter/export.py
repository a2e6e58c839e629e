"""The command `export`: write stored days as files, beside a running exporter or without one."""

import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from datetime import date
from pathlib import Path
from typing import Any, NamedTuple, TextIO

from exporter import reports
from exporter.days.snapshot import Snapshot
from exporter.errors import ExporterError, SettingsError
from exporter.model import Window
from exporter.reports import claude_code, cost, directory
from exporter.reports.report import Report
from exporter.service import make_names, make_sources
from exporter.settings import Settings
from exporter.web import backfill
from exporter.web.export import COLUMNS, FORMATS, parts

OPENMETRICS = "openmetrics"
NEEDED = {"cost": [cost.NAME], "usage": [claude_code.NAME], "users": [claude_code.NAME]}
"""The reports that a file is made of; the others are made of all."""
NAMES = (*COLUMNS, OPENMETRICS)


class Wanted(NamedTuple):
    """What to write. None means the first or last stored day, or standard output."""

    name: str
    first: date | None
    last: date | None
    format: str
    output: Path | None


def export(settings: Settings, wanted: Wanted, today: date) -> None:
    """Write a file. Raises ExporterError, and then leaves no file."""
    with closing(Snapshot(settings.exporter_data_dir)) as snapshot:
        names = make_names(settings, snapshot)
        every = reports.reports(names, settings.exporter_max_users, make_sources(settings))
        days = _Days(snapshot, [one for one in every if one.name in NEEDED.get(wanted.name, [one.name])])
        span = _span(wanted, days.stored, today)
        if wanted.name == OPENMETRICS:
            text = backfill.openmetrics(days.reports.values(), span, days.stored, days.rows)
        else:
            listed = snapshot.listed(directory.listing())
            workspaces = listed.workspaces if listed else {}
            form = FORMATS[wanted.format]
            text = parts(wanted.name, form, span, days.rows, workspaces, users_shown=names.shown)
        _warn_of_gaps(span, days.stored)
        with _destination(wanted.output) as file:
            file.writelines(_with_progress(wanted.name, text))


class _Days:
    """The stored days of each report that have a format of the settings."""

    def __init__(self, snapshot: Snapshot, all_reports: Iterable[Report[Any]]) -> None:
        self._snapshot = snapshot
        self.reports = {report.name: report for report in all_reports}
        self.stored = {name: set(snapshot.days(name, report.formats)) for name, report in self.reports.items()}

    def rows(self, report: str, day: date) -> Sequence[Any]:
        """Return the rows of a day, none where it is not stored. Raises ExporterError for a damaged day."""
        if day not in self.stored[report]:
            return ()
        try:
            return self.reports[report].unpack(self._snapshot.rows(report, day))
        except ValueError:
            raise ExporterError(f"{report} of {day} is damaged: the exporter will fetch it again") from None


def _span(wanted: Wanted, stored: Mapping[str, set[date]], today: date) -> Window:
    days: set[date] = set().union(*stored.values())
    if not days:
        raise ExporterError("the store holds no day that fits the settings, such as EXPORTER_USER_LABEL")
    newest = today - backfill.SETTLED if wanted.name == OPENMETRICS else max(days)
    first, last = wanted.first or min(days), min(wanted.last or newest, newest)
    if first > last:
        raise SettingsError(f"--from ({first}) is after the last day that can be written ({last})")
    return Window(last, (last - first).days + 1)


def _warn_of_gaps(span: Window, stored: Mapping[str, set[date]]) -> None:
    for name, days in stored.items():
        if missing := [day for day in span.dates() if day not in days]:
            sys.stderr.write(f"{name}: {len(missing)} of {span.days} days are not stored, such as {missing[0]}\n")


def _with_progress(name: str, text: Iterable[str]) -> Iterator[str]:
    """Yield the parts, counting them on standard error if it is a terminal."""
    on_terminal = sys.stderr.isatty()
    for number, part in enumerate(text):
        if on_terminal:
            sys.stderr.write(f"\r{name}: part {number} written")
        yield part
    if on_terminal:
        sys.stderr.write("\n")


@contextmanager
def _destination(output: Path | None) -> Iterator[TextIO]:
    """Yield the file to write. It gets its name when it is complete."""
    if output is None:
        yield sys.stdout
        return
    unfinished = output.with_name(f"{output.name}.unfinished")
    try:
        with unfinished.open("w", encoding="utf-8", newline="") as file:
            yield file
        unfinished.replace(output)
    except OSError as error:
        raise ExporterError(f"cannot write {output}: {error.strerror}") from error
    finally:
        with suppress(OSError):  # the error of writing is the one to report
            unfinished.unlink(missing_ok=True)
