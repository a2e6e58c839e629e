"""The page with ten charts as HTML. The charts themselves are drawn in the browser, by `static/`. Pure."""

import json
from collections.abc import Collection, Sequence
from datetime import date, timedelta
from typing import NamedTuple
from urllib.parse import urlencode

from jinja2 import Environment, PackageLoader, StrictUndefined

from exporter.palette import colour
from exporter.web import sections, wording
from exporter.web.api_tokens import ApiTokens
from exporter.web.report import Report, Totals, UserUse
from exporter.web.token_tables import token_section

USERS_SHOWN = 25
"""Rows of the table of users that are in the HTML; scripts show the others."""
PRESETS = (7, 30, 90)


class ReportStatus(NamedTuple):
    """One report in the section on data health; texts are ready to read."""

    name: str
    state: str
    last_success: str
    newest_date: str
    coverage: str
    error: str


class Preset(NamedTuple):
    """A link to a range of days."""

    title: str
    href: str
    current: bool


class Column(NamedTuple):
    """A column of the table of users. `kind` is text, count, money or date."""

    key: str
    title: str
    kind: str = "count"
    total: bool = True


USER_COLUMNS = (
    Column("user", "User", "text", total=False),
    Column("actor_type", "Type", "text", total=False),
    Column("estimated_cost_usd", "Estimated cost", "money"),
    Column("tokens", "Tokens"),
    Column("sessions", "Sessions"),
    Column("lines_added", "Lines added"),
    Column("lines_removed", "Lines removed"),
    Column("commits", "Commits"),
    Column("pull_requests", "Pull requests"),
    Column("accepted", "Accepted"),
    Column("rejected", "Rejected"),
    Column("active_days", "Active days", total=False),
    Column("last_active", "Last active", "date", total=False),
)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("exporter.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.globals.update(user_columns=USER_COLUMNS, cell=_cell)
    environment.filters.update(count=wording.count)
    return environment


def render(  # noqa: PLR0913 - what a page can say, all of it
    report: Report,
    health: Sequence[ReportStatus],
    tokens: ApiTokens | None,
    *,
    version: str,
    simulated: bool,
    filling: bool,
    interval: float,
    chosen: Collection[str] = (),
    models: Sequence[str] = (),
    window_days: int = 90,
) -> str:
    """Return the page; `tokens` are those of the whole API, None when the key may not read them.

    `chosen` are the models of the filter, none is all; `models` are those of the window. `interval` is the age in
    seconds at which the numbers are refreshed.
    """
    used = {model for day in report.days for model in (*(day.cost_usd or ()), *(day.tokens or ()))}
    known = sorted({*models, *used})
    filtered = [model for model in known if model in chosen]  # what else a link says is not repeated
    colors = {model: colour(model) for model in known}
    oldest = report.today - timedelta(days=window_days - 1)
    return _PAGE.render(
        report=report,
        health=health,
        failing=[status.name for status in health if status.state == "fails"],
        version=version,
        simulated=simulated,
        filling=filling,
        interval=wording.duration(interval),
        span=wording.span(report.first, report.last),
        as_of=wording.as_of(report.as_of, report.today),
        today=wording.day(report.today) if report.last == report.today else "",
        fill=min(report.coverage.values(), key=lambda of: of.read, default=None),
        oldest=oldest,
        presets=_presets(report, oldest, filtered),
        unfiltered=_href(report.first, report.last, (), whole=(oldest, report.today)),
        models=[(model, model in chosen) for model in known],
        filtered=filtered,
        all_models=not chosen,
        colors=colors,
        colors_json=json.dumps(colors),
        tiles=sections.tiles(report),
        charts=sections.charts(report),
        tokens=token_section(tokens),
        users=report.users[:USERS_SHOWN],
        user_total=_user_total(report.totals),
        users_hidden=not report.users and any((report.totals.active_users or {}).values()),
        days=urlencode({"from": report.first, "to": report.last}),
        query=_href(report.first, report.last, filtered, whole=None),
    )


def _presets(report: Report, oldest: date, models: Sequence[str]) -> list[Preset]:
    """Return the links to ranges that end today and lie inside the window."""
    today = report.today
    length = (today - oldest).days + 1
    ranges = {
        wording.days(number): today - timedelta(days=number - 1)
        for number in sorted({*PRESETS, length})
        if number <= length
    }
    ranges["This month"] = max(today.replace(day=1), oldest)
    shown = (report.first, report.last)
    return [
        Preset(title, _href(first, today, models, whole=(oldest, today)), shown == (first, today))
        for title, first in ranges.items()
    ]


def _href(first: date, last: date, models: Sequence[str], whole: tuple[date, date] | None) -> str:
    """Return a link to a range; the whole window is named by no dates, so that the link moves on with the days."""
    days = [] if (first, last) == whole else [("from", str(first)), ("to", str(last))]
    query = urlencode([*days, *(("model", model) for model in models)])
    return f"?{query}" if query else "./"


def _cell(user: UserUse, column: Column) -> str:
    """Return a cell of the table of users as text."""
    value = getattr(user, column.key)
    if column.kind == "money":
        return wording.money(value)
    return wording.count(value) if column.kind == "count" else str(value)


def _user_total(totals: Totals) -> list[str]:
    """Return the last row of the table of users, empty where a sum has no meaning."""
    lines, actions = totals.lines_of_code or {}, totals.tool_actions or {}
    sums = {
        "estimated_cost_usd": wording.money(totals.estimated_cost_usd),
        "tokens": wording.count(totals.tokens),
        "sessions": wording.count(totals.sessions),
        "lines_added": wording.count(lines.get("added")),
        "lines_removed": wording.count(lines.get("removed")),
        "commits": wording.count(totals.commits),
        "pull_requests": wording.count(totals.pull_requests),
        "accepted": wording.count(actions.get("accepted")),
        "rejected": wording.count(actions.get("rejected")),
    }
    return ["Total", *(sums.get(column.key, "") for column in USER_COLUMNS[1:])]


_PAGE = _environment().get_template("page.html")
