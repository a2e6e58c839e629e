"""The dashboard drawn with Grafana's own components in headless Chromium.

`python -m tests.dashboard.drawing docs/pictures` draws the pictures of the documentation: it needs Node, Chromium and
pngquant. With `--all` it draws every state, for people to look at.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from tests.dashboard import library, world
from tests.dashboard.history import History
from tests.dashboard.library import HERE, Grafana, State, bundle
from tests.dashboard.parts import Json, panels
from tests.dashboard.servers import prometheus
from tests.dashboard.world import DASHBOARD, FIRST, NOW

WIDTH = 1400
_CELL, _HEAD, _PADDING = 38, 40, 16
_OPTIONS = (
    "--format=iife",
    "--jsx=automatic",
    "--loader:.ttf=dataurl",
    "--loader:.svg=dataurl",
    '--define:process.env.NODE_ENV="production"',
    "--define:global=globalThis",
)
_CHROMIUM = (
    "chromium",
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--hide-scrollbars",
    "--virtual-time-budget=10000",
)
_DRAWN = re.compile(r"<title>(.*?)</title>", re.DOTALL)
_INK = re.compile(r'data-ink="([^"]*)"')
_VIEW = re.compile(r'data-view="([^"]*)"')
_TAG = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.DOTALL)

Panels = Sequence[Json]


@dataclass(frozen=True)
class View:
    """A picture to draw: which panels, in which state, in dark or light colours."""

    name: str
    subtitle: str
    state: State
    panels: Panels
    colours: str = "dark"


@dataclass(frozen=True)
class Drawn:
    """A drawn view: its text, and the share of drawn pixels of each chart."""

    text: str
    ink: Mapping[str, float]


def story() -> list[Json]:
    """Return the panels and rows that are seen at once."""
    return [panel for panel in DASHBOARD["panels"] if not panel.get("collapsed")]


def folded(title: str) -> list[Json]:
    """Return a folded row of this title, opened."""
    (row,) = [panel for panel in DASHBOARD["panels"] if panel["title"] == title]
    return [{**row, "panels": []}, *row["panels"]]


def health() -> list[Json]:
    """Return the row on the health of the data."""
    return folded("Data health")


def tokens() -> list[Json]:
    """Return the row on tokens of the whole API."""
    return folded("API tokens")


def first_screens() -> list[Json]:
    """Return the panels above the table of users: what a visitor sees first."""
    place = {panel["title"]: panel["gridPos"]["y"] for panel in story()}
    below = next(y for title, y in place.items() if title.startswith("User usage"))
    return [panel for panel in story() if panel["gridPos"]["y"] < below]


_DAYS = State("now-90d", "now", {"organization": [FIRST]})
DOCUMENTED = (
    View("overview", "Last 90 days, UTC", _DAYS, first_screens()),
    View("dashboard", "Last 90 days, UTC", _DAYS, story()),
)
TROUBLE = View(
    "trouble",
    "Last 90 days, UTC; the exporter has been down for two days",
    State("now-90d", "now", {"job": ["down"]}),
    [panel for panel in story() if panel["gridPos"]["y"] < 11],
)
STATES = (
    View(
        "light",
        "Last 90 days, UTC, two organisations",
        State("now-90d", "now"),
        [*story(), *tokens(), *health()],
        "light",
    ),
    View("24-hours", "Last 24 hours, UTC", State("now-24h", "now", _DAYS.choices), story()),
    View("7-days", "Last 7 days, UTC", State("now-7d", "now", _DAYS.choices), story()),
    View("this-year", "This year, UTC", State("now/y", "now/y", _DAYS.choices), story()),
    View("before", "Before the window", State("now-120d", "now-91d"), [*story(), *tokens(), *health()]),
    View("long-before", "Long before the window", State("now-300d", "now-200d"), [*story(), *tokens(), *health()]),
)
TROUBLES = tuple(
    View(
        job,
        f"Last 90 days, UTC, job {job}",
        State("now-90d", "now", {"job": [job]}),
        [*first_screens(), *tokens(), *health()],
    )
    for job in ("dead", "filling", "failing", "down", "started", "withheld")
)


def bundle_for_chromium(folder: Path) -> None:
    """Put the page that draws, and the libraries that it needs, into `folder`."""
    bundle("draw.jsx", folder / "draw.js", *_OPTIONS)
    shutil.copy(HERE / "harness" / "draw.html", folder)


def draw(grafana: Grafana, url: str, folder: Path, views: Sequence[View], picture: Path | None = None) -> list[Drawn]:
    """Return the views as they look, drawn on one page, with a picture of it if wanted; `folder` has the bundle."""
    said = grafana.ask(url, DASHBOARD, {view.name: view.state for view in views}, draw=True)
    heights = [_height(view.panels) for view in views]
    work = {
        "width": WIDTH,
        "now": round(grafana.now.timestamp() * 1000),
        "views": [_work(view, height, one) for view, height, one in zip(views, heights, said["states"], strict=True)],
    }
    (folder / "work.js").write_text(f"window.WORK = {json.dumps(work)};", encoding="utf-8")
    return _drawn(folder, f"{WIDTH + 2 * _PADDING},{sum(heights)}", picture)


def _height(shown: Panels) -> int:
    places = [panel["gridPos"] for panel in shown]
    rows = max(place["y"] + place["h"] for place in places) - min(place["y"] for place in places)
    return int(rows * _CELL + _HEAD + 2 * _PADDING)


def _work(view: View, height: int, said: Json) -> Json:
    """Return a view with what is to be drawn in each panel; a row has nothing."""
    titles = [panel["title"] for panel in panels(DASHBOARD)]
    found = dict(zip(titles, said["panels"], strict=True))
    shared = {"from": said["from"], "to": said["to"], "events": said["events"]}
    return {
        "name": view.name,
        "title": DASHBOARD["title"],
        "subtitle": view.subtitle,
        "colours": view.colours,
        "height": height,
        "panels": [
            {"panel": panel, "series": found[panel["title"]]["series"] if "targets" in panel else [], **shared}
            for panel in view.panels
        ],
    }


def _drawn(folder: Path, size: str, picture: Path | None) -> list[Drawn]:
    paths = [f"--user-data-dir={folder / 'profile'}", f"--window-size={size}"]
    wanted = [f"--screenshot={picture}"] if picture else []
    command = [*_CHROMIUM, *paths, *wanted, "--dump-dom", (folder / "draw.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout
    title = _DRAWN.search(dom)
    assert title, "no page"
    assert title[1] == "drawn", unescape(title[1])
    ink = _INK.search(dom)
    assert ink, "no ink"
    _, *parts = _VIEW.split(dom)
    texts = {unescape(name): unescape(_TAG.sub(" ", f"<{part}")) for name, part in zip(*[iter(parts)] * 2, strict=True)}
    return [Drawn(texts[name], inked) for name, inked in json.loads(unescape(ink[1])).items()]


def main() -> None:
    """Write the pictures of the documentation, or with --all every state, for people to look at."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pictures", type=Path)
    parser.add_argument("--all", action="store_true")
    given, made = parser.parse_args(), world.pages()
    _pictures(world.two_organizations(made), DOCUMENTED + (STATES if given.all else ()), given.pictures)
    _pictures(world.troubles(made), (TROUBLE, *(TROUBLES if given.all else ())), given.pictures)


def _pictures(history: History, views: Sequence[View], pictures: Path) -> None:
    with tempfile.TemporaryDirectory() as name, prometheus(Path(name), history) as url:
        folder = Path(name)
        grafana = Grafana(library.bundle_for_node(folder), NOW)
        bundle_for_chromium(folder)
        for view in views:
            _picture(grafana, url, folder, view, pictures)


def _picture(grafana: Grafana, url: str, folder: Path, view: View, pictures: Path) -> None:
    raw, output = folder / f"{view.name}.png", pictures / f"{view.name}.png"
    draw(grafana, url, folder, [view], raw)
    subprocess.run(["pngquant", "--force", "--speed=1", f"--output={output}", "128", str(raw)], check=True)


if __name__ == "__main__":
    main()
