"""Every panel shows the truth in every range and state: variables, queries and steps run as a server runs them."""

from collections.abc import Mapping
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime

import pytest

from tests.dashboard.expected import charts, values
from tests.dashboard.expected_tokens import saved
from tests.dashboard.judging import KEYS, MODELS, SAVED, SCALE, TABLE, TRUST, differences
from tests.dashboard.library import Grafana, Seen, State
from tests.dashboard.truth import truth_of
from tests.dashboard.world import DASHBOARD, FIRST, INSTANCES, JOB, NEWLINE, NOW, SECOND, Pages, merged
from tests.oracle import Samples

pytestmark = pytest.mark.integration

RANGES = {
    "last 24 hours": State("now-24h", "now"),
    "last 7 days": State("now-7d", "now"),
    "last 30 days": State("now-30d", "now"),
    "last 90 days": State("now-90d", "now"),
    "this week": State("now/w", "now/w"),
    "this month": State("now/M", "now/M"),
    "this year": State("now/y", "now/y"),
    "previous month": State("now-1M/M", "now-1M/M"),
    "zoomed in": State("2026-10-03T10:00:00Z", "2026-10-05T12:00:00Z"),
    "into the future": State("now-7d", "now+80d"),
    "before the window": State("now-120d", "now-91d"),
    "long before the window": State("now-300d", "now-200d"),
}
KNOWN_RANGES = [name for name in RANGES if name != "long before the window"]
ON_VICTORIA = ("last 24 hours", "last 90 days", "this week", "this year", "previous month", "long before the window")
TWO = ["claude-opus-5", "claude-haiku-4-5"]
WORKSPACE = "Claude Code"
PERSON = "ana.lopez@example.test"
CHOICES = {
    "two models": {"model": TWO},
    "one token type": {"token_type": ["output"]},
    "one workspace": {"workspace": [WORKSPACE]},
    "one user": {"user": [PERSON]},
    FIRST: {"organization": [FIRST]},
    SECOND: {"organization": [SECOND]},
    "one instance": {"instance": [INSTANCES[SECOND]]},
    "a model that is gone": {"model": ["claude-1"]},
}
STATES = RANGES | {name: State("now-30d", "now", choices) for name, choices in CHOICES.items()}


@pytest.fixture(scope="module", name="looked")
def what_was_seen(grafana: Grafana, url: str) -> dict[str, Seen]:
    """Return the dashboard in all states on Prometheus, in a browser west of Greenwich."""
    return grafana.look(url, DASHBOARD, STATES)


@pytest.fixture(scope="module", name="on_victoria")
def what_was_seen_on_victoria_metrics(grafana: Grafana, victoria: str) -> dict[str, Seen]:
    """Return the dashboard in some ranges on VictoriaMetrics, in a browser east of Greenwich."""
    return replace(grafana, zone="Asia/Tokyo").look(victoria, DASHBOARD, {name: RANGES[name] for name in ON_VICTORIA})


@pytest.fixture(scope="session", name="both")
def both_organizations(pages: Pages) -> Samples:
    """Return the samples of both organisations, added."""
    return merged(pages.first, pages.second)


def wrong(seen: Seen, samples: Samples) -> dict[str, list[str]]:
    """Return what is wrong with each panel that has a truth, and every error."""
    truth = truth_of(samples, seen)
    proven = [*charts(truth), *values(truth), KEYS, MODELS, TABLE]
    found = {title: list(differences(title, seen.frames[title], truth)) for title in proven}
    return {title: lines for title, lines in found.items() if lines} | {
        title: [error] for title, error in seen.errors.items()
    }


@pytest.mark.parametrize("name", KNOWN_RANGES)
def test_every_panel_in_every_range(looked: Mapping[str, Seen], both: Samples, name: str) -> None:
    """Of two organisations together, each panel shows the right days, series, values and sums."""
    assert wrong(looked[name], both) == {}


@pytest.mark.parametrize("name", ON_VICTORIA[:-1])
def test_on_victoria_metrics(on_victoria: Mapping[str, Seen], both: Samples, name: str) -> None:
    """So it does on VictoriaMetrics, and where a day begins nine hours before UTC's."""
    assert wrong(on_victoria[name], both) == {}


