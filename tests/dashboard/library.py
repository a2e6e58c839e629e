"""Grafana's own libraries, in Node: the pipeline bundled once, then fed with panels and answers."""

import json
import math
import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.dashboard.asking import Json

HERE = Path(__file__).parent
_REQUIRE = "import {createRequire} from 'node:module'; const require = createRequire(import.meta.url);"


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


def require(*, node: bool = False, program: str = "node") -> None:
    """Skip where a program is missing, or the packages of Node; fail in CI, where the proof must run."""
    if shutil.which(program) and (not node or (HERE / "node_modules").is_dir()):
        return
    packages = ", and `npm ci` in tests/dashboard" if node else ""
    reason = f"this proof of the dashboard needs `{program}`{packages}"
    if os.environ.get("CI"):
        pytest.fail(reason)
    pytest.skip(reason)


def bundle(entry: str, output: Path, *options: str) -> Path:
    """Return `output`, made by esbuild from a file of the harness and the libraries that it imports."""
    command = [
        str(HERE / "node_modules" / ".bin" / "esbuild"),
        f"harness/{entry}",
        "--bundle",
        "--log-level=error",
        "--alias:@grafana/runtime=./harness/runtime.mjs",
        f"--outfile={output}",
        *options,
    ]
    subprocess.run(command, cwd=HERE, check=True)
    return output


def bundle_for_node(entry: str, folder: Path) -> Path:
    """Return a script of the harness for Node, bundled in `folder`."""
    return bundle(entry, folder / entry, "--platform=node", "--format=esm", f"--banner:js={_REQUIRE}")


def run(script: Path, panels: Sequence[tuple[Json, Mapping[str, Json]]], zone: str) -> Json:
    """Return what the bundled proof says of panels and their answers, in a Node process whose time zone is `zone`."""
    work = {"timeZone": "utc", "panels": [{"panel": panel, "answers": answers} for panel, answers in panels]}
    return run_script(script, work, zone)


def run_script(script: Path, work: Json, zone: str) -> Json:
    """Return what a bundled script answers (JSON) to `work` (JSON), in a Node process whose time zone is `zone`."""
    env = {**os.environ, "TZ": zone}
    done = subprocess.run(
        ["node", str(script)], input=json.dumps(work), env=env, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    said: Json = json.loads(done.stdout)
    return said


def frames(one: Json) -> list[Frame]:
    """Return the frames of one panel; a panel that failed raises."""
    assert "error" not in one, one["error"]
    return [[Field(**field) for field in frame] for frame in one["frames"]]


def same(shown: float | None, true: float | None) -> bool:
    """Return whether two numbers are the same up to the rounding of a sum of floats."""
    if shown is None or true is None:
        return shown is true
    return math.isclose(shown, true, rel_tol=1e-9, abs_tol=1e-9)
