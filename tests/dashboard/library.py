"""Grafana's own libraries, in Node: bundled once, then given a dashboard and the states in which it is looked at."""

import json
import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.parts import Json, panels

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Field:
    """A field of a frame as Grafana would show it: times in milliseconds, and the text of each value."""

    name: str
    type: str
    values: Sequence[Any]
    text: Sequence[str]
    colour: str | None = None
    unit: str | None = None


Frame = list[Field]


@dataclass(frozen=True)
class State:
    """What somebody has chosen: the range as in the time picker, and values of variables by name."""

    start: str
    end: str
    choices: Mapping[str, Sequence[str]] = field(default_factory=dict)


@dataclass(frozen=True)
class Seen:
    """The dashboard in a state: the range, the variables, annotations, and what each panel shows or why it fails."""

    start: datetime
    end: datetime
    variables: Mapping[str, Json]
    frames: Mapping[str, list[Frame]]
    events: Sequence[Json]
    errors: Mapping[str, str]


def require(*programs: str) -> None:
    """Skip where a program is missing, or the packages of Node; fail in CI, where the proof must run."""
    missing = [program for program in programs if not shutil.which(program)]
    if not (HERE / "node_modules").is_dir():
        missing.append("npm ci in tests/dashboard")
    if missing:
        reason = f"this proof of the dashboard needs {', '.join(missing)}"
        if os.environ.get("CI"):
            pytest.fail(reason)
        pytest.skip(reason)


def bundle(entry: str, output: Path, *options: str) -> Path:
    """Return `output`, made by esbuild from a file of the harness and the libraries that it imports."""
    esbuild = str(HERE / "node_modules" / ".bin" / "esbuild")
    command = [esbuild, f"harness/{entry}", "--bundle", "--log-level=error", f"--outfile={output}", *options]
    subprocess.run(command, cwd=HERE, check=True)
    return output


def bundle_for_node(folder: Path) -> Path:
    """Return the proof for Node, bundled in `folder`."""
    options = (
        "--platform=node",
        "--format=cjs",
        "--external:jsdom",
        "--loader:.css=empty",
        "--loader:.svg=text",
        "--loader:.ttf=empty",
        '--define:process.env.NODE_ENV="production"',
        "--alias:@grafana/plugin-compat/datasources=./harness/datasource.mjs",
    )
    return bundle("proof.mjs", folder / "proof.cjs", *options)


@dataclass(frozen=True)
class Grafana:
    """A stand-in for a Grafana server and a browser: the bundled proof, the time, and the browser's time zone."""

    script: Path
    now: datetime
    zone: str = "America/Los_Angeles"

    def look(self, url: str, dashboard: Json, states: Mapping[str, State]) -> dict[str, Seen]:
        """Return a dashboard in each of the states, with the data source at `url`."""
        titles = [panel["title"] for panel in panels(dashboard)]
        said = self.ask(url, dashboard, states)
        return {name: _seen(one, titles) for name, one in zip(states, said["states"], strict=True)}

    def ask(self, url: str, dashboard: Json, states: Mapping[str, State], *, draw: bool = False) -> Json:
        """Return what the proof says of a dashboard: what it logged, and for each state what it found."""
        work = {
            "url": url,
            "now": round(self.now.timestamp() * 1000),
            "dashboard": dashboard,
            "states": [
                {"from": one.start, "to": one.end, "choices": dict(one.choices), "draw": draw}
                for one in states.values()
            ],
        }
        return self.run(work)

    def run(self, work: Json) -> Json:
        """Return what the proof answers (JSON) to `work` (JSON)."""
        env = {**os.environ, "TZ": self.zone, "NODE_PATH": str(HERE / "node_modules")}
        command = ["node", str(self.script)]
        done = subprocess.run(command, input=json.dumps(work), env=env, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        said: Json = json.loads(done.stdout)
        return said


def _seen(said: Json, titles: Sequence[str]) -> Seen:
    start, end = (datetime.fromtimestamp(said[edge] / 1000, UTC) for edge in ("from", "to"))
    shown = dict(zip(titles, said["panels"], strict=True))
    errors = {title: one["error"] for title, one in shown.items() if "error" in one}
    frames = {
        title: [[Field(**field) for field in frame] for frame in one.get("frames", ())] for title, one in shown.items()
    }
    return Seen(start, end, said["variables"], frames, said["events"], errors)


def same(shown: float | None, true: float | None) -> bool:
    """Return whether two numbers are the same up to the rounding of a sum of floats."""
    if shown is None or true is None:
        return shown is true
    return math.isclose(shown, true, rel_tol=1e-9, abs_tol=1e-9)
