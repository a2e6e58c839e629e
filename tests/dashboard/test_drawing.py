"""Grafana's own components draw the dashboard, and what they draw can be read."""

from collections.abc import Iterable
from pathlib import Path

import pytest

from tests.dashboard import library
from tests.dashboard.drawing import Drawn, bundle_for_chromium, draw, health, story
from tests.dashboard.expected import charts, users, values
from tests.dashboard.world import ROOT, World

pytestmark = [pytest.mark.integration, pytest.mark.drawing, pytest.mark.slow]

PICTURES = sorted((ROOT / "docs" / "pictures").glob("*.png"))


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the page that draws."""
    library.require(node=True)
    library.require(program="chromium")
    made = tmp_path_factory.mktemp("drawing")
    bundle_for_chromium(made)
    return made


@pytest.fixture(scope="module")
def drawn(world: World, folder: Path) -> Drawn:
    """Return the dashboard as it is seen at first."""
    return draw(world, folder, "dashboard", list(story()))


def test_every_chart_has_ink(drawn: Drawn) -> None:
    """Each chart over time is drawn upon, and none is a full block."""
    titles = {panel["title"] for panel in story() if panel["type"] == "timeseries"}
    assert set(drawn.ink) == titles
    assert {title: ink for title, ink in drawn.ink.items() if not 0.01 < ink < 0.9} == {}


def words(drawn: Drawn) -> str:
    """Return the text of a drawing without its spaces: Grafana sets a number and its unit apart."""
    return "".join(drawn.text.split())


def missing(text: str, wanted: Iterable[str]) -> list[str]:
    """Return what is not in a text without spaces."""
    return [one for one in wanted if "".join(one.split()) not in text]


def test_the_totals_can_be_read(drawn: Drawn, world: World) -> None:
    """The tiles show the totals, the charts name their series, the table begins with the most expensive user."""
    truth = world.truth(world.pick(90))
    totals = values(truth)
    wanted = [
        f"${totals['Total spend']['Billed']:,.2f}",
        f"{totals['Total lines of code accepted']['Added']:,.0f}",
        max(users(truth).items(), key=lambda item: item[1]["Cost"] or 0)[0][0],
        *(panel["title"] for panel in story()),
        *(name for chart in charts(truth).values() for name in chart),
    ]
    assert missing(words(drawn), wanted) == []
    assert "NaN" not in drawn.text


def test_data_health_is_drawn(world: World, folder: Path) -> None:
    """The folded row says that both reports work and are complete."""
    text = words(draw(world, folder, "data-health", list(health())))
    assert (text.count("Worked"), text.count("100.0%")) == (2, 2)
    assert missing(text, ["Nothing fails.", *(panel["title"] for panel in health())]) == []


@pytest.mark.parametrize("picture", PICTURES, ids=lambda path: path.name)
def test_pictures_are_small(picture: Path) -> None:
    """A picture of the documentation is a PNG under 400 KB."""
    assert picture.read_bytes().startswith(b"\x89PNG")
    assert picture.stat().st_size < 400_000


def test_there_are_pictures() -> None:
    """The pictures that the documentation shows are there."""
    assert {"dashboard", "overview", "status"} <= {picture.stem for picture in PICTURES}
