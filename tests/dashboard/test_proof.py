"""Every panel's own query, answered by a real Prometheus and put through Grafana's libraries, shows the truth."""

from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.dashboard import library
from tests.dashboard.asking import Json, Picked, answers, panels
from tests.dashboard.expected import charts, users, values
from tests.dashboard.judging import TABLE, chart_differences, differences, table_differences, value_differences
from tests.dashboard.library import Frame
from tests.dashboard.world import World

pytestmark = pytest.mark.integration

ZONES = ("America/Los_Angeles", "Asia/Tokyo")
RANGES = {"the default": (90, 0), "a week": (7, 0), "zoomed in, before Prometheus was there": (40, 30)}


@dataclass(frozen=True)
class Browser:
    """Somebody who looks at the dashboard, in a time zone."""

    world: World
    proof: Path
    dashboard: Json
    zone: str = ZONES[0]

    def shown(self, picked: Picked, *titles: str) -> dict[str, list[Frame]]:
        """Return the frames of the panels with these titles, or of every panel."""
        wanted = [panel for panel in panels(self.dashboard) if panel["title"] in titles or not titles]
        asked = [(panel, answers(panel, picked, self.world.prometheus)) for panel in wanted]
        said = library.run(self.proof, asked, self.zone)["panels"]
        return {panel["title"]: library.frames(one) for panel, one in zip(wanted, said, strict=True)}


@pytest.fixture(name="browser")
def a_browser(world: World, proof: Path, dashboard: Json) -> Browser:
    """Return a browser in the first of the zones."""
    return Browser(world, proof, dashboard)


@pytest.mark.parametrize("zone", ZONES)
@pytest.mark.parametrize("days", RANGES.values(), ids=RANGES)
def test_every_panel_shows_the_truth(browser: Browser, days: tuple[int, int], zone: str) -> None:
    """In any zone of the browser and any range, each frame has the right days, series, values and sums."""
    picked = browser.world.pick(*days)
    found = replace(browser, zone=zone).shown(picked)
    truth = browser.world.truth(picked)
    proven = [*charts(truth), *values(truth), TABLE]
    assert {title: list(differences(title, found[title], truth)) for title in proven} == {title: [] for title in proven}


def test_the_default_range_is_the_whole_window(world: World, dashboard: Json) -> None:
    """From now-90d to now are exactly the 90 days of the window, so the total equals a plain sum()."""
    picked = world.pick(90)
    assert (dashboard["time"]["from"], dashboard["time"]["to"]) == ("now-90d", "now")
    assert len(world.truth(picked).days) == 90
    (total,) = [panel for panel in panels(dashboard) if panel["title"] == "Total spend"]
    (spend,) = answers(total, picked, world.prometheus)["A"]["result"]
    (plain,) = world.prometheus.instant("sum(anthropic_cost_usd)", world.now)["result"]
    assert library.same(float(spend["value"][1]), float(plain["value"][1]))


def test_a_range_without_days_shows_no_data(browser: Browser) -> None:
    """Before the window no panel of days fails: it has no rows."""
    titles = charts(browser.world.truth(browser.world.pick(90)))
    found = browser.shown(browser.world.pick(300, 200), *titles)
    assert [title for title in titles for frame in found[title] for field in frame if field.values] == []


def test_chosen_models_only(browser: Browser) -> None:
    """With two models chosen, the panels that know models show these two, and their total."""
    picked = browser.world.pick(30)
    truth = browser.world.truth(picked)
    models = ("claude-opus-5", "claude-haiku-4-5")
    titles = ("Cost over time", "Token usage over time")
    found = browser.shown(picked.choose(model=f"({'|'.join(models)})"), *titles, "Total spend")
    for title in titles:
        chart = {name: days for name, days in charts(truth)[title].items() if name in models}
        assert list(chart_differences(found[title], chart)) == []
    amounts = truth.sums("anthropic_cost_usd", "model")
    total = {"Billed": float(sum(amounts[(model,)] for model in models))}
    assert list(value_differences(found["Total spend"], total, ordered=False)) == []


