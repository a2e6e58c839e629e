"""The repository's root, its Dockerfile, parsed, and the programs that come with the development environment."""

import io
import json
import os
import shlex
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
_PROGRAMS = Path(sys.executable).parent


def run(
    program: str, *arguments: str, env: Mapping[str, str] | None = None, stdin: str = ""
) -> subprocess.CompletedProcess[str]:
    """Run a program of this environment, which need not be activated, or of the system."""
    return subprocess.run(
        [str(_PROGRAMS / program) if (_PROGRAMS / program).exists() else program, *arguments],
        input=stdin,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
        env={**os.environ, **(env or {})},
    )


@dataclass(frozen=True)
class Stage:
    """A stage of the Dockerfile: its base image, its name (empty for the last one), and its instructions in order."""

    base: str
    name: str
    steps: tuple[tuple[str, str], ...]

    def values(self, instruction: str) -> list[str]:
        """Return the values of one kind of instruction."""
        return [value for name, value in self.steps if name == instruction]

    def environment(self) -> dict[str, str]:
        """Return the variables that ENV sets, with `$PATH` unexpanded."""
        return dict(pair.split("=", 1) for value in self.values("ENV") for pair in shlex.split(value))

    def words(self, instruction: str) -> list[str]:
        """Return the words of the last instruction of a kind, in exec form."""
        value = self.values(instruction)[-1]
        return [str(word) for word in json.loads(value[value.index("[") :])]


def stages() -> list[Stage]:
    """Return the stages of the Dockerfile."""
    parser = DockerfileParser(fileobj=io.BytesIO((ROOT / "Dockerfile").read_bytes()))
    found: list[Stage] = []
    for step in parser.structure:
        name, value = step["instruction"], " ".join(step["value"].split())
        if name == "FROM":
            base, _, alias = value.partition(" AS ")
            found.append(Stage(base, alias, ()))
        elif name != "COMMENT":
            found[-1] = Stage(found[-1].base, found[-1].name, (*found[-1].steps, (name, value)))
    return found
