"""Grafana's own components draw the dashboard, and what they draw can be read."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.dashboard import library
from tests.dashboard.drawing import Drawn, View, bundle_for_chromium, draw, health, story, tokens
from tests.dashboard.expected import charts, users, values
from tests.dashboard.expected_tokens import api_keys
from tests.dashboard.library import Grafana, Seen, State
from tests.dashboard.truth import truth_of
from tests.dashboard.world import ROOT, Pages, merged
from tests.support import DAY

pytestmark = [pytest.mark.integration, pytest.mark.drawing, pytest.mark.slow]

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.png"))
DAYS = State("now-90d", "now")
VIEWS = (
    View("90 days", "", DAYS, story()),
    View("tokens", "", DAYS, tokens()),
    View("tokens of 7 days", "", State("now-7d", "now"), tokens(), "light"),
    View("health", "", DAYS, health()),
    View("7 days", "", State("now-7d", "now"), story(), "light"),
    View("24 hours", "", State("now-24h", "now"), story()),
)


@pytest.fixture(scope="module", name="drawn")
def the_drawn_views(grafana: Grafana, url: str, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Drawn]:
    """Return the views, drawn."""
    library.require("chromium")
    folder = tmp_path_factory.mktemp("drawing")
    bundle_for_chromium(folder)
    return {view.name: one for view, one in zip(VIEWS, draw(grafana, url, folder, VIEWS), strict=True)}


@pytest.mark.parametrize("name", ["90 days", "7 days", "24 hours", "tokens", "tokens of 7 days"])
def test_every_chart_has_ink(drawn: dict[str, Drawn], name: str) -> None:
    """Each chart over time is drawn upon, also in a short range, and none is a full block."""
    (shown,) = [view.panels for view in VIEWS if view.name == name]
    titles = {panel["title"] for panel in shown if panel["type"] == "timeseries"}
    assert set(drawn[name].ink) == titles
    assert {title: ink for title, ink in drawn[name].ink.items() if not 0.01 < ink < 0.95} == {}


def words(drawn: Drawn) -> str:
    """Return the text of a drawing without its spaces: Grafana sets a number and its unit apart."""
    return "".join(drawn.text.split())


def missing(text: str, wanted: Iterable[str]) -> list[str]:
    """Return what is not in a text without spaces."""
    return [one for one in wanted if "".join(one.split()) not in text]


def test_the_totals_can_be_read(drawn: dict[str, Drawn], grafana: Grafana, pages: Pages) -> None:
    """The tiles show the totals, the charts name their series, the table begins with the most expensive user."""
    shown, row = drawn["90 days"], drawn["tokens"]
    samples = merged(pages.first, pages.second)
    truth = truth_of(samples, Seen(grafana.now - 90 * DAY, grafana.now, {}, {}, [], {}))
    totals = values(truth)
    wanted = [
        f"${totals['Total spend']['Billed']:,.2f}",
        f"{totals['Total lines of code accepted']['Added']:,.0f}",
        max(users(truth).items(), key=lambda item: item[1]["Estimated cost"] or 0)[0][0],
        *(panel["title"] for panel in (*story(), *tokens())),
        *(name for chart in charts(truth).values() for name in chart),
        *(name for name, _ in api_keys(truth)),
    ]
    assert missing(words(shown) + words(row), wanted) == []
    assert "NaN" not in shown.text + row.text


def test_data_health_is_drawn(drawn: dict[str, Drawn]) -> None:
    """The folded row says that all reports work and are complete."""
    text = words(drawn["health"])
    assert (text.count("Worked"), text.count("100.0%")) == (3, 3)
    assert missing(text, [panel["title"] for panel in health()]) == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_small(picture: Path) -> None:
    """A picture of the documentation is a PNG under 400 KB."""
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 400_000


def test_there_are_pictures() -> None:
    """The pictures that the documentation shows are there."""
    assert {"dashboard", "overview", "page", "trouble"} <= {picture.stem for picture in PICTURES}
