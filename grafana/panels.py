"""The kinds of panels: a number, bars by day, lines, a bar gauge, a table. Layout and look, no content."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from exporter.palette import OTHER, RULES
from grafana.transforms import Json

DATASOURCE: Json = {"type": "prometheus", "uid": "${datasource}"}

NOTHING = "-"
"""What a panel without data shows; the line at the top of the dashboard says why."""

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
BY_ORDER: Json = {"mode": "palette-classic"}
"""A different colour for each series of a panel."""
MODEL_COLOUR: Json = {"mode": "fixed", "fixedColor": OTHER}
"""The colour of a model that no rule of `model_colours` names."""

_SAME_VIEW = "/d/claude-usage?${__url_time_range}&" + "&".join(
    f"${{{name}:queryparam}}" for name in ("datasource", "organization", "job", "instance")
)

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
    """A panel in the classic schema; `defaults` and `overrides` are those of its field configuration."""

    kind: str
    title: str
    description: str
    at: Grid
    targets: Sequence[Json]
    options: Json
    defaults: Json
    overrides: Sequence[Json] = ()
    steps: Sequence[Json] = ()

    def json(self, panel_id: int) -> Json:
        """Return the panel's JSON object."""
        defaults = {"noValue": NOTHING, **self.defaults}
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
        }


def table_query(expr: str, ref_id: str = "A") -> Json:
    """Return a target that is asked once, at the right edge of the picker, and answers with a table."""
    return {**_target(expr, ref_id), "format": "table", "instant": True, "range": False}


def value_query(expr: str, legend: str, ref_id: str = "A") -> Json:
    """Return a target that is asked once and gives one value for each series, named by `legend`."""
    asked = {"format": "time_series", "instant": True, "range": False, "legendFormat": legend}
    return {**_target(expr, ref_id), **asked}


def fixed(colour: str) -> Json:
    """Return the colour mode of one colour by its name."""
    return {"mode": "fixed", "fixedColor": colour}


def rename(name: str, display: str) -> Json:
    """Return the override that shows the field `name` as `display`."""
    return override(name, displayName=display)


def override(name: str, **properties: object) -> Json:
    """Return the override of one field by its name; in a keyword, `__` stands for the dot of `custom.unit`."""
    return {"matcher": {"id": "byName", "options": name}, "properties": _properties(properties)}


def _by_pattern(pattern: str, **properties: object) -> Json:
    return {"matcher": {"id": "byRegexp", "options": f"/{pattern}/"}, "properties": _properties(properties)}


def _properties(properties: Mapping[str, object]) -> list[Json]:
    return [{"id": key.replace("__", "."), "value": value} for key, value in properties.items()]


def stat_options(*, text: str = "value_and_name", size: int | None = None, wide: bool = True) -> Json:
    """Return the options of a tile: the number, no sparkline behind it; `size` in pixels, else as fits.

    Names stand left of the numbers where there is space, or above them if not `wide`.
    """
    text_sizes = {"valueSize": size, "titleSize": 16} if size else {}
    return {
        "reduceOptions": {"values": False, "calcs": ["lastNotNull"], "fields": ""},
        "orientation": "vertical",
        "textMode": text,
        "colorMode": "value",
        "graphMode": "none",
        "justifyMode": "center",
        "wideLayout": wide,
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


def model_colours(**more: object) -> list[Json]:
    """Return the overrides that give each model its colour, the last that fits being the one that counts."""
    rules = [(pattern, colour) for pattern, colour in RULES if pattern]
    return [_by_pattern(pattern, color=fixed(colour), **more) for pattern, colour in reversed(rules)]


def only(variable: str, value: str) -> list[Json]:
    """Return the link to this dashboard with one value of a variable chosen; `value` is how Grafana refers to it."""
    url = f"{_SAME_VIEW}&var-{variable}=${{{value}:percentencode}}"
    return [{"title": f"Only this {variable}", "url": url, "targetBlank": False}]


def chart_options(*, sort: str = "desc", sums: bool = False, totals: bool = False) -> Json:
    """Return the options of a chart over time: names below, all values of a day in the tooltip.

    With `sums` each name has its sum over the range beside it. With `totals` the names and sums are a table on the
    right, the highest first.
    """
    below = {**_LEGEND, "calcs": ["sum"]} if sums else _LEGEND
    table = {"displayMode": "table", "placement": "right", "calcs": ["sum"], "sortBy": "Total", "sortDesc": True}
    legend = {**below, **(table if totals else {})}
    return {"legend": legend, "tooltip": {"mode": "multi", "sort": sort, "hideZeros": True}}


def bars(*, stacked: bool = True) -> Json:
    """Return the style of bars that cover their own UTC day, from its midnight to the next.

    Without `barMaxWidth` no bar is wider than 200 pixels: two days would be two strips.
    """
    return {
        "drawStyle": "bars",
        "barAlignment": 1,
        "barWidthFactor": 0.95,
        "barMaxWidth": 2000,
        "lineWidth": 0,
        "fillOpacity": 100,
        "showPoints": "never",
        "stacking": {"mode": "normal" if stacked else "none", "group": "A"},
        **_AXIS,
    }


def unseen(name: str) -> Json:
    """Return the override of a field that only stretches the axis: it is not drawn, nor named anywhere."""
    return override(
        name,
        custom__drawStyle="line",
        custom__lineWidth=0,
        custom__fillOpacity=0,
        custom__stacking={"mode": "none", "group": "C"},
        custom__hideFrom={"legend": True, "tooltip": True, "viz": False},
    )


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


AS_LINE: Mapping[str, object] = {
    "custom__drawStyle": "line",
    "custom__lineWidth": 2,
    "custom__fillOpacity": 0,
    "custom__stacking": {"mode": "none", "group": "B"},
}
"""What `override` takes to draw one field of a chart of bars as a line."""

_AXIS: Mapping[str, object] = {
    "axisPlacement": "auto",
    "axisLabel": "",
    "axisColorMode": "text",
    "axisBorderShow": False,
    "axisCenteredZero": False,
    "axisSoftMin": 0,
    "scaleDistribution": {"type": "linear"},
    "gradientMode": "none",
    "insertNulls": False,
    "hideFrom": {"legend": False, "tooltip": False, "viz": False},
    "thresholdsStyle": {"mode": "off"},
}


def _target(expr: str, ref_id: str) -> Json:
    return {"refId": ref_id, "datasource": DATASOURCE, "editorMode": "code", "exemplar": False, "expr": expr}
