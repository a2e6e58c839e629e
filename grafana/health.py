"""Data health: are the numbers above fresh and complete, and if not, why."""

from grafana.panels import (
    COUNT,
    GREEN,
    PLAIN,
    SHARE,
    Grid,
    Panel,
    fixed,
    gauge_options,
    override,
    rename,
    stat_options,
    table_query,
    value_query,
)
from grafana.promql import age, known, last_day
from grafana.transforms import Json, organize
from grafana.words import EXPORTER, REPORTS

_NAMES = [rename(name, shown) for name, shown in REPORTS.items()]
_AT_NEWEST = "As of the newest scrape near the chosen range."


def data_health(y: int) -> list[Panel]:
    """Return the panels, placed from the row `y` on."""
    return [*_reports(y), _states(y + 5), _admin_api(y + 5), _page(y + 9), _times(y + 9)]


def _reports(y: int) -> list[Panel]:
    success, newest = (f"anthropic_report_{name}_timestamp_seconds" for name in ("last_success", "newest_date"))
    return [
        _report_stat("Last refresh", known("anthropic_up"), Grid(0, y, 6, 5), _UP, "1 when the last refresh worked."),
        _report_stat(
            "Since the last success",
            age(success),
            Grid(6, y, 6, 5),
            {"unit": "s", "decimals": 0, "color": PLAIN},
            "Time since a day of this report was last read without error.",
        ),
        _report_stat(
            "Age of the newest date",
            age(newest),
            Grid(12, y, 6, 5),
            {"unit": "s", "decimals": 1, "color": PLAIN},
            "Time since 00:00 UTC of the newest date with data. More than two days: Anthropic's report stands still, "
            "or nobody worked.",
        ),
        Panel(
            kind="bargauge",
            title="Coverage by report",
            description=f"Days of the window that were read. Below 100 % while the first fill runs. {_AT_NEWEST} "
            f"{EXPORTER}",
            at=Grid(18, y, 6, 5),
            targets=[value_query(f"min by (report) ({known('anthropic_report_coverage_ratio')})", "{{report}}")],
            options=gauge_options(),
            defaults={**SHARE, "color": fixed(GREEN)},
            overrides=_NAMES,
        ),
    ]


_UP_TEXTS: Json = {
    "type": "value",
    "options": {
        "0": {"index": 0, "text": "Failed", "color": "red"},
        "1": {"index": 1, "text": "Worked", "color": "green"},
    },
}
_UP: Json = {"unit": "bool_on_off", "mappings": [_UP_TEXTS], "color": PLAIN}


def _report_stat(title: str, expr: str, at: Grid, look: Json, meaning: str) -> Panel:
    worst = f"{'min' if look is _UP else 'max'} by (report) ({expr})"
    return Panel(
        kind="stat",
        title=title,
        description=f"{meaning} The worst of the chosen instances. {_AT_NEWEST} {EXPORTER}",
        at=at,
        targets=[value_query(worst, "{{report}}")],
        options=stat_options(size=28),
        defaults=look,
        overrides=_NAMES,
    )


def _states(y: int) -> Panel:
    works = f"max by (report, instance) ({known('anthropic_up')} == 1)"
    fails = f"max by (report, instance, reason) ({known('anthropic_exporter_report_failing')} == 1)"
    reports = [{"type": "value", "options": {name: {"text": shown} for name, shown in REPORTS.items()}}]
    return Panel(
        kind="table",
        title="State of each report",
        description="Whether the last attempt at a report worked, or the reason for which it failed. A report that "
        f"is not listed has not been tried. {_AT_NEWEST} {EXPORTER}",
        at=Grid(0, y, 12, 8),
        targets=[table_query(f'label_replace({works}, "reason", "works", "", "") or {fails}')],
        steps=[organize({"report": "Report", "reason": "State", "instance": "Instance"}, drop=("Time", "Value"))],
        options={"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
        defaults={"unit": "none", "custom": {"align": "auto"}},
        overrides=[override("Report", mappings=reports)],
    )


def _admin_api(y: int) -> Panel:
    counts = {
        "Requests": f"sum({last_day('anthropic_exporter_api_requests_total')})",
        "Failed": f"sum({last_day('anthropic_exporter_api_request_failures_total')})",
        "Waiting": f"max({last_day('anthropic_exporter_rate_limit_wait_seconds_total')}) / 86400",
    }
    return Panel(
        kind="stat",
        title="Admin API, 24 hours",
        description="Requests sent, requests that gave no usable answer, and the share of the time that requests "
        f"waited for EXPORTER_REQUESTS_PER_MINUTE, in the 24 hours before the newest scrape. {EXPORTER}",
        at=Grid(12, y, 12, 4),
        targets=[value_query(count, name, ref) for ref, (name, count) in zip("ABC", counts.items(), strict=True)],
        options=stat_options(size=28),
        defaults={**COUNT, "color": PLAIN},
        overrides=[override("Waiting", unit="percentunit", decimals=1)],
    )


def _page(y: int) -> Panel:
    counts = {
        "Series": known("anthropic_exporter_page_series"),
        "Users folded into other": known("anthropic_exporter_users_folded"),
        "Failed writes, 24 hours": last_day("anthropic_exporter_store_failures_total"),
    }
    refs = zip("ABC", counts.items(), strict=True)
    return Panel(
        kind="stat",
        title="The page",
        description="Series on the page that Prometheus scrapes, users beyond EXPORTER_MAX_USERS, and writes to "
        f"the data folder that failed in the 24 hours before the newest scrape. {EXPORTER}",
        at=Grid(12, y, 7, 4),
        targets=[value_query(f"sum({count})", name, ref) for ref, (name, count) in refs],
        options=stat_options(size=24),
        defaults={**COUNT, "color": PLAIN},
    )


def _times(y: int) -> Panel:
    return Panel(
        kind="stat",
        title="Times",
        description="Age of the page, and how long the last refresh took. The worst of the chosen instances. "
        f"{_AT_NEWEST} {EXPORTER}",
        at=Grid(19, y, 5, 4),
        targets=[
            value_query(f"max({age('anthropic_exporter_page_timestamp_seconds')})", "Page age"),
            value_query(f"max({known('anthropic_exporter_refresh_duration_seconds')})", "Last refresh", "B"),
        ],
        options=stat_options(size=24),
        defaults={"unit": "s", "decimals": 1, "color": PLAIN},
    )