def test_nothing_is_known_of_long_ago(looked: Mapping[str, Seen], on_victoria: Mapping[str, Seen]) -> None:
    """More than 93 days before the first scrape no panel fails or shows a number, and one says why."""
    for seen in (looked["long before the window"], on_victoria["long before the window"]):
        assert seen.errors == {}
        shown = {title for title, frames in seen.frames.items() for frame in frames for field in frame if field.values}
        assert shown == {TRUST}
        assert sentences(seen) == ["No page of an exporter is near this range. Does Prometheus scrape one?"]


def sentences(seen: Seen, title: str = TRUST) -> list[str]:
    """Return what the dashboard says about its own numbers."""
    return [
        text for frame in seen.frames[title] for field in frame if field.name == "What is known" for text in field.text
    ]


@pytest.mark.parametrize("name", [FIRST, SECOND, "one instance"])
def test_one_organization(looked: Mapping[str, Seen], pages: Pages, name: str) -> None:
    """With one organisation chosen, by its name or its instance, each panel shows that one alone."""
    page = pages.first if name == FIRST else pages.second
    assert wrong(looked[name], page.samples) == {}


@pytest.mark.parametrize("name", KNOWN_RANGES)
def test_what_caching_saved(looked: Mapping[str, Seen], pages: Pages, name: str) -> None:
    """In every range it is the sum of what each organisation saved: each has its own prices."""
    seen = looked[name]
    parts = [saved(truth_of(page.samples, seen)) for page in (pages.first, pages.second)]
    known = [float(part) for part in parts if part is not None]
    shown = [value for frame in seen.frames[SAVED] for field in frame[1:] for value in field.values]
    assert shown == ([pytest.approx(sum(known), rel=1e-9)] if known else [])


STACKED = (
    *("Cost over time", "Token usage over time", "Spend by workspace", "Spend by service", "Spend by token type"),
    *("API tokens by model", "API tokens by workspace", "API tokens by service tier"),
)


@pytest.mark.parametrize("title", STACKED)
def test_series_are_ordered_by_size(looked: Mapping[str, Seen], title: str) -> None:
    """In each range, the series with the highest sum comes first."""
    for name in KNOWN_RANGES:
        sums = [sum(field.values) for frame in looked[name].frames[title] for field in frame[1:] if field.name != SCALE]
        assert sums == sorted(sums, reverse=True), name


def test_nothing_is_lost(looked: Mapping[str, Seen]) -> None:
    """With all users, the table has also the one with a newline in its name, which cannot be chosen alone."""
    (table,) = looked["last 90 days"].frames[TABLE]
    assert NEWLINE in table[0].values
    assert NEWLINE not in looked["last 90 days"].variables["user"]["options"]


OFFERED = {
    "organization": {"anthropic_organization_info.organization_name"},
    "model": {"anthropic_cost_usd.model", "anthropic_claude_code_tokens.model", "anthropic_tokens.model"},
    "token_type": {"anthropic_claude_code_tokens.token_type"},
    "workspace": {"anthropic_workspace_info.workspace_name"},
    "user": {"anthropic_claude_code_user_sessions.user"},
}
"""The families of which a variable offers a label."""


def test_what_variables_offer(looked: Mapping[str, Seen], both: Samples) -> None:
    """In every range in which something is known, a variable offers all values that there are: choices stay."""
    true: dict[str, set[str]] = {"job": {JOB}, "instance": {*INSTANCES.values()}}
    for one, named in OFFERED.items():
        pairs = {(f"{family}.{label}", value) for family, labels in both for label, value in labels}
        true[one] = {value for name, value in pairs if name in named} - {NEWLINE}
    for name in KNOWN_RANGES:
        offered = {one: set(found["options"]) for one, found in looked[name].variables.items()}
        assert {one: offered[one] for one in true} == true, name


def test_as_of_is_the_newest_page(looked: Mapping[str, Seen]) -> None:
    """Wherever the range ends, the panels read when the newest page is known: at most 5 minutes after its scrape."""
    found = {float(looked[name].variables["as_of"]["value"]) - NOW.timestamp() for name in KNOWN_RANGES}
    assert all(0 <= later <= 300 for later in found), found


