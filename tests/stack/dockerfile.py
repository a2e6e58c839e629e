"""The Dockerfile, read: its stages and what they do."""

import io
import json
import shlex
from dataclasses import dataclass
from pathlib import Path

from dockerfile_parse import DockerfileParser

ROOT = Path(__file__).parents[2]
DOCKERFILE = ROOT / "Dockerfile"


@dataclass(frozen=True)
class Stage:
    """One stage: the image it begins with, its name or an empty text, and its instructions in order."""

    base: str
    name: str
    steps: tuple[tuple[str, str], ...]

    def values(self, instruction: str) -> list[str]:
        """Return the values of one kind of instruction."""
        return [value for name, value in self.steps if name == instruction]

    def environment(self) -> dict[str, str]:
        """Return what ENV sets, with `$PATH` as it is written."""
        return dict(pair.split("=", 1) for value in self.values("ENV") for pair in shlex.split(value))

    def words(self, instruction: str) -> list[str]:
        """Return the last value of an instruction in exec form, as HEALTHCHECK has it behind `CMD`."""
        value = self.values(instruction)[-1]
        return [str(word) for word in json.loads(value[value.index("[") :])]


def stages(text: str | None = None) -> list[Stage]:
    """Return the stages of the repository's Dockerfile, or of the text given."""
    parser = DockerfileParser(fileobj=io.BytesIO((text or DOCKERFILE.read_text("utf-8")).encode()))
    found: list[Stage] = []
    for step in parser.structure:
        name, value = step["instruction"], " ".join(step["value"].split())
        if name == "FROM":
            base, _, alias = value.partition(" AS ")
            found.append(Stage(base, alias, ()))
        elif name != "COMMENT":
            found[-1] = Stage(found[-1].base, found[-1].name, (*found[-1].steps, (name, value)))
    return found


def copied(stage: Stage) -> list[tuple[list[str], str]]:
    """Return (sources, destination) of each COPY from the repository, not from another stage."""
    pairs = [value.split() for value in stage.values("COPY") if not value.startswith("--from=")]
    return [(words[:-1], words[-1]) for words in pairs]
