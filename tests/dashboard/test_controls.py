"""Negative controls: a dashboard broken in one place does not pass the proof. So the proof can fail."""

import json
from collections.abc import Callable
from copy import deepcopy
from pathlib import Path

import pytest

from tests.dashboard import library
from tests.dashboard.asking import Json, answers, panels
from tests.dashboard.judging import TABLE, differences
from tests.dashboard.world import World

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
    "a renamed metric": (COST, other_text("anthropic_cost_usd", "anthropic_costs_usd")),
    "Time dropped after the matrix": (COST, time_dropped),
    "rates unweighted": ("Tool actions distribution", other_text("Acceptance rate", "acceptance")),
    "ids beside names": ("Spend by workspace", other_text("unless on", "and on")),
    "removed and added confused": ("Total lines of code accepted", other_text('change="added"', 'change="removed"')),
    "the bill for the estimate": (
        "Total spend",
        other_text("anthropic_cost_usd", "anthropic_claude_code_estimated_cost_usd"),
    ),
    "users counted per instance": ("Total active users", other_text("sum by (actor_type)", "count by (actor_type)")),
    "shares of nothing": ("Model usage distribution", other_text("scalar(", "2 * scalar(")),
    "rows not joined": (TABLE, without("merge")),
    "rows not sorted": (TABLE, without("sortBy")),
    "cost by model, one of them": (TABLE, other_text("sum by (user, actor_type)", "max by (user, actor_type)")),
    "seconds for milliseconds": (TABLE, other_text(" * 1000", "")),
    "columns exchanged": (TABLE, columns_exchanged),
}


@pytest.fixture(scope="module", name="found")
def found_differences(world: World, proof: Path, dashboard: Json) -> dict[str, list[str]]:
    """Return for each broken panel, and for each title unbroken, what the proof finds wrong: a failure is wrong."""
    whole = {panel["title"]: panel for panel in panels(dashboard)}
    tried = {case: broken(deepcopy(whole[title])) for case, (title, broken) in BROKEN.items()}
    tried |= {title: whole[title] for title, _ in BROKEN.values()}
    picked = world.pick(30)
    asked = [(panel, backwards(answers(panel, picked, world.prometheus))) for panel in tried.values()]
    said = library.run(proof, asked, "America/Los_Angeles")
    truth = world.truth(picked)
    return {
        case: [one["error"]] if "error" in one else list(differences(panel["title"], library.frames(one), truth))
        for (case, panel), one in zip(tried.items(), said["panels"], strict=True)
    }


def backwards(answered: dict[str, Json]) -> dict[str, Json]:
    """Return the answers with their series in the other order: a vector has none, so nothing is right by chance."""
    return {ref: {**answer, "result": answer["result"][::-1]} for ref, answer in answered.items()}


@pytest.mark.parametrize("case", BROKEN)
def test_a_broken_panel_is_found(found: dict[str, list[str]], case: str) -> None:
    """Each of these mistakes is a difference from the truth."""
    assert found[case]


@pytest.mark.parametrize("title", sorted({title for title, _ in BROKEN.values()}))
def test_the_same_panels_unbroken(found: dict[str, list[str]], title: str) -> None:
    """As committed, the same panels show the truth, also when the answer comes in another order."""
    assert found[title] == []
