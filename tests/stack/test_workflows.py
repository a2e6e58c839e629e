"""The workflows: few rights, and in step with the rest of the repository. `make lint` checks them with zizmor."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.repository import ROOT

WORKFLOWS = {path.stem: path for path in (ROOT / ".github/workflows").glob("*.yml")}
WRITES = {
    ("release", "package"): {"id-token", "attestations"},
    ("release", "image"): {"packages", "id-token", "attestations"},
    ("release", "notes"): {"contents"},
}
"""The jobs that may write, and what."""


def jobs(workflow: str) -> dict[str, dict[str, Any]]:
    """Return the jobs of a workflow."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(WORKFLOWS[workflow].read_text("utf-8"))["jobs"]
    return found


def test_few_jobs_may_write() -> None:
    """No job may write but those listed, and none may read more than the code."""
    rights = {(workflow, name): job["permissions"] for workflow in WORKFLOWS for name, job in jobs(workflow).items()}
    writes = {job: {right for right, level in given.items() if level == "write"} for job, given in rights.items()}
    assert {job: given for job, given in writes.items() if given} == WRITES
    assert {right for given in rights.values() for right, level in given.items() if level != "write"} == {"contents"}


def test_jobs_that_sign_or_publish_run_no_code_of_the_repository() -> None:
    """They run pinned actions, and the last one the forge's own command."""
    for workflow, name in WRITES:
        scripts = [step["run"] for step in jobs(workflow)[name]["steps"] if "run" in step]
        assert all(script.startswith("gh release create") for script in scripts), name


def test_the_make_targets_exist() -> None:
    """What a workflow makes is in the Makefile."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    wanted = {name for path in WORKFLOWS.values() for name in re.findall(r"\bmake ([a-z-]+) PYTHON", path.read_text())}
    assert wanted == {"demo", "quick", "sbom", "security", "slow", "test"}
    assert [name for name in wanted if not re.search(rf"^{name}:", makefile, re.MULTILINE)] == []


def test_ci_runs_every_python_that_the_package_names() -> None:
    """The quick tests run on all of them; the slow ones at least on the image's."""
    quick, slow = (jobs("ci")[name]["strategy"]["matrix"] for name in ("quick", "slow"))
    named = re.findall(r"Programming Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert quick["python"] == named
    (shipped,) = set(re.findall(r"^FROM python:(3\.\d+)\.", (ROOT / "Dockerfile").read_text("utf-8"), re.MULTILINE))
    assert shipped in {entry["python"] for entry in slow["include"]}
    assert all(entry["image"].startswith(f"python:{entry['python']}.") for entry in slow["include"])


def test_dependabot_watches_every_kind_of_dependency() -> None:
    """Each kind is watched where its files are. That updates wait a week is checked by zizmor."""
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text("utf-8"))["updates"]
    watched = {update["package-ecosystem"]: ROOT / update["directory"].strip("/") for update in updates}
    files = {
        "pip": "requirements.txt",
        "npm": "package-lock.json",
        "docker": "Dockerfile",
        "docker-compose": "docker-compose.yml",
        "github-actions": ".github/workflows/ci.yml",
    }
    assert {kind: folder for kind, folder in watched.items() if (folder / files[kind]).is_file()} == watched
    assert set(watched) == set(files)


@pytest.mark.parametrize(
    ("version", "code", "printed"), [("0.2.0", 0, "### Added\n\n- new"), ("0.1.0", 0, "- old"), ("0.2", 1, "")]
)
def test_a_release_prints_its_section_of_the_changelog(tmp_path: Path, version: str, code: int, printed: str) -> None:
    """The section of that version and of no other; a version without one is refused."""
    sections = (
        "# Changelog",
        "## [Unreleased]",
        "- next",
        "## [0.2.0] - 2026-11-25",
        "### Added",
        "- new",
        "## [0.1.0]",
    )
    (tmp_path / "CHANGELOG.md").write_text("\n\n".join((*sections, "- old\n")))
    command = [str(ROOT / "tools/release-notes"), version]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout.strip()) == (code, printed)
