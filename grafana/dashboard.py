"""The whole dashboard: its story, three more rows, variables, links and time."""

from collections.abc import Iterable, Sequence

from grafana.api_tokens import api_tokens
from grafana.cost import cost_details
from grafana.health import data_health
from grafana.panels import DATASOURCE, Grid, Panel
from grafana.promql import DATES, known, now
from grafana.story import headline, trends
from grafana.summary import ALERTS, summary
from grafana.transforms import Json
from grafana.users import user_table
from grafana.variables import variables

UID = "claude-usage"
REPOSITORY = "https://github.com/anthropic-exporter/anthropic-exporter"
_DOCS = f"{REPOSITORY}/blob/main/docs"

_TABLE_Y, _COST_Y, _TOKENS_Y, _HEALTH_Y = 49, 63, 88, 120

_BUILT_IN: Json = {
    "builtIn": 1,
    "datasource": {"type": "grafana", "uid": "-- Grafana --"},
    "enable": True,
    "hide": True,
    "iconColor": "rgba(0, 211, 255, 1)",
    "name": "Annotations & Alerts",
    "type": "dashboard",
}


def dashboard() -> Json:
    """Return the dashboard in the classic schema, without an id: Grafana gives one when it is provisioned."""
    return {
        "uid": UID,
        "title": "Claude usage and cost",
        "description": "What Claude and Claude Code cost the organisation, and who uses them. A UTC day counts when "
        "any part of it lies in the chosen range; days are shown as they are known now.",
        "tags": ["anthropic", "claude", "cost"],
        "schemaVersion": 39,
        "version": 1,
        "editable": False,
        "graphTooltip": 1,
        "timezone": "utc",
        "weekStart": "monday",
        "fiscalYearStartMonth": 0,
        "liveNow": False,
        "refresh": "15m",
        "time": {"from": "now-90d", "to": "now"},
        "timepicker": {"refresh_intervals": ["1m", "5m", "15m", "30m", "1h"]},
        "annotations": {"list": [_BUILT_IN, _firing(), _today()]},
        "links": _links(),
        "templating": {"list": variables()},
        "panels": _panels(),
    }


def _panels() -> list[Json]:
    story = [*summary(), *headline(), *trends(), user_table(Grid(0, _TABLE_Y, 24, 14))]
    shown = _numbered(story, 1)
    cost = [_row("More about cost", 100, _COST_Y), *_numbered(cost_details(_COST_Y + 1), 101)]
    tokens = _row("API tokens", 150, _TOKENS_Y, _numbered(api_tokens(_TOKENS_Y + 1), 151))
    health = _row("Data health", 200, _HEALTH_Y, _numbered(data_health(_HEALTH_Y + 1), 201))
    return [*shown, *cost, tokens, health]


def _numbered(panels: Iterable[Panel], first: int) -> list[Json]:
    return [panel.json(number) for number, panel in enumerate(panels, first)]


def _row(title: str, number: int, y: int, folded: Sequence[Json] = ()) -> Json:
    """Return a heading; the panels in `folded` are hidden until it is opened."""
    place = {"x": 0, "y": y, "w": 24, "h": 1}
    return {
        "id": number,
        "type": "row",
        "title": title,
        "collapsed": bool(folded),
        "gridPos": place,
        "panels": list(folded),
    }


def _firing() -> Json:
    look = {"titleFormat": "{{alertname}}", "textFormat": "{{severity}} {{report}} {{workspace_name}}"}
    return _annotation("Firing alerts", now(ALERTS), "red") | look


def _today() -> Json:
    """Return the mark over today, from its midnight on: its numbers still grow."""
    midnight = f"scalar(max({known(DATES)}))"
    expr = f"vector(time()) >= {midnight} < {midnight} + 86400"
    return _annotation("Today", expr, "#8e8e8e") | {"titleFormat": "Today, still growing", "textFormat": ""}


def _annotation(name: str, expr: str, colour: str) -> dict[str, object]:
    return {
        "name": name,
        "datasource": DATASOURCE,
        "enable": True,
        "hide": False,
        "iconColor": colour,
        "expr": expr,
        "step": "5m",
    }


def _links() -> list[Json]:
    return [
        _link("Metrics", f"{_DOCS}/reference/metrics.md", "Every metric, its labels and its source"),
        _link("Runbook", f"{_DOCS}/runbook.md", "What to do about an alert"),
    ]


def _link(title: str, url: str, tooltip: str) -> Json:
    return {
        "title": title,
        "type": "link",
        "icon": "doc",
        "tooltip": tooltip,
        "url": url,
        "tags": [],
        "asDropdown": False,
        "targetBlank": True,
        "includeVars": False,
        "keepTime": False,
    }
