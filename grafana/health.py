"""Data health: are the numbers above fresh and complete, and if not, why."""

from collections.abc import Sequence

from grafana.panels import (
    BY_NAME,
    COUNT,
    GREEN,
    PLAIN,
    SHARE,
    Grid,
    Panel,
    chart_options,
    fixed,
    gauge_options,
    lines,
    range_query,
    rename,
    stat_options,
    table_query,
    value_query,
)
from grafana.promql import live
from grafana.transforms import Json, organize
from grafana.words import EXPORTER, REPORTS

_NEVER = "Not known at that time"
_NAMES = [rename(name, shown) for name, shown in REPORTS.items()]
_OFTEN = "$__rate_interval"


def data_health(y: int) -> list[Panel]:
    """Return the panels, placed from the row `y` on."""
    return [*_now(y), _failing(y + 5), *_over_time(y + 5), *_page(y + 13)]


def _now(y: int) -> list[Panel]:
    age = "time() - {}"
    success, newest = (f"anthropic_report_{name}_timestamp_seconds" for name in ("last_success", "newest_date"))
    return [
        _report_stat("Last refresh", live("anthropic_up"), Grid(0, y, 6, 5), _UP, "1 when the last refresh worked."),
        _report_stat(
            "Since the last success",
            age.format(live(success)),
            Grid(6, y, 6, 5),
            {"unit": "s", "decimals": 0, "color": PLAIN},
            "Time since a day of this report was last read without error.",
        ),
        _report_stat(
            "Age of the newest date",
            age.format(live(newest)),
            Grid(12, y, 6, 5),
            {"unit": "s", "decimals": 1, "color": PLAIN},
            "Time since 00:00 UTC of the newest date with data. More than two days: Anthropic's report stands still, "
            "or nobody worked.",
        ),
        Panel(
            kind="bargauge",
            title="Coverage",
            description=f"Days of the window that were read. Below 100 % while the first fill runs. {EXPORTER}",
            at=Grid(18, y, 6, 5),
            targets=[value_query(f"min by (report) ({live('anthropic_report_coverage_ratio')})", "{{report}}")],
            options=gauge_options(),
            defaults={**SHARE, "noValue": _NEVER, "color": fixed(GREEN)},
            overrides=_NAMES,
        ),
    ]


_STATES: Json = {
    "type": "value",
    "options": {
        "0": {"index": 0, "text": "Failed", "color": "red"},
        "1": {"index": 1, "text": "Worked", "color": "green"},
    },
}
_UP: Json = {"unit": "bool_on_off", "mappings": [_STATES], "color": PLAIN}


def _report_stat(title: str, expr: str, at: Grid, look: Json, meaning: str) -> Panel:
    worst = f"{'min' if look is _UP else 'max'} by (report) ({expr})"
    return Panel(
        kind="stat",
        title=title,
        description=f"{meaning} The worst of the chosen instances. {EXPORTER}",
        at=at,
        targets=[value_query(worst, "{{report}}")],
        options=stat_options(size=28),
        defaults={"noValue": _NEVER, **look},
        overrides=_NAMES,
    )


def _failing(y: int) -> Panel:
    return Panel(
        kind="table",
        title="What fails now",
        description="The reason for which the last attempt at a report failed. Empty when all reports work. "
        f"{EXPORTER}",
        at=Grid(0, y, 8, 8),
        targets=[
            table_query(f"max by (report, reason, instance) ({live('anthropic_exporter_report_failing')} == 1)"),
        ],
        steps=[
            organize({"report": "Report", "reason": "Reason", "instance": "Instance"}, drop=("Time", "Value")),
        ],
        options={"showHeader": True, "cellHeight": "sm", "frameIndex": 0},
        defaults={"unit": "none", "noValue": "Nothing fails.", "custom": {"align": "auto"}},
    )


def _over_time(y: int) -> list[Panel]:
    failures = f"increase({live('anthropic_exporter_api_request_failures_total')}[{_OFTEN}])"
    requests = f"increase({live('anthropic_exporter_api_requests_total')}[{_OFTEN}])"
    waits = f"rate({live('anthropic_exporter_rate_limit_wait_seconds_total')}[{_OFTEN}])"
    return [
        _chart(
            "Requests to the Admin API, and failures",
            "Requests that were sent, and those that gave no usable answer, in each interval of the chart.",
            Grid(8, y, 8, 8),
            [
                range_query(f"sum by (report) ({requests})", "{{report}}"),
                range_query(f"sum by (report, reason) ({failures}) > 0", "{{report}} failed: {{reason}}", "B"),
            ],
            {**COUNT, "min": 0, "custom": lines()},
        ),
        _chart(
            "Waiting for the rate limit",
            "Share of time that requests waited for EXPORTER_REQUESTS_PER_MINUTE.",
            Grid(16, y, 8, 8),
            [range_query(f"sum by (instance) ({waits})", "{{instance}}")],
            {"unit": "percentunit", "min": 0, "custom": {**lines(), "axisSoftMax": 1}},
        ),
    ]


def _page(y: int) -> list[Panel]:
    counts = {
        "Series": live("anthropic_exporter_page_series"),
        "Users folded into other": live("anthropic_exporter_users_folded"),
        "Failed writes": f"increase({live('anthropic_exporter_store_failures_total')}[$__range])",
    }
    refs = zip("ABC", counts.items(), strict=True)
    page_age = f"max(time() - {live('anthropic_exporter_page_timestamp_seconds')})"
    return [
        Panel(
            kind="stat",
            title="The page",
            description="Series on the page that Prometheus scrapes, users beyond EXPORTER_MAX_USERS, and writes to "
            f"the data folder that failed in the chosen range. {EXPORTER}",
            at=Grid(0, y, 12, 4),
            targets=[value_query(f"sum({count})", name, ref) for ref, (name, count) in refs],
            options=stat_options(size=28),
            defaults={**COUNT, "noValue": _NEVER, "color": PLAIN},
        ),
        Panel(
            kind="stat",
            title="Times",
            description=f"Age of the page, and how long the last refresh took. The worst of the instances. {EXPORTER}",
            at=Grid(12, y, 12, 4),
            targets=[
                value_query(page_age, "Page age"),
                value_query(f"max({live('anthropic_exporter_refresh_duration_seconds')})", "Last refresh", "B"),
            ],
            options=stat_options(size=28),
            defaults={"unit": "s", "decimals": 1, "noValue": _NEVER, "color": PLAIN},
        ),
    ]


def _chart(title: str, meaning: str, at: Grid, targets: Sequence[Json], look: Json) -> Panel:
    return Panel(
        kind="timeseries",
        title=title,
        description=f"{meaning} The last 24 hours, whatever the time picker says. {EXPORTER}",
        at=at,
        targets=targets,
        options=chart_options(),
        defaults={"noValue": _NEVER, "color": BY_NAME, **look},
        time_from="24h",
    )
