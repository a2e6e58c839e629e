"""The dashboard drawn with Grafana's own components in headless Chromium.

`python -m tests.dashboard.drawing docs/pictures` makes the pictures of the documentation anew: it needs Node, Chromium
and pngquant.
"""

import argparse
import json
import re
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from html import unescape
from pathlib import Path

from tests.dashboard.asking import Json, Picked, answers, range_of
from tests.dashboard.library import HERE, bundle
from tests.dashboard.world import DASHBOARD, World, world

WIDTH = 1400
_CELL, _HEAD, _PADDING = 38, 40, 16
_OPTIONS = (
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
_TAG = re.compile(r"<(script|style).*?</\1>|<[^>]*>", re.DOTALL)


@dataclass(frozen=True)
class Drawn:
    """A drawn dashboard: its picture (PNG), its text, and the share of drawn pixels of each chart."""

    picture: Path
    text: str
    ink: Mapping[str, float]


def bundle_for_chromium(folder: Path) -> None:
    """Put the page that draws, and the libraries that it needs, into `folder`."""
    bundle("draw.jsx", folder / "draw.js", "--format=iife", *_OPTIONS)
    shutil.copy(HERE / "harness" / "draw.html", folder)


def story() -> Iterator[Json]:
    """Yield the panels and rows that are seen at once."""
    yield from (panel for panel in DASHBOARD["panels"] if not panel.get("collapsed"))


def health() -> Iterator[Json]:
    """Yield the folded row, opened."""
    for row in (panel for panel in DASHBOARD["panels"] if panel.get("collapsed")):
        yield {**row, "panels": []}
        yield from row["panels"]


def draw(made: World, folder: Path, name: str, panels: Sequence[Json]) -> Drawn:
    """Return the panels as they look over the last 90 days of a world; `folder` has the bundle."""
    picked = made.pick(90)
    work = {
        "title": DASHBOARD["title"],
        "subtitle": "Last 90 days, UTC",
        "width": WIDTH,
        "panels": [_work(panel, picked, made) for panel in panels],
    }
    (folder / "work.js").write_text(f"window.WORK = {json.dumps(work)};", encoding="utf-8")
    places = [panel["gridPos"] for panel in panels]
    rows = max(place["y"] + place["h"] for place in places) - min(place["y"] for place in places)
    return _drawn(folder, name, f"{WIDTH + 2 * _PADDING},{rows * _CELL + _HEAD + 2 * _PADDING}")


def _work(panel: Json, picked: Picked, made: World) -> Json:
    """Return a panel with its range in milliseconds and the answers to its targets; a row has none."""
    span = range_of(panel, picked)
    return {
        "panel": panel,
        "from": span.start.timestamp() * 1000,
        "to": span.end.timestamp() * 1000,
        "answers": answers(panel, picked, made.prometheus) if panel.get("targets") else {},
    }


def _drawn(folder: Path, name: str, size: str) -> Drawn:
    picture = folder / f"{name}.png"
    paths = (f"--user-data-dir={folder / 'profile'}", f"--screenshot={picture}", f"--window-size={size}")
    command = [*_CHROMIUM, *paths, "--dump-dom", (folder / "draw.html").as_uri()]
    dom = subprocess.run(command, capture_output=True, text=True, timeout=100, check=True).stdout
    title = _DRAWN.search(dom)
    assert title, "no page"
    assert title[1] == "drawn", unescape(title[1])
    ink = _INK.search(dom)
    assert ink, "no ink"
    return Drawn(picture, unescape(_TAG.sub(" ", dom)), json.loads(unescape(ink[1])))


def first_screens(panels: Sequence[Json]) -> list[Json]:
    """Return the panels above the table of users: what a visitor sees first."""
    (table,) = [panel for panel in panels if panel["type"] == "table"]
    return [panel for panel in panels if panel["gridPos"]["y"] < table["gridPos"]["y"]]


def main() -> None:
    """Write the pictures of the documentation."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pictures", type=Path)
    pictures = parser.parse_args().pictures
    shown = {"overview": first_screens(list(story())), "dashboard": list(story())}
    with tempfile.TemporaryDirectory() as folder, world(Path(folder)) as made:
        bundle_for_chromium(Path(folder))
        for name, panels in shown.items():
            drawn = draw(made, Path(folder), name, panels)
            output = pictures / f"{name}.png"
            subprocess.run(
                ["pngquant", "--force", "--speed=1", f"--output={output}", "128", str(drawn.picture)], check=True
            )


if __name__ == "__main__":
    main()
