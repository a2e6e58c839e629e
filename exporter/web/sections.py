"""The sections of the page as text and tables: three tiles and six charts, each with its numbers. Pure.

What a browser draws is the same numbers from `/api/v1/report`; `static/plans.js` has one entry for each `key` here.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import NamedTuple

from exporter.reports import claude_code, cost
from exporter.web.report import Coverage, Day, Report, Totals
from exporter.web.wording import NOT_READ, actors, change, count, day_of, days, money, plural, share, short

Row = tuple[str, ...]
TREND_DAYS = 30


class Table(NamedTuple):
    """Numbers as text. The first cell of a row is its heading; `total` is the last row, if there is one."""

    caption: str
    head: Row
    rows: Sequence[Row]
    total: Row | None = None


class Section(NamedTuple):
    """A tile or a chart. `legend` names its series: those of a model have the colour of the model, others a role's."""

    key: str
    title: str
    summary: str
    tables: Sequence[Table]
    coverage: str = ""
    legend: Sequence[tuple[str, str]] = ()
    by_model: bool = False


class Tile(NamedTuple):
    """The head of a section that shows a total."""

    section: Section
    value: str
    beside: str
    """What is said next to the value."""
    details: Sequence[str]
    change: tuple[str, str]
    """A change in per cent and what it is against; empty texts where there is nothing to compare with."""


def tiles(report: Report) -> list[Tile]:
    """Return the three totals."""
    return [_active_users(report), _lines_total(report), _spend(report)]


def charts(report: Report) -> list[Section]:
    """Return the six charts below the tiles, in their order."""
    return [
        _cost_over_time(report),
        _model_distribution(report),
        _lines_over_time(report),
        _activity(report),
        _tokens(report),
        _actions(report),
    ]


def coverage(of: Coverage | None) -> str:
    """Return how much of a range was read, nothing when all of it was."""
    return "" if of is None or of.read >= of.days else f"{of.read} of {days(of.days)} read"


def _active_users(report: Report) -> Tile:
    totals, before = report.totals, report.previous
    people, earlier = _people(totals), _people(before)
    rows = [
        ("Active users", *_pair(totals, before, lambda of: actors(of.active_users))),
        ("Sessions", *_pair(totals, before, lambda of: count(of.sessions))),
    ]
    section = _section(report, "active-users", "Total Active Users", claude_code.NAME, (_compared(report, rows),))
    daily = [_of(of.active_users, "user") for of in report.days]
    keys = _of(totals.active_users, "api_key")
    return Tile(
        section,
        NOT_READ if people is None else plural(people, "user"),
        "" if keys is None else plural(keys, "API key"),
        [] if totals.sessions is None else [plural(totals.sessions, "session")],
        _change(report, people, earlier, count) or _trend(daily, "users a day "),
    )


def _lines_total(report: Report) -> Tile:
    totals, before = report.totals, report.previous
    added, earlier = _added(totals), _added(before)
    rows = [
        ("Lines added", *_pair(totals, before, lambda of: count(_added(of)))),
        ("Lines removed", *_pair(totals, before, lambda of: count(_of(of.lines_of_code, "removed")))),
        ("Commits", *_pair(totals, before, lambda of: count(of.commits))),
        ("Pull requests", *_pair(totals, before, lambda of: count(of.pull_requests))),
    ]
    title, tables = "Total Lines of Code Accepted", (_compared(report, rows),)
    read = totals.commits is not None
    return Tile(
        _section(report, "lines-total", title, claude_code.NAME, tables),
        NOT_READ if added is None else f"{count(added)} added",
        f"{count(_of(totals.lines_of_code, 'removed'))} removed" if read else "",
        [f"{plural(totals.commits, 'commit')}, {plural(totals.pull_requests, 'pull request')}"] if read else [],
        _change(report, added, earlier, count) or _trend([_of(of.lines_of_code, "added") for of in report.days]),
    )


