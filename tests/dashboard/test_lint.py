"""The rules of Grafana's dashboard-linter, and ours: every metric, label and place on the grid is right.

A rule that does not hold for a panel is excluded in `EXCLUDED`, with the reason.
"""

import importlib
import itertools
import json
import re
import warnings
from copy import deepcopy
from pathlib import Path

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

from exporter import reports, telemetry
from grafana.transforms import KNOWN
from tests.dashboard import library
from tests.dashboard.asking import Json, panels, variable
from tests.dashboard.lint import families, grouping_labels, queries, selectors
from tests.dashboard.world import DASHBOARD

TEMPLATED = {"type": "prometheus", "uid": "${datasource}"}
LABELS = {family.name: {"job", "instance", *family.labels} for family in (*reports.FAMILIES, *telemetry.FAMILIES)}
OURS = {"day", "series", "row", "job", "instance"}
"""Labels that our own queries make with label_replace, and those of the scrape."""

EXCLUDED = {
    ("panel-units-rule", "User usage breakdown"): "a table has a unit for each column, in its overrides",
    ("selector", "variable job"): "what jobs there are cannot be limited to the chosen ones: no selector, a name alone",
    ("target-instance-rule", "variable instance"): "what instances there are cannot be limited to the chosen ones",
    ("target-rate-interval-rule", "variable as_of"): "not a rate: it looks for the newest sample",
}

PANELS = {panel["title"]: panel for panel in panels(DASHBOARD)}
QUERIES = dict(queries(DASHBOARD))
CHOICES = [one for one in DASHBOARD["templating"]["list"] if one["type"] == "query"]


def test_titles_are_unique() -> None:
    """No two panels have the same title, and no two the same id."""
    found = list(panels(DASHBOARD))
    assert len({panel["title"] for panel in found}) == len({panel["id"] for panel in found}) == len(found)


def test_one_templated_data_source() -> None:
    """template-datasource-rule: one variable for a Prometheus, by the usual name."""
    found = [one for one in DASHBOARD["templating"]["list"] if one["type"] == "datasource"]
    assert [(one["name"], one["label"], one["query"]) for one in found] == [("datasource", "Data source", "prometheus")]


@pytest.mark.parametrize("name", ["job", "instance"])
def test_job_and_instance_variables(name: str) -> None:
    """template-job-rule, template-instance-rule: labelled, several at once, everything being `.+`."""
    found = variable(DASHBOARD, name)
    assert (found["label"], found["multi"], found["allValue"]) == (name.capitalize(), True, ".+")
    assert found["datasource"] == TEMPLATED


def test_variables_follow_the_time_range() -> None:
    """template-on-time-change-reload-rule: a value that appears later is offered."""
    assert {one["refresh"] for one in CHOICES} == {2}


def test_panel_data_source() -> None:
    """panel-datasource-rule: panels and targets use the templated data source."""
    assert [
        one for panel in PANELS.values() for one in (panel, *panel["targets"]) if one["datasource"] != TEMPLATED
    ] == []


def test_panel_title_description_targets() -> None:
    """panel-title-description-rule, panel-no-targets-rule: each panel says where its number comes from."""
    source = re.compile(r"Source: |Estimated at list price")
    assert [title for title, panel in PANELS.items() if not source.search(panel["description"])] == []
    assert [title for title, panel in PANELS.items() if not title or not panel["targets"]] == []


def test_panel_unit_and_no_data_text() -> None:
    """panel-units-rule, and ours: a panel has a unit, and says in our words when there is nothing to show."""
    defaults = {title: panel["fieldConfig"]["defaults"] for title, panel in PANELS.items()}
    without = {title for title, one in defaults.items() if not one.get("unit")}
    assert {title for title in without if ("panel-units-rule", title) not in EXCLUDED} == set()
    assert {title for title, one in defaults.items() if "noValue" not in one} == set()


def scope(where: str) -> set[tuple[str, str]]:
    """Return the matchers that each selector of a query must have."""
    wanted = {("job", "$job"), ("instance", "$instance")}
    return wanted - {("instance", "$instance")} if ("target-instance-rule", where) in EXCLUDED else wanted


def test_job_and_instance_in_every_selector() -> None:
    """target-job-rule, target-instance-rule: each selector is limited to the chosen jobs and instances."""
    found = [(where, selector) for where, query in QUERIES.items() for selector in selectors(query)]
    assert [where for where, selector in found if not scope(where) <= set(selector.matchers.items())] == []


def test_counters_are_aggregated() -> None:
    """target-counter-agg-rule, and its reverse: a counter in a rate or increase, a gauge (what may go down) never."""
    counters = {family.name for family in (*reports.FAMILIES, *telemetry.FAMILIES) if family.kind == "counter"}
    rated = re.compile(r"\b(?:rate|irate|increase)\((\w+)\{")
    assert [where for where, query in QUERIES.items() if set(rated.findall(query)) != families(query) & counters] == []


def test_windows() -> None:
    """target-rate-interval-rule: a chart over time counts in `$__rate_interval`, a tile over the whole range."""
    windows = {where: set(re.findall(r"\[([^\]]+)\]", query)) for where, query in QUERIES.items()}
    other = {where for where, found in windows.items() if not found <= {"$__rate_interval", "$__range"}}
    assert {where for where in other if ("target-rate-interval-rule", where) not in EXCLUDED} == set()


