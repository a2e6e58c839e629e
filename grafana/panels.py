"""The kinds of panels: a number, bars by day, lines, a bar gauge, a table. Layout and look, no content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from grafana.transforms import Json

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}

NOTHING_CHOSEN = "No data for the chosen days. See Data health at the foot of this dashboard."

_UNDER_A_CENT: Json = {
    "type": "range",
    "options": {"from": -0.009999999, "to": 0.009999999, "result": {"index": 0, "text": "$0.00"}},
}
MONEY: Json = {"unit": "currency:financial:$", "decimals": 2, "mappings": [_UNDER_A_CENT]}
"""Dollars and cents in full; an amount under one cent shows as zero."""
COUNT: Json = {"unit": "locale", "decimals": 0}
TOKENS: Json = {"unit": "short"}
SHARE: Json = {"unit": "percentunit", "min": 0, "max": 1, "decimals": 1}

PLAIN: Json = {"mode": "fixed", "fixedColor": "text"}
GREEN, RED, ORANGE, BLUE, PURPLE = "green", "semi-dark-red", "orange", "semi-dark-blue", "light-purple"
BY_NAME: Json = {"mode": "palette-classic-by-name"}
"""A colour made from the name: a model has the same colour on every panel."""

_LEGEND: Json = {"showLegend": True, "displayMode": "list", "placement": "bottom", "calcs": []}


@dataclass(frozen=True)
class Grid:
    """A place on the dashboard: 24 columns wide, rows of 30 pixels and 8 between them."""

    x: int
    y: int
    w: int
    h: int


@dataclass(frozen=True, kw_only=True)
class Panel:
    """A panel in the classic schema; `defaults` and `overrides` are those of its field configuration.

    `time_from` is the panel's own range, such as `24h`, where the picker's would say little.
    """

    kind: str
    title: str
    description: str
    at: Grid
    targets: Sequence[Json]
    options: Json
    defaults: Json
    overrides: Sequence[Json] = ()
    steps: Sequence[Json] = ()
    time_from: str | None = None

    def json(self, panel_id: int) -> Json:
        """Return the panel's JSON object."""
        defaults = {"noValue": NOTHING_CHOSEN, **self.defaults}
        return {
            "id": panel_id,
            "type": self.kind,
            "title": self.title,
            "description": self.description,
            "datasource": DATASOURCE,
            "gridPos": {"x": self.at.x, "y": self.at.y, "w": self.at.w, "h": self.at.h},
            "targets": list(self.targets),
            "transformations": list(self.steps),
            "fieldConfig": {"defaults": defaults, "overrides": list(self.overrides)},
            "options": self.options,
            **({"timeFrom": self.time_from} if self.time_from else {}),
        }


def table_query(expr: str, ref_id: str = "A") -> Json:
    """Return a target that is asked once, at the right edge of the picker, and answers with a table."""
    return {**_target(expr, ref_id), "format": "table", "instant": True, "range": False}


def value_query(expr: str, legend: str, ref_id: str = "A") -> Json:
    """Return a target that is asked once and gives one value for each series, named by `legend`."""
    asked = {"format": "time_series", "instant": True, "range": False, "legendFormat": legend}
    return {**_target(expr, ref_id), **asked}


def range_query(expr: str, legend: str, ref_id: str = "A") -> Json:
    """Return a target that is asked over the picker's range: for the exporter's own counters."""
    asked = {"format": "time_series", "instant": False, "range": True, "legendFormat": legend}
    return {**_target(expr, ref_id), **asked}


def fixed(colour: str) -> Json:
    """Return the colour mode of one colour by its name."""
    return {"mode": "fixed", "fixedColor": colour}


def rename(name: str, display: str) -> Json:
    """Return the override that shows the field `name` as `display`."""
    return override(name, displayName=display)


def override(name: str, **properties: object) -> Json:
    """Return the override of one field by its name; in a keyword, `__` stands for the dot of `custom.unit`."""
    listed = [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]
    return {"matcher": {"id": "byName", "options": name}, "properties": listed}


def stat_options(*, text: str = "value_and_name", size: int | None = None) -> Json:
    """Return the options of a tile: the number, no sparkline behind it; `size` in pixels, else as fits."""
    text_sizes = {"valueSize": size, "titleSize": 16} if size else {}
    return {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "orientation": "vertical",
        "textMode": text,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "center",
        "wideLayout": True,
        "showPercentChange": False,
        "text": text_sizes,
        "percentChangeColorMode": "standard",
    }


def gauge_options() -> Json:
    """Return the options of a bar gauge: one lying bar for each series, its name above."""
    return {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "orientation": "horizontal",
        "displayMode": "gradient",
        "valueMode": "color",
        "namePlacement": "top",
        "showUnfilled": True,
        "sizing": "auto",
        "minVizWidth": 8,
        "minVizHeight": 16,
        "maxVizHeight": 60,
        "legend": {**_LEGEND, "showLegend": False},
    }


def chart_options(*, sort: str = "desc") -> Json:
    """Return the options of a chart over time: names below, all values of a day in the tooltip."""
    return {"legend": _LEGEND, "tooltip": {"mode": "multi", "sort": sort, "hideZeros": True}}


def bars(*, stacked: bool = True) -> Json:
    """Return the style of bars that cover their own UTC day, from its midnight to the next."""
    return {
        "drawStyle": "bars",
        "barAlignment": 1,
        "barWidthFactor": 0.85,
        "lineWidth": 0,
        "fillOpacity": 85,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        **_AXIS,
    }


def lines() -> Json:
    """Return the style of lines; a day that was not read is a gap."""
    return {
        "drawStyle": "line",
        "lineInterpolation": "linear",
        "lineWidth": 2,
        "fillOpacity": 0,
        "showPoints": "auto",
        "pointSize": 5,
        "spanNulls": False,
        "stacking": {"mode": "none", "group": "A"},
        **_AXIS,
    }


_AXIS: Mapping[str, object] = {
    "axisPlacement": "auto",
    "axisLabel": "",
    "axisColorMode": "text",
    "axisBorderShow": False,
    "axisCenteredZero": False,
    "scaleDistribution": {"type": "linear"},
    "gradientMode": "none",
    "insertNulls": False,
    "hideFrom": {"legend": False, "tooltip": False, "viz": False},
    "thresholdsStyle": {"mode": "off"},
}


def _target(expr: str, ref_id: str) -> Json:
    return {"refId": ref_id, "datasource": DATASOURCE, "editorMode": "code", "exemplar": False, "expr": expr}
