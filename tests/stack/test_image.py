"""The image's steps, carried out without Docker, and what comes out of them: see `sandbox.py`."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.stack.compose import resolved
from tests.stack.inside import KEY
from tests.stack.sandbox import Image

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]
SECRET = "/run/secrets/anthropic_admin_key"


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    """Return a key as an operator would keep it."""
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    return file


def default_command(image: Image) -> list[str]:
    """Return what starts when nothing else is said."""
    return image.stage.words("ENTRYPOINT") + image.stage.words("CMD")


def compose_command() -> list[str]:
    """Return what the compose file starts, as Compose itself hands it over."""
    service = resolved()["services"]["exporter"]
    return [word.replace("$$", "$") for word in [*service["entrypoint"], *service["command"]]]


def coverage(page: str) -> Iterator[float]:
    """Return the coverage ratios of a page."""
    return (float(line.split()[-1]) for line in page.splitlines() if line.startswith("anthropic_report_coverage_ratio"))


def test_it_serves_confined(image: Image, data: Path, key_file: Path) -> None:
    """With all but the data folder read-only, as a user without rights, it reads the API, keeps the days, and stops."""
    found = image.run(default_command(image), env={}, data=data, mounts={SECRET: key_file}, api=True)
    assert found["confinement"] == {
        "uid": 65532,
        "capabilities": "0" * 32,
        "no_new_privileges": "1",
        "writable": ["/data"],
    }
    assert found["before"] == 1, "the health check must fail while nothing listens"
    assert found["healthy"] == 0
    assert all(ratio > 0 for ratio in coverage(found["page"]))
    assert (found["exit"], found["stopping"] < 5) == (0, True), found["log"]
    assert "days.sqlite" in found["data"]
    assert KEY not in json.dumps(found)


def test_an_environment_without_pip(image: Image) -> None:
    """The image's environment holds no installer and no build tool."""
    packages = {path.name for path in (image.root / "opt/exporter").glob("lib/python3*/site-packages/*")}
    assert "exporter" in packages
    assert not {name for name in packages if name.startswith(("pip", "setuptools", "wheel"))}


def test_compose_without_a_key_shows_the_demo(image: Image, data: Path) -> None:
    """No key: /dev/null stands for it, and the simulated organisation is shown; nothing is written."""
    found = image.run(compose_command(), env={}, data=data, mounts={SECRET: Path("/dev/null")}, api=False)
    assert (found["healthy"], found["exit"], found["data"]) == (0, 0, [])
    assert 'user="' in found["page"]


@pytest.mark.parametrize("by_file", [True, False])
def test_compose_with_a_key_serves(image: Image, data: Path, key_file: Path, *, by_file: bool) -> None:
    """A key in the file or in the environment: the organisation that it belongs to is read."""
    mounts = {SECRET: key_file if by_file else Path("/dev/null")}
    env = {} if by_file else {"ANTHROPIC_ADMIN_KEY": KEY}
    found = image.run(compose_command(), env=env, data=data, mounts=mounts, api=True)
    assert (found["healthy"], found["exit"]) == (0, 0), found["log"]
    assert "days.sqlite" in found["data"]


def test_compose_with_an_empty_key_file_shows_no_demo(image: Image, data: Path, tmp_path: Path) -> None:
    """An empty key file is a mistake to be told, not a reason to show simulated numbers."""
    empty = tmp_path / "empty"
    empty.touch()
    found: dict[str, Any] = image.run(compose_command(), env={}, data=data, mounts={SECRET: empty}, api=False)
    assert found["exit"] == 2
    assert f"{SECRET}: is not a key" in found["log"]