def test_chosen_token_type_only(browser: Browser) -> None:
    """With one token type chosen in the switch, token usage shows tokens of that type."""
    picked, title = browser.world.pick(30), "Token usage over time"
    output = browser.world.truth(picked).by_day("anthropic_claude_code_tokens", "model", token_type="output")
    chart = {model: {day: float(tokens) for day, tokens in days.items()} for model, days in output.items()}
    every_day = sorted(set().union(*chart.values()))
    filled = {model: {day: days.get(day, 0.0) for day in every_day} for model, days in chart.items()}
    found = browser.shown(picked.choose(token_type="output"), title)
    assert list(chart_differences(found[title], filled)) == []


def test_chosen_workspace_only(browser: Browser) -> None:
    """With one workspace chosen by its name, spend by workspace shows that one."""
    picked, title = browser.world.pick(30), "Spend by workspace"
    chart = charts(browser.world.truth(picked))[title]
    name = next(name for name in chart if name != "default")
    found = browser.shown(picked.choose(workspace=name), title)
    only = {day: value for day, value in chart[name].items() if value}
    assert list(chart_differences(found[title], {name: only})) == []


def test_chosen_user_only(browser: Browser) -> None:
    """With one user chosen, the table has one row."""
    picked, title = browser.world.pick(90), TABLE
    table = users(browser.world.truth(picked))
    one = next(row for row in table if row[1] == "user")
    found = browser.shown(picked.choose(user=one[0].replace(".", "\\\\.")), title)
    assert list(table_differences(found[title], {one: table[one]})) == []


def test_a_model_has_one_colour(browser: Browser) -> None:
    """A model is drawn in the same colour on each panel, and the models of the organisation in different ones."""
    titles = ("Cost over time", "Token usage over time", "Model usage distribution")
    found = browser.shown(browser.world.pick(90), *titles)
    cost, *others = (
        {field.name: field.colour for frame in found[title] for field in frame if field.type == "number"}
        for title in titles
    )
    assert all(cost[name] == colour for other in others for name, colour in other.items())
    assert len(set(cost.values())) == len(cost) > 3


@pytest.mark.parametrize("zone", ZONES)
def test_what_people_read(browser: Browser, zone: str) -> None:
    """Money has cents and no abbreviation, shares are percentages, and last active is a UTC day in any zone."""
    picked = browser.world.pick(90)
    truth = browser.world.truth(picked)
    titles = ("Total spend", TABLE, "Coverage", "Last refresh")
    found = replace(browser, zone=zone).shown(picked, *titles)
    assert found["Total spend"][0][1].text == [f"${values(truth)['Total spend']['Billed']:,.2f}"]
    table = {field.name: field for field in found[TABLE][0]}
    true = users(truth)
    for user, kind, text in zip(table["User"].values, table["Type"].values, table["Last active"].text, strict=True):
        assert text == f"{datetime.fromtimestamp((true[user, kind]['Last active'] or 0) / 1000, UTC):%Y-%m-%d}"
    assert set(table["Type"].text) == {"Person", "API key"}
    assert [frame[1].text for frame in found["Coverage"]] == [["100.0%"]] * 2
    assert [frame[1].text for frame in found["Last refresh"]] == [["Worked"]] * 2


@pytest.mark.parametrize(
    ("dollars", "text"), [(0.0099, "$0.00"), (-0.0099, "$0.00"), (0.01, "$0.01"), (1234.5, "$1,234.50")]
)
def test_under_one_cent_is_zero(browser: Browser, dollars: float, text: str) -> None:
    """An amount under one cent shows as zero, one cent as one cent."""
    (total,) = [panel for panel in panels(browser.dashboard) if panel["title"] == "Total spend"]
    answer = {"A": {"resultType": "vector", "result": [{"metric": {}, "value": [0, str(dollars)]}]}}
    (one,) = library.run(browser.proof, [(total, answer)], browser.zone)["panels"]
    (frame,) = library.frames(one)
    assert frame[1].text == [text]