def test_not_editable() -> None:
    """uneditable-dashboard-rule: what is changed in Grafana would be lost at the next provisioning."""
    assert DASHBOARD["editable"] is False


def unknown(where: str) -> list[str]:
    """Return what a query names and the catalogue has not: families, their matched labels, labels of groups and joins.

    A family outside a selector is unknown too.
    """
    query = QUERIES[where]
    named = {name for selector in selectors(query) for name in selector.families}
    loose = families(query) - named if ("selector", where) not in EXCLUDED else set()
    labels = {
        f"{name}.{label}"
        for selector in selectors(query)
        for name in selector.families
        for label in set(selector.matchers) - LABELS.get(name, set())
    }
    grouped = grouping_labels(query) - OURS.union(*(LABELS.get(name, set()) for name in named))
    return sorted({*(families(query) - set(LABELS)), *loose, *labels, *grouped})


def test_every_metric_and_label_exists() -> None:
    """Every family and label that a query names is in the catalogue, or made by our own label_replace."""
    assert {where: unknown(where) for where in QUERIES if unknown(where)} == {}


def test_an_unknown_metric_or_label_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    """A renamed family, a label that a family has not, and a group by an unknown label would be found."""
    monkeypatch.setitem(QUERIES, "a", "sum by (dat) (anthropic_costs_usd{})")
    monkeypatch.setitem(QUERIES, "b", 'anthropic_cost_usd{workspace_id="x"}')
    assert unknown("a") == ["anthropic_costs_usd", "dat"]
    assert unknown("b") == ["anthropic_cost_usd.workspace_id"]


def test_groups_have_braces() -> None:
    """No replacement names a group without braces: `$1T00` would be the group 1T00."""
    assert not [where for where, query in QUERIES.items() if re.search(r'"\$\d', query)]


def test_every_query_reads_at_the_newest_scrape() -> None:
    """Outside data health, each selector reads at `@ ${as_of}`, so that days are shown as they are known now."""
    health = next(panel for panel in DASHBOARD["panels"] if panel["title"] == "Data health")
    live = {panel["title"] for panel in health["panels"]}
    for where, query in QUERIES.items():
        title = where.rpartition(",")[0]
        if title and title not in live:
            assert query.count("} @ ${as_of}") == len(list(selectors(query))), where


def test_known_transformations() -> None:
    """Only transformations of the generator's list are used."""
    used = {step["id"] for panel in panels(DASHBOARD) for step in panel["transformations"]}
    assert used == KNOWN


def test_the_library_knows_the_transformations(proof: Path) -> None:
    """Every transformation of that list ships in @grafana/data."""
    assert set(library.run(proof, [], "UTC")["known"]) >= KNOWN


def test_grid_without_overlap() -> None:
    """No two panels or rows share a cell, all are inside the 24 columns, and no row is left half empty."""
    cells: set[tuple[int, int]] = set()
    everything = [*DASHBOARD["panels"], *(one for row in DASHBOARD["panels"] for one in row.get("panels", ()))]
    for place in (one["gridPos"] for one in everything):
        taken = set(
            itertools.product(range(place["x"], place["x"] + place["w"]), range(place["y"], place["y"] + place["h"]))
        )
        assert not taken & cells
        cells |= taken
    height = max(y for _, y in cells) + 1
    assert cells == set(itertools.product(range(24), range(height)))


def unknown_keys(ours: object, theirs: object, path: str = "") -> list[str]:
    """Return where `ours` has a key that `theirs`, which was read from it and written again, has not."""
    if isinstance(ours, dict) and isinstance(theirs, dict):
        return [
            name
            for key, value in ours.items()
            for name in (unknown_keys(value, theirs[key], f"{path}.{key}") if key in theirs else [f"{path}.{key}"])
        ]
    if isinstance(ours, list) and isinstance(theirs, list):
        return [name for one, other in zip(ours, theirs, strict=True) for name in unknown_keys(one, other, path)]
    return []


def read_and_written(dashboard: Json) -> Json:
    """Return the dashboard as Grafana's typed SDK reads and writes it: without the keys that it does not know."""
    with warnings.catch_warnings():  # the SDK would rather have the next schema, which file provisioning refuses
        warnings.simplefilter("ignore", DeprecationWarning)
        sdk = importlib.import_module("grafana_foundation_sdk.models.dashboard")
    register_default_plugins()
    written: Json = json.loads(JSONEncoder().encode(sdk.Dashboard.from_json(dashboard)))
    return written


def test_no_misspelt_key() -> None:
    """Grafana's typed SDK knows every key of the dashboard, its panels, targets, options and field styles."""
    assert unknown_keys(DASHBOARD, read_and_written(DASHBOARD)) == []


def test_a_misspelt_key_is_found() -> None:
    """A key misspelt in any of these places would be found."""
    wrong = deepcopy(DASHBOARD)
    chart = next(panel for panel in wrong["panels"] if panel["title"] == "Cost over time")
    for place in (wrong, chart, chart["options"], chart["targets"][0], chart["fieldConfig"]["defaults"]["custom"]):
        place["misspelt"] = 1
    assert len(unknown_keys(wrong, read_and_written(wrong))) == 5
