"""The committed dashboard is what the generator makes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grafana import generate
from tests.dashboard.parts import panels
from tests.dashboard.world import DASHBOARD, ROOT

STORY = [
    "Total active users (whole window)",
    "Total lines of code accepted",
    "Total spend",
    "Cost over time",
    "Lines of code over time",
    "User activity over time",
    "Model usage distribution",
    "Token usage over time",
    "Tool actions distribution",
    "User usage breakdown (whole window)",
]
MORE = [
    "Spend by workspace",
    "Spend by service",
    "Spend by token type",
    "Billed against estimated cost",
    "Cost per active user",
    "Cache-read share",
]


def test_generated_is_committed() -> None:
    """The generator makes the same bytes as the committed file, at each call."""
    assert generate.OUTPUT.read_text(encoding="utf-8") == generate.rendered() == generate.rendered()


def test_check_fails_on_another_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With --check, a file that is missing or differs gives exit code 1 and is left alone; without, it is written."""
    output = tmp_path / "claude-usage.json"
    monkeypatch.setattr(generate, "OUTPUT", output)
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    assert not output.exists()
    output.write_text("{}", encoding="utf-8")
    assert generate.main() == 1
    monkeypatch.setattr(sys, "argv", ["generate"])
    assert generate.main() == 0
    assert json.loads(output.read_text(encoding="utf-8"))["uid"] == "claude-usage"


def test_the_command() -> None:
    """`python -m grafana.generate --check` says yes from the root of the repository."""
    done = subprocess.run([sys.executable, "-m", "grafana.generate", "--check"], cwd=ROOT, check=False)
    assert done.returncode == 0


def test_the_story() -> None:
    """The ten panels are in the order of the story, from the top down; more about cost follows; then folded rows."""
    assert [panel["title"] for panel in panels(DASHBOARD) if panel["title"] in STORY] == STORY
    place = {panel["title"]: (panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in panels(DASHBOARD)}
    assert sorted(STORY, key=place.__getitem__) == STORY
    rows = [panel for panel in DASHBOARD["panels"] if panel["type"] == "row"]
    assert [(row["title"], row["collapsed"]) for row in rows] == [
        ("More about cost", False),
        ("API tokens", True),
        ("Data health", True),
    ]
    assert set(MORE) < set(place)
    assert min(place[title] for title in MORE) > max(place[title] for title in STORY)


def test_what_stands_at_the_top() -> None:
    """90 days, UTC, every 15 minutes, not editable, a fixed uid, no id, links, and the variables of the story."""
    assert DASHBOARD["time"] == {"from": "now-90d", "to": "now"}
    assert (DASHBOARD["timezone"], DASHBOARD["refresh"], DASHBOARD["editable"]) == ("utc", "15m", False)
    assert (DASHBOARD["uid"], "id" in DASHBOARD) == ("claude-usage", False)
    names = [one["name"] for one in DASHBOARD["templating"]["list"]]
    assert {"datasource", "organization", "job", "instance", "model", "workspace", "user", "token_type"} < set(names)
    assert [link["title"] for link in DASHBOARD["links"]] == ["Metrics", "Runbook"]
