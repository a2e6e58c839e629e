"""The first lines of the dashboard: this month, more or less than the last, and whether the numbers can be trusted."""

from grafana.panels import (
    COUNT,
    MONEY,
    PLAIN,
    Grid,
    Panel,
    stat_options,
    value_query,
)
from grafana.promql import (
    DATES,
    LAST_SUCCESS,
    MODEL,
    at_newest,
    chosen,
    known,
    live,
    now,
)
from grafana.sentences import GOOD, INCOMPLETE, WRONG, sentence, sentences_table
from grafana.transforms import Json
from grafana.words import BILLED, EXPORTER

_COST = "anthropic_cost_usd"
_COVERAGE = "anthropic_report_coverage_ratio"
_COST_REPORT = 'report="cost"'
ALERTS = 'ALERTS{alertname=~"Anthropic.+", alertstate="firing", job=~"$job|", instance=~"$instance|"}'
"""Our alerts that fire; one about a job alone has no instance, and some have neither."""
_BY_EXPORTER = "on (job, instance)"


def summary() -> list[Panel]:
    """Return the row of tiles and the line that explains what is missing."""
    return [_month_to_date(), _change(), _data_as_of(), _coverage(), _alerts_firing(), _trust()]


def _today(function: str = "") -> str:
    """Return the newest date of each exporter's window, or a function of it."""
    return f"{function}(max by (job, instance) ({known(DATES)}))"


def _month(dates: str) -> str:
    """Return a vector of dates with the label `month`, such as 2026-11."""
    return f'label_replace({dates}, "month", "${{1}}", "date", "(.......).*")'


def _of_month(vector: str, a_date: str) -> str:
    """Return `vector`, by date, only the dates in the month of the one date that each exporter has in `a_date`."""
    return f"({_month(vector)} and on (job, instance, month) {_month(a_date)})"


_NEWEST_DATE = f"({known(DATES)} == {_BY_EXPORTER} group_left () {_today()})"
_LAST_OF_PREVIOUS = f"({known(DATES)} == {_BY_EXPORTER} group_left () ({_today()} - 86400 * {_today('day_of_month')}))"
_EARLIER_IN_MONTH = f"(day_of_month({known(DATES)}) < {_BY_EXPORTER} group_left () {_today('day_of_month')})"


def _month_to_date() -> Panel:
    return Panel(
        kind="stat",
        title="Spend, month to date",
        description="Billed cost of the chosen models in the calendar month (UTC) of the newest date, today included, "
        f"whatever the time picker says. {BILLED}",
        at=Grid(0, 0, 5, 4),
        targets=[value_query(f"sum({_of_month(known(_COST, MODEL), _NEWEST_DATE)})", "Billed")],
        options=stat_options(text="value", size=36),
        defaults={**MONEY, "color": PLAIN},
    )


def _change() -> Panel:
    cost = f"({known(_COST, MODEL)} and on (job, instance, date) {_EARLIER_IN_MONTH})"
    this, last = (f"sum({_of_month(cost, one)})" for one in (_NEWEST_DATE, _LAST_OF_PREVIOUS))
    whole = f"(sum({_of_month(f'(day_of_month({known(DATES)}) == 1)', _LAST_OF_PREVIOUS)}) > 0)"
    read = f"(min({known(_COVERAGE, _COST_REPORT)}) == 1)"
    change = f"({this} / ({last} > 0) - 1 and on () {whole} and on () {read})"
    return Panel(
        kind="stat",
        title="Against last month",
        description="Billed cost of the chosen models in this month's full days, today left out, against the same days "
        "of the month before. Nothing is shown on the first of a month, and before all days have been read. "
        f"{BILLED}",
        at=Grid(5, 0, 7, 4),
        targets=[
            value_query(f"{change} > 0", "More than in the same days"),
            value_query(f"abs({change} <= 0)", "Less than in the same days", "B"),
        ],
        options=stat_options(size=36, wide=False),
        defaults={"unit": "percentunit", "decimals": 1, "color": PLAIN},
    )


def _data_as_of() -> Panel:
    return Panel(
        kind="stat",
        title="Data as of",
        description="When the report that is furthest behind was last read. Above it are the numbers as they were "
        f"known then. {EXPORTER}",
        at=Grid(12, 0, 4, 4),
        targets=[value_query(f"min({known(LAST_SUCCESS)}) * 1000", "Last read")],
        options=stat_options(text="value", size=28),
        defaults={"unit": "dateTimeFromNow", "color": PLAIN},
    )