def _spend(report: Report) -> Tile:
    totals, before = report.totals, report.previous
    estimate = totals.estimated_cost_usd
    rows = [
        ("Billed", *_pair(totals, before, lambda of: money(of.cost_usd))),
        ("Estimate for Claude Code", *_pair(totals, before, lambda of: money(of.estimated_cost_usd))),
    ]
    daily = [None if of.cost_usd is None else sum(of.cost_usd.values()) for of in report.days]
    earlier = before.cost_usd if before else None
    return Tile(
        _section(report, "spend", "Total Spend", cost.NAME, (_compared(report, rows),)),
        money(totals.cost_usd),
        "billed for everything",
        [] if estimate is None else [f"Claude Code alone, at list prices: {money(estimate)}"],
        _change(report, totals.cost_usd, earlier, money) or _trend(daily),
    )


def _change(
    report: Report, now: float | None, before: float | None, shown: Callable[[float | None], str]
) -> tuple[str, str] | None:
    """Return the change against the period before, None where that is not known."""
    if now is None or before is None:
        return None
    return change(now, before), f"from {shown(before)} in the {days(len(report.days))} before"


def _trend(daily: Sequence[float | None], unit: str = "") -> tuple[str, str]:
    """Return the change of the last 30 days against the 30 before: the window's own days can be compared."""
    known = [value for value in daily[-2 * TREND_DAYS :] if value is not None]
    if len(known) < 2 * TREND_DAYS:
        return "", ""
    return change(
        sum(known[TREND_DAYS:]), sum(known[:TREND_DAYS])
    ), f"{unit}in the last {TREND_DAYS} days, from the {TREND_DAYS} before"


def _cost_over_time(report: Report) -> Section:
    models = [model.model for model in report.models]
    return _by_model(report, "cost", "Cost Over Time", models, cost.NAME, lambda of: of.cost_usd, money)


def _tokens(report: Report) -> Section:
    used = {model for of in report.days for model in of.tokens or ()}
    billed = [model.model for model in report.models if model.model in used]
    models = [*billed, *sorted(used - {*billed})]
    title = "Token Usage Over Time"
    return _by_model(report, "tokens", title, models, claude_code.NAME, lambda of: of.tokens, count)


def _by_model(
    report: Report,
    key: str,
    title: str,
    models: Sequence[str],
    source: str,
    values: Callable[[Day], Mapping[str, float] | None],
    shown: Callable[[float | None], str],
) -> Section:
    """Return a chart of a number by day and model."""
    sums = [None if (found := values(of)) is None else sum(found.values()) for of in report.days]
    rows = [
        (str(of.date), *(shown(_of(values(of), model)) for model in models), shown(total))
        for of, total in zip(report.days, sums, strict=True)
    ]
    table = Table(f"{title} by day", ("Day", *models, "Total"), rows)
    top = _largest({model: sum(_of(values(of), model) or 0 for of in report.days) for model in models})
    summary = " ".join((_peak(report, sums, money if shown is money else short), top))
    section = _section(report, key, title, source, (table,), summary)
    return section._replace(legend=[(model, model) for model in models], by_model=True)


def _model_distribution(report: Report) -> Section:
    rows = [(model.model, money(model.cost_usd), share(model.share)) for model in report.models]
    total = ("Total", money(report.totals.cost_usd), share(1)) if rows else None
    table = Table("Billed cost by model", ("Model", "Billed cost", "Share of the bill"), rows, total)
    top = [f"{model.model} {share(model.share)}" for model in report.models[:3]]
    summary = f"Of the bill: {', '.join(top)}." if top else _nothing(report.totals.cost_usd)
    return _section(report, "models", "Model Usage Distribution", cost.NAME, (table,), summary)


def _lines_over_time(report: Report) -> Section:
    rows = [
        (str(of.date), count(_of(of.lines_of_code, "added")), count(_of(of.lines_of_code, "removed")))
        for of in report.days
    ]
    table = Table("Lines of code by day", ("Day", "Added", "Removed"), rows)
    summary = _peak(report, [_of(of.lines_of_code, "added") for of in report.days], count, " added")
    section = _section(report, "lines", "Lines of Code Over Time", claude_code.NAME, (table,), summary)
    return section._replace(legend=(("Added", "good"), ("Removed", "bad")))