def test_chosen_models_only(looked: Mapping[str, Seen], both: Samples) -> None:
    """With two models chosen, the panels that know models show these two, and their total."""
    seen = looked["two models"]
    truth = truth_of({key: value for key, value in both.items() if dict(key[1]).get("model") in {None, *TWO}}, seen)
    tokens = ("API tokens by model", "Cache-read share of API tokens", KEYS)
    for title in ("Cost over time", "Token usage over time", "Total spend", MODELS, "Spend, month to date", *tokens):
        assert list(differences(title, seen.frames[title], truth)) == []


def test_chosen_values_only(looked: Mapping[str, Seen], both: Samples) -> None:
    """With one token type, workspace or user chosen, the panels that know it show that one."""
    seen = looked["one token type"]
    kinds = {key: value for key, value in both.items() if dict(key[1]).get("token_type") in {None, "output"}}
    title = "Token usage over time"
    assert list(differences(title, seen.frames[title], truth_of(kinds, seen))) == []
    for title in ("Spend by workspace", "API tokens by workspace"):
        (chart,) = looked["one workspace"].frames[title]
        assert [field.name for field in chart] == ["Day", WORKSPACE, SCALE]
    (table,) = looked["one user"].frames[TABLE]
    assert list(table[0].values) == [PERSON]


def test_a_value_that_is_gone_gives_way_to_all(looked: Mapping[str, Seen]) -> None:
    """A model that is on no page any more is not a reason for an empty dashboard."""
    assert looked["a model that is gone"].variables["model"]["value"] == ["$__all"]


def test_days_are_utc_days_in_tables(on_victoria: Mapping[str, Seen]) -> None:
    """East of Greenwich, last active is a UTC day too."""
    (table,) = on_victoria["last 90 days"].frames[TABLE]
    last = next(field for field in table if field.name == "Last active")
    assert last.text == [f"{datetime.fromtimestamp(value / 1000, UTC):%Y-%m-%d}" for value in last.values]


def test_without_variables(grafana: Grafana, url: str, both: Samples) -> None:
    """Where no variable loads, every panel reads at the right edge: no parse error is seen, and now is right."""
    lost = deepcopy(DASHBOARD)
    for one in lost["templating"]["list"]:
        if one["type"] == "query":
            one["query"]["query"] = "query_result(a parse error"
    seen = grafana.look(url, lost, {"": RANGES["last 90 days"]})[""]
    assert seen.variables["as_of"]["error"]
    assert wrong(seen, both) == {}


@pytest.mark.parametrize("name", ["last 7 days", "this year"])
def test_today_is_marked(looked: Mapping[str, Seen], name: str) -> None:
    """Today, whose numbers still grow, is marked from its midnight on, in every chart."""
    (today,) = [event for event in looked[name].events if event["title"] == "Today, still growing"]
    midnight = NOW.replace(hour=0, minute=0).timestamp() * 1000
    assert 0 <= today["time"] - midnight < 3_600_000
    assert today["timeEnd"] <= midnight + 86_400_000


def test_what_people_read(looked: Mapping[str, Seen], both: Samples) -> None:
    """Money has cents and no abbreviation, shares are percentages, states are words."""
    found = looked["last 90 days"]
    truth = truth_of(both, found)
    assert found.frames["Total spend"][0][1].text == [f"${values(truth)['Total spend']['Billed']:,.2f}"]
    (table,) = found.frames[TABLE]
    kinds = next(field for field in table if field.name == "Type")
    assert set(kinds.text) == {"Person", "API key"}
    assert sentences(found) == ["Every report works, and every day of the window was read."]
    assert [frame[1].text for frame in found.frames["Coverage"]] == [["100%"]]
    assert [frame[1].text for frame in found.frames["Alerts firing"]] == [["1"]]
    assert [frame[1].text for frame in looked[FIRST].frames["Alerts firing"]] == [["0"]]
    assert [frame[1].text for frame in found.frames["Coverage by report"]] == [["100.0%"]] * 3
    assert [frame[1].text for frame in found.frames["Last refresh"]] == [["Worked"]] * 3
