"""The rules of Grafana's dashboard-linter, and ours: every metric, label and place on the grid is right.

A rule that does not hold for a panel is excluded in `EXCLUDED`, with the reason.
"""

import importlib
import itertools
import json
import re
import warnings
from collections.abc import Iterator
from copy import deepcopy

import pytest
from grafana_foundation_sdk.cog.encoder import JSONEncoder
from grafana_foundation_sdk.cog.plugins import register_default_plugins

from exporter import reports, telemetry
from grafana.transforms import KNOWN
from tests.dashboard.library import Grafana
from tests.dashboard.lint import families, grouping_labels, queries, selectors
from tests.dashboard.parts import Json, panels, variable
from tests.dashboard.world import DASHBOARD

FAMILIES = (*reports.FAMILIES, *telemetry.FAMILIES)
TEMPLATED = {"type": "prometheus", "uid": "${datasource}"}
LABELS = {family.name: {"job", "instance", *family.labels} for family in FAMILIES} | {
    "up": {"job", "instance"},
    "ALERTS": {"job", "instance", "alertname", "alertstate"},
    "anthropic:.+": set(),
}
"""The labels of the families that queries may name: the exporter's, and what Prometheus itself makes."""
OURS = {"day", "month", "series", "row", "problem", "why", "job", "instance"}
"""Labels that our own queries make with label_replace, and those of the scrape."""

EXCLUDED = {
    ("panel-units-rule", "User usage breakdown (whole window)"): "a table has a unit for each column, in its overrides",
    **{
        (f"target-{label}-rule", where): "an alert may have no job or no instance, and a record neither"
        for label in ("job", "instance")
        for where in ("Alerts firing, A", "annotation Firing alerts")
    },
    ("target-job-rule", "variable organization"): "what organisations there are cannot be limited to the chosen jobs",
    ("target-job-rule", "variable job"): "what jobs there are cannot be limited to the chosen ones",
    ("target-instance-rule", "variable organization"): "what organisations there are does not depend on instances",
    ("target-instance-rule", "variable job"): "what jobs there are does not depend on instances",
    ("target-instance-rule", "variable instance"): "what instances there are cannot be limited to the chosen ones",
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


def test_the_default_data_source() -> None:
    """A dashboard whose variables do not load asks the default data source."""
    assert variable(DASHBOARD, "datasource")["current"]["value"] == "default"


@pytest.mark.parametrize("name", ["job", "instance"])
def test_job_and_instance_variables(name: str) -> None:
    """template-job-rule, template-instance-rule: labelled, several at once, from the templated data source."""
    found = variable(DASHBOARD, name)
    assert (found["label"], found["multi"], found["datasource"]) == (name.capitalize(), True, TEMPLATED)


def test_all_is_everything() -> None:
    """All matches any value, also one with a newline, which `.+` does not match on Prometheus 2."""
    chosen = [one for one in CHOICES if one["includeAll"]]
    assert {one["allValue"] for one in chosen} == {"(?s).+"}
    assert [one["name"] for one in CHOICES if one not in chosen] == ["as_of"]


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
    return {(label, value) for label, value in wanted if (f"target-{label}-rule", where) not in EXCLUDED}


def test_job_and_instance_in_every_selector() -> None:
    """target-job-rule, target-instance-rule: each selector is limited to the chosen jobs and instances."""
    found = [(where, selector) for where, query in QUERIES.items() for selector in selectors(query)]
    assert [where for where, selector in found if not scope(where) <= set(selector.matchers.items())] == []


def test_counters_are_aggregated() -> None:
    """target-counter-agg-rule, and its reverse: a counter in a rate or increase, a gauge (what may go down) never."""
    counters = {family.name for family in FAMILIES if family.kind == "counter"}
    rated = re.compile(r"\b(?:rate|irate|increase)\((\w+)\{")
    assert [where for where, query in QUERIES.items() if set(rated.findall(query)) != families(query) & counters] == []


def test_windows() -> None:
    """target-rate-interval-rule, ours: counters grow over 24 hours, and no range is longer than 32 days.

    Managed services refuse longer ones.
    """
    windows = {window for query in QUERIES.values() for window in re.findall(r"\[([^\]]+)\]", query)}
    assert windows == {"24h", "31d", "31d:5m"}


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
    """In panels each selector reads at `@ ${as_of}`, so that every range shows what is known now.

    The variable stands nowhere else: `end()`, its value while it has not loaded, is valid after `@` alone.
    """
    assert variable(DASHBOARD, "as_of")["current"]["value"] == "end()"
    for where, query in QUERIES.items():
        read = len(re.findall(r"(?:\}|\} == 0\))(?:\[[\w:]+\])? @ \$\{as_of\}", query))
        assert read == query.count("as_of"), where
        if not where.startswith(("variable", "annotation Firing")):
            assert read == len(list(selectors(query))), where


def test_panels_ask_once() -> None:
    """Every panel is asked for one instant: a range would be asked at times of which nothing is known."""
    assert [title for title, panel in PANELS.items() for target in panel["targets"] if not target["instant"]] == []


def links(one: object) -> Iterator[str]:
    """Yield the addresses of the links anywhere in a panel."""
    if isinstance(one, dict):
        if "url" in one:
            yield one["url"]
        for value in one.values():
            yield from links(value)
    elif isinstance(one, list):
        for value in one:
            yield from links(value)


def test_links_lead_to_the_filtered_dashboard() -> None:
    """A user, a model and a workspace link to this dashboard, with the range, the exporter and that one chosen."""
    found = {url for panel in PANELS.values() for url in links(panel)}
    filters = {url.rpartition("&var-")[2].partition("=")[0] for url in found}
    kept = {name for url in found for name in re.findall(r"\$\{(\w+):queryparam\}", url)}
    assert filters == {"user", "model", "workspace"}
    assert kept == {"datasource", "organization", "job", "instance"}
    assert filters | kept <= {one["name"] for one in DASHBOARD["templating"]["list"]}
    assert {url.partition("?")[0] for url in found} == {f"/d/{DASHBOARD['uid']}"}
    assert all("${__url_time_range}" in url for url in found)


def test_known_transformations() -> None:
    """Only transformations of the generator's list are used."""
    used = {step["id"] for panel in panels(DASHBOARD) for step in panel["transformations"]}
    assert used == KNOWN


def test_the_library_knows_the_transformations(grafana: Grafana) -> None:
    """Every transformation of that list ships in @grafana/data."""
    work = {"url": "", "now": 0, "dashboard": {"panels": []}, "states": []}
    assert set(grafana.run(work)["known"]) >= KNOWN


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
