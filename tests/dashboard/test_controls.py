"""Negative controls: a dashboard broken in one place does not pass the proof. So the proof can fail."""

import json
from collections.abc import Callable
from copy import deepcopy

import pytest

from tests.dashboard.judging import KEYS, MODELS, TABLE, differences
from tests.dashboard.library import Grafana, State
from tests.dashboard.parts import Json, panels
from tests.dashboard.truth import truth_of
from tests.dashboard.world import DASHBOARD, Pages, merged

pytestmark = pytest.mark.integration

Break = Callable[[Json], Json]

COST = "Cost over time"


def without(step: str) -> Break:
    """Return a change that leaves out a transformation."""

    def broken(panel: Json) -> Json:
        kept = [one for one in panel["transformations"] if one["id"] != step]
        assert len(kept) < len(panel["transformations"])
        return {**panel, "transformations": kept}

    return broken


def other_text(old: str, new: str) -> Break:
    """Return a change of text anywhere in a panel."""

    def broken(panel: Json) -> Json:
        text = json.dumps(panel, ensure_ascii=False)
        escaped = json.dumps(old)[1:-1]
        assert escaped in text
        changed: Json = json.loads(text.replace(escaped, json.dumps(new)[1:-1]))
        return changed

    return broken


def time_dropped(panel: Json) -> Json:
    """Return the panel with `Time` dropped after the matrix: so Grafana calls a time field without a display name."""
    panel["transformations"][-1]["options"]["excludeByName"] = {"Time": True}
    return panel


def columns_exchanged(panel: Json) -> Json:
    """Return the table of users with the titles of two columns exchanged."""
    names = panel["transformations"][1]["options"]["renameByName"]
    names["Value #C"], names["Value #F"] = names["Value #F"], names["Value #C"]
    return panel


def twice(panel: Json) -> Json:
    """Return the panel with a second query: no matrix is made of two frames."""
    return {**panel, "targets": [*panel["targets"], {**panel["targets"][0], "refId": "B"}]}


def unknown_step(panel: Json) -> Json:
    """Return the panel with a transformation that Grafana would skip without a word."""
    return {**panel, "transformations": [*panel["transformations"], {"id": "prepareTimeSeries", "options": {}}]}


BROKEN: dict[str, tuple[str, Break]] = {
    "no time": (COST, without("convertFieldType")),
    "no order": (COST, without("sortBy")),
    "no matrix": (COST, without("groupingToMatrix")),
    "no name for the day": (COST, without("organize")),
    "a group without braces": (COST, other_text("${1}T00", "$1T00")),
    "a day of the browser's zone": (COST, other_text("T00:00:00Z", "T00:00:00")),
    "two queries": (COST, twice),
    "an unknown transformation": (COST, unknown_step),
    "cents": (COST, other_text("sum by (day, model) (", "100 * sum by (day, model) (")),
    "one model overwrites the other types": (COST, other_text("sum by (day, model)", "max by (day, model)")),
    "days off by one": (COST, other_text("- 86400", "- 172800")),
    "today left out": (COST, other_text("<= ${__to}", "<= -86400 + ${__to}")),
    "other organisations removed": (COST, other_text('!~"$organization"', '=~"$organization"')),
    "a renamed metric": (COST, other_text("anthropic_cost_usd", "anthropic_costs_usd")),
    "Time dropped after the matrix": (COST, time_dropped),
    "rates unweighted": ("Tool actions distribution", other_text("Acceptance rate", "acceptance")),
    "ids beside names": ("Spend by workspace", other_text("unless on", "and on")),
    "removed and added confused": ("Total lines of code accepted", other_text('change="added"', 'change="removed"')),
    "the bill for the estimate": (
        "Total spend",
        other_text("anthropic_cost_usd", "anthropic_claude_code_estimated_cost_usd"),
    ),
    "users counted per instance": (
        "Total active users (whole window)",
        other_text("sum by (actor_type)", "count by (actor_type)"),
    ),
    "shares of nothing": (MODELS, other_text("scalar(", "2 * scalar(")),
    "another month": ("Spend, month to date", other_text("(.......)", "(....).*")),
    "today in the comparison": ("Against last month", other_text("(day_of_month", "(-1 + day_of_month")),
    "a mean of the next days": ("User activity over time", other_text("trailing", "centered")),
    "rows not joined": (TABLE, without("merge")),
    "rows not sorted": (TABLE, without("sortBy")),
    "cost by model, one of them": (TABLE, other_text("sum by (user, actor_type)", "max by (user, actor_type)")),
    "seconds for milliseconds": (TABLE, other_text(" * 1000", "")),
    "all tokens for the input": (
        "Cache-read share of API tokens",
        other_text('token_type!="output_tokens"', 'model!=""'),
    ),
    "keys without their names": (KEYS, other_text("group_left (api_key_name)", "")),
    "keys of one model": (KEYS, other_text("sum by (api_key_id", "max by (api_key_id")),
    "columns exchanged": (TABLE, columns_exchanged),
}


@pytest.fixture(scope="module", name="found")
def found_differences(grafana: Grafana, url: str, pages: Pages) -> dict[str, list[str]]:
    """Return for each broken panel, and for each title unbroken, what the proof finds wrong: a failure is wrong."""
    whole = {panel["title"]: panel for panel in panels(DASHBOARD)}
    tried = {case: (title, broken(deepcopy(whole[title]))) for case, (title, broken) in BROKEN.items()}
    tried |= {title: (title, whole[title]) for title, _ in BROKEN.values()}
    dashboard = {**DASHBOARD, "panels": [{**panel, "title": case} for case, (_, panel) in tried.items()]}
    seen = grafana.look(url, dashboard, {"": State("now-30d", "now")})[""]
    truth = truth_of(merged(pages.first, pages.second), seen)
    return {
        case: [seen.errors[case]] if case in seen.errors else list(differences(title, seen.frames[case], truth))
        for case, (title, _) in tried.items()
    }


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_panel_is_found(found: dict[str, list[str]], case: str) -> None:
    """Each of these mistakes is a difference from the truth."""
    assert found[case]


@pytest.mark.parametrize("title", sorted({title for title, _ in BROKEN.values()}))
def test_the_same_panels_unbroken(found: dict[str, list[str]], title: str) -> None:
    """As committed, the same panels show the truth."""
    assert found[title] == []