def _activity(report: Report) -> Section:
    kinds = ["user", "api_key"]
    kinds += sorted({kind for of in report.days for kind in of.active_users or ()} - {*kinds})
    names = {"user": "Users", "api_key": "API keys"}
    rows = [
        (str(of.date), *(count(_of(of.active_users, kind)) for kind in kinds), count(of.sessions)) for of in report.days
    ]
    table = Table("Active users by day", ("Day", *(names.get(kind, kind) for kind in kinds), "Sessions"), rows)
    summary = _peak(report, [_of(of.active_users, "user") for of in report.days], count, " users")
    section = _section(report, "activity", "User Activity Over Time", claude_code.NAME, (table,), summary)
    roles = {"user": "main", "api_key": "second"}
    return section._replace(legend=[(names.get(kind, kind), roles.get(kind, "none")) for kind in kinds])


def _actions(report: Report) -> Section:
    rows = [
        (str(of.date), count(_of(of.tool_actions, "accepted")), count(_of(of.tool_actions, "rejected")))
        for of in report.days
    ]
    by_tool = [
        (tool.tool, count(tool.accepted), count(tool.rejected), _accepted(tool.accepted, tool.rejected))
        for tool in report.tools
    ]
    tables = (
        Table("Tool actions by tool", ("Tool", "Accepted", "Rejected", "Share accepted"), by_tool),
        Table("Tool actions by day", ("Day", "Accepted", "Rejected"), rows),
    )
    totals = report.totals.tool_actions
    accepted, rejected = _of(totals, "accepted") or 0, _of(totals, "rejected") or 0
    summary = (
        f"{plural(accepted + rejected, 'action')}, {_accepted(accepted, rejected)} accepted." if totals else NOT_READ
    )
    section = _section(report, "actions", "Tool Actions Distribution", claude_code.NAME, tables, summary)
    return section._replace(legend=(("Accepted", "good"), ("Rejected", "bad")))


def _section(report: Report, key: str, title: str, source: str, tables: Sequence[Table], summary: str = "") -> Section:
    return Section(key, title, summary, tables, coverage(report.coverage.get(source)))


def _compared(report: Report, rows: Sequence[tuple[str, str, str]]) -> Table:
    if report.previous is None:
        return Table("These days", ("", "These days"), [row[:2] for row in rows])
    return Table("These days and those before", ("", "These days", f"{days(len(report.days))} before"), rows)


def _pair(totals: Totals, before: Totals | None, shown: Callable[[Totals], str]) -> tuple[str, str]:
    return shown(totals), shown(before) if before else ""


def _of(counts: Mapping[str, float] | None, name: str) -> float | None:
    """Return a number by name: 0 where the day was read, None where it was not."""
    return None if counts is None else counts.get(name, 0)


def _people(totals: Totals | None) -> float | None:
    return _of(totals.active_users, "user") if totals else None


def _added(totals: Totals | None) -> float | None:
    return _of(totals.lines_of_code, "added") if totals else None


def _accepted(accepted: float, rejected: float) -> str:
    return share(accepted / (accepted + rejected)) if accepted + rejected else "none"


def _largest(sums: Mapping[str, float]) -> str:
    whole = sum(sums.values())
    if not whole:
        return ""
    name = max(sums, key=lambda model: sums[model])
    return f"Most: {name}, {share(sums[name] / whole)}."


def _peak(report: Report, values: Iterable[float | None], shown: Callable[[float | None], str], unit: str = "") -> str:
    known = [(value, of.date) for value, of in zip(values, report.days, strict=True) if value is not None]
    if not known:
        return NOT_READ
    value, date = max(known)
    average = sum(found for found, _ in known) / len(known)
    usual = shown(round(average, 2) if shown is money else round(average))
    return f"Highest on {day_of(date, report.first, report.last)}: {shown(value)}{unit}; {usual} a day on average."


def _nothing(total: float | None) -> str:
    return NOT_READ if total is None else "Nothing was billed on these days."
