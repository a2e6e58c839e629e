"""The compose file as Docker Compose itself reads it: its program comes as a Python package, and needs no daemon."""

import json
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.stack.dockerfile import ROOT
from tests.stack.tools import run


def config(
    file: Path = ROOT / "docker-compose.yml", env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess[str]:
    """Run `docker-compose config` with `env` and without the folder's `.env`."""
    arguments = ("--env-file", "/dev/null", "--file", str(file), "config", "--format", "json")
    return run("docker-compose", *arguments, env={"HOME": "/nonexistent", **(env or {})})


def resolved(env: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Return the compose file with everything filled in."""
    done = config(env=env)
    assert done.returncode == 0, done.stderr
    found: dict[str, Any] = json.loads(done.stdout)
    return found