def _coverage() -> Panel:
    return Panel(
        kind="stat",
        title="Coverage",
        description="Days of the window that were read, of the report that is furthest behind. Below 100 % sums over "
        f"older days are too low. {EXPORTER}",
        at=Grid(16, 0, 4, 4),
        targets=[value_query(f"min({known(_COVERAGE)})", "Days read")],
        options=stat_options(text="value", size=28),
        defaults={"unit": "percentunit", "decimals": 0, **_limits(("orange", None), ("green", 1))},
    )


def _alerts_firing() -> Panel:
    at_page, since = f"{ALERTS} @ ${{as_of}}", f"max_over_time({ALERTS}[31d] @ ${{as_of}} offset -31d)"
    rules = '0 * count({__name__=~"anthropic:.+"} @ ${as_of})'
    return Panel(
        kind="stat",
        title="Alerts firing",
        description="Alerts of this project's rules that fire, at the newest scrape or since then. Nothing is shown "
        "where Prometheus does not evaluate the rules. Source: Prometheus.",
        at=Grid(20, 0, 4, 4),
        targets=[value_query(f"count({now(f'({at_page} or {since})')}) or {rules}", "Firing")],
        options=stat_options(text="value", size=28),
        defaults={**COUNT, **_limits(("green", None), ("red", 1))},
    )


def _limits(*steps: tuple[str, float | None]) -> Json:
    listed = [{"color": colour, "value": value} for colour, value in steps]
    return {"color": {"mode": "thresholds"}, "thresholds": {"mode": "absolute", "steps": listed}}


def _trust() -> Panel:
    meaning = "What is known to be missing or wrong in the numbers below, the worst first."
    return sentences_table("Can these numbers be trusted?", meaning, Grid(0, 4, 24, 3), *_problems())


def _problems() -> tuple[str, ...]:
    """Return a vector for each thing that may be known: a sentence in the label `problem`, and how bad it is."""
    read = f"max by (instance, report) ({known(_COVERAGE)} < 1)"
    fails = f'label_join({known("anthropic_exporter_report_failing")} == 1, "why", " (", "report", "reason")'
    silent = f"max by (instance) ({_silent()})"
    gone = f"max by (instance) ({_gone()})"
    no_day = f"vector(1) and on () {known(DATES)} unless on () {chosen(known(DATES))}"
    nothing = f"absent({known('anthropic_up')})"
    up = f"{known('anthropic_up')} and on (instance, report) {known(_COVERAGE)}"  # without it, not for this key
    good = (
        f"vector(1) and on () (min({up}) == 1) and on () (min({known(_COVERAGE)}) == 1) "
        f"unless on () {_silent()} unless on () {_gone()} unless on () ({no_day})"
    )
    return (
        sentence(good, "Every report works, and every day of the window was read.", GOOD),
        sentence(no_day, "No day of the chosen range is in the exporter's window.", INCOMPLETE),
        sentence(read, "Not every day of the report ${1} was read yet: sums are too low.", INCOMPLETE, "report"),
        sentence(fails, "The report ${1}) fails: newer numbers cannot be read.", WRONG, "why"),
        sentence(silent, "The exporter stopped answering: the numbers are those of its last page.", WRONG),
        sentence(gone, "The exporter stopped answering: its numbers are left out.", WRONG),
        sentence(nothing, "No page of an exporter is near this range. Does Prometheus scrape one?", WRONG),
    )


def _silent() -> str:
    """Return the exporters with a page at the newest scrape, of which every later scrape that is known failed."""
    failed = f"max_over_time(({live('up')} == 0)[31d:5m] @ ${{as_of}} offset -31d)"
    return f"({failed} and {_BY_EXPORTER} {known(LAST_SUCCESS)})"


def _gone() -> str:
    """Return the exporters with a page in the 31 days before the newest scrape, and none then."""
    pages = now(f"present_over_time({at_newest(LAST_SUCCESS, window='31d')})")
    return f"({pages} unless {_BY_EXPORTER} {at_newest(LAST_SUCCESS)})"
