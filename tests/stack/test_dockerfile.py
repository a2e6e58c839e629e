"""The Dockerfile and what it is allowed to take in."""

import re
import subprocess
import tomllib

import pytest

from tests.stack.dockerfile import DOCKERFILE, ROOT, copied, stages
from tests.stack.tools import run

EXACT = re.compile(r"python:3\.\d+\.\d+-slim-[a-z]+")


def hadolint(text: str) -> subprocess.CompletedProcess[str]:
    """Check a Dockerfile with every rule switched on."""
    return run("hadolint", "--no-color", "-", stdin=text)


def test_hadolint_has_nothing_to_say() -> None:
    """No rule of hadolint is broken, and none is switched off."""
    text = DOCKERFILE.read_text("utf-8")
    assert "hadolint ignore" not in text
    done = hadolint(text)
    assert (done.returncode, done.stdout) == (0, "")


def test_hadolint_would_speak() -> None:
    """The check can fail: an image without a version is refused."""
    assert "DL3006" in hadolint("FROM python\nUSER 65532\n").stdout


def test_the_base_is_an_exact_release() -> None:
    """Both stages begin with one image, named by its full version, of a Python that CI tests."""
    (base,) = {stage.base for stage in stages()}
    assert EXACT.fullmatch(base)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    version = re.match(r"python:(3\.\d+)", base)
    assert version
    assert f"Programming Language :: Python :: {version[1]}" in project["classifiers"]


def test_the_image_runs_as_nobody_special() -> None:
    """The last stage ends as a user with a number and no name, and owns the data folder alone."""
    final = stages()[-1]
    assert final.values("USER") == ["65532:65532"]
    assert final.environment()["EXPORTER_DATA_DIR"] == "/data"
    assert final.words("VOLUME") == ["/data"]
    assert final.values("RUN") == ["install -d -o 65532 -g 65532 -m 0700 /data"]


def test_the_health_check_needs_nothing_but_python() -> None:
    """There is no shell and no curl in it, and its time-out is longer than the script's own."""
    final = stages()[-1]
    assert final.words("HEALTHCHECK") == ["python", "-I", "/opt/exporter/healthcheck.py"]
    assert "--timeout=5s" in final.values("HEALTHCHECK")[-1]


def test_labels_say_what_it_is() -> None:
    """The labels that registries show are there, and say what the package says."""
    labels = stages()[-1].values("LABEL")[-1]
    project = tomllib.loads((ROOT / "pyproject.toml").read_text("utf-8"))["project"]
    for label in (f'title="{project["name"]}"', f'description="{project["description"]}"', 'licenses="Apache-2.0"'):
        assert f"org.opencontainers.image.{label}" in labels


def test_only_what_is_named_gets_in() -> None:
    """What is copied exists and is let through by .dockerignore, which begins by refusing everything."""
    sources = {source for stage in stages() for names, _ in copied(stage) for source in names}
    assert [source for source in sources if not (ROOT / source).exists()] == []
    rules = [line for line in (ROOT / ".dockerignore").read_text("utf-8").splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    assert {rule[1:] for rule in rules if rule.startswith("!")} == sources


@pytest.mark.parametrize(
    "forbidden", ["ADD ", "curl", "apt-get", ":latest", "sudo", "chmod 777", "ANTHROPIC_ADMIN_KEY"]
)
def test_what_has_no_place_in_it(forbidden: str) -> None:
    """Nothing is fetched from elsewhere, and no key has a place in the image."""
    assert forbidden not in DOCKERFILE.read_text("utf-8")
