"""The workflows: valid, pinned, with as few rights as can be, and in step with the Makefile."""

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.stack.dockerfile import ROOT
from tests.stack.tools import run

WORKFLOWS = sorted((ROOT / ".github/workflows").glob("*.yml"))
WRITES = {
    "release.yml": {
        "package": {"id-token", "attestations"},
        "image": {"packages", "id-token", "attestations"},
        "notes": {"contents"},
    }
}
"""The rights to write that exist; each is explained beside it in the file."""


@pytest.fixture(params=WORKFLOWS, ids=lambda path: path.name)
def workflow(request: pytest.FixtureRequest) -> Path:
    """Return each workflow."""
    path: Path = request.param
    return path


def jobs(workflow: Path) -> dict[str, dict[str, Any]]:
    """Return the jobs of a workflow."""
    found: dict[str, dict[str, Any]] = yaml.safe_load(workflow.read_text("utf-8"))["jobs"]
    return found


def test_actionlint_has_nothing_to_say(workflow: Path) -> None:
    """Syntax, expressions and, by ShellCheck, the scripts are right."""
    done = run("actionlint", "-no-color", "-shellcheck", "shellcheck", str(workflow))
    assert (done.returncode, done.stdout) == (0, "")


def test_zizmor_has_nothing_to_say() -> None:
    """No finding of any confidence, in the workflows and in Dependabot's configuration, and none is switched off."""
    assert not (ROOT / ".github/zizmor.yml").exists()
    done = run("zizmor", "--offline", "--no-progress", "--persona=pedantic", "--color=never", str(ROOT / ".github"))
    assert done.returncode == 0, done.stdout
    assert "No findings" in done.stdout
    assert "zizmor:" not in "".join(path.read_text("utf-8") for path in WORKFLOWS)


@pytest.mark.parametrize(
    ("tool", "broken", "word"),
    [
        ("actionlint", ("runs-on: ubuntu-24.04", "runs-on: ubuntu-24.04\n    needs: nobody"), "nobody"),
        ("zizmor", ("contents: read # to check out", "contents: write"), "undocumented-permissions"),
        ("zizmor", ("@9c091bb21b7c1c1d1991bb908d89e4e9dddfe3e0 # v7.0.0", "@v7"), "unpinned-uses"),
    ],
)
def test_the_linters_would_speak(tmp_path: Path, tool: str, broken: tuple[str, str], word: str) -> None:
    """Each check can fail."""
    folder = tmp_path / ".github/workflows"
    folder.mkdir(parents=True)
    text = (ROOT / ".github/workflows/image.yml").read_text("utf-8")
    assert broken[0] in text
    (folder / "image.yml").write_text(text.replace(*broken))
    arguments = ("--offline", "--no-progress", "--persona=pedantic") if tool == "zizmor" else ("-no-color",)
    done = run(tool, *arguments, str(folder / "image.yml"))
    assert done.returncode != 0
    assert word in done.stdout


def test_actions_are_pinned_by_commit(workflow: Path) -> None:
    """Each action is a full commit with its release beside it; a workflow of ours is the one of the same commit."""
    for line in re.findall(r"^\s*-?\s*uses: (.+)$", workflow.read_text("utf-8"), re.MULTILINE):
        assert re.fullmatch(r"[\w.-]+/[\w.-]+@[0-9a-f]{40} # v\d+\.\d+\.\d+|\$/\.github/workflows/\w+\.yml", line), line


def test_no_credentials_stay_behind(workflow: Path) -> None:
    """A check-out leaves no token in the working tree, where a test or a dependency could read it."""
    steps = [step for job in jobs(workflow).values() for step in job.get("steps", ())]
    checkouts = [step for step in steps if step.get("uses", "").startswith("actions/checkout@")]
    assert all(step["with"] == {"persist-credentials": False} for step in checkouts)


def test_one_action_has_one_commit() -> None:
    """The same action is the same commit in all workflows."""
    text = "".join(path.read_text("utf-8") for path in WORKFLOWS)
    pins = set(re.findall(r"uses: ([\w.-]+/[\w.-]+)@([0-9a-f]{40})", text))
    assert len({name for name, _ in pins}) == len(pins)


def test_rights_are_the_least(workflow: Path) -> None:
    """A workflow has no right; a job reads the code at most, but for the writes that are listed."""
    loaded = yaml.safe_load(workflow.read_text("utf-8"))
    assert loaded["permissions"] == {}
    for name, job in loaded["jobs"].items():
        rights = job["permissions"]
        writes = {right for right, level in rights.items() if level == "write"}
        assert writes == WRITES.get(workflow.name, {}).get(name, set()), name
        assert {right for right, level in rights.items() if level == "read"} <= {"contents"}


def test_no_code_of_the_repository_runs_where_things_are_signed() -> None:
    """A job that may sign or publish runs actions alone, or in the last one the forge's own command."""
    for name in WRITES["release.yml"]:
        scripts = [step["run"] for step in jobs(ROOT / ".github/workflows/release.yml")[name]["steps"] if "run" in step]
        assert all(script.startswith("gh release create") for script in scripts), name


def test_the_make_targets_exist() -> None:
    """What a workflow makes is in the Makefile."""
    makefile = (ROOT / "Makefile").read_text("utf-8")
    wanted = {
        name for path in WORKFLOWS for name in re.findall(r"\bmake ([a-z-]+)\b(?=[ \n].*PYTHON)", path.read_text())
    }
    assert wanted == {"check", "demo", "sbom", "security", "test"}
    for name in wanted:
        assert re.search(rf"^{name}:", makefile, re.MULTILINE), name


def test_ci_runs_the_shipped_python_and_the_next() -> None:
    """The versions of CI are those that the package names, the first being the image's."""
    include = jobs(ROOT / ".github/workflows/ci.yml")["check"]["strategy"]["matrix"]["include"]
    versions = [entry["python"] for entry in include]
    named = re.findall(r"Programming Language :: Python :: (3\.\d+)", (ROOT / "pyproject.toml").read_text("utf-8"))
    assert versions == named
    assert f"FROM python:{versions[0]}." in (ROOT / "Dockerfile").read_text("utf-8")
    assert all(
        re.match(rf"python:{re.escape(entry['python'])}\.\d+-[a-z]+@sha256:", entry["image"]) for entry in include
    )


def test_updates_wait_a_week() -> None:
    """Every kind of dependency that the repository has is watched, and none is taken up on its first day."""
    updates = yaml.safe_load((ROOT / ".github/dependabot.yml").read_text("utf-8"))["updates"]
    assert {update["package-ecosystem"]: update["directory"] for update in updates} == {
        "pip": "/",
        "npm": "/tests/dashboard",
        "docker": "/",
        "docker-compose": "/",
        "github-actions": "/",
    }
    assert {update["cooldown"]["default-days"] for update in updates} == {7}
    assert all((ROOT / update["directory"].strip("/")).is_dir() for update in updates)
