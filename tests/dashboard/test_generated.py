"""The committed dashboard is what the generator makes."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from grafana import generate
from tests.dashboard.asking import Json, panels
from tests.dashboard.world import ROOT

STORY = [
    "Total active users",
    "Total lines of code accepted",
    "Total spend",
    "Cost over time",
    "Lines of code over time",
    "User activity over time",
    "Model usage distribution",
    "Token usage over time",
    "Tool actions distribution",
    "User usage breakdown",
]
MORE = [
    "Spend by workspace",
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


def test_the_story(dashboard: Json) -> None:
    """The ten panels stand in the order of the story, from the top down; more about cost follows; health is folded."""
    assert [panel["title"] for panel in panels(dashboard) if panel["title"] in STORY] == STORY
    place = {panel["title"]: (panel["gridPos"]["y"], panel["gridPos"]["x"]) for panel in panels(dashboard)}
    assert sorted(STORY, key=place.__getitem__) == STORY
    rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
    assert [(row["title"], row["collapsed"]) for row in rows] == [("More about cost", False), ("Data health", True)]
    assert set(MORE) < set(place)
    assert min(place[title] for title in MORE) > max(place[title] for title in STORY)


def test_what_stands_at_the_top(dashboard: Json) -> None:
    """90 days, UTC, every 15 minutes, not editable, a fixed uid, no id, links, and the variables of the story."""
    assert dashboard["time"] == {"from": "now-90d", "to": "now"}
    assert (dashboard["timezone"], dashboard["refresh"], dashboard["editable"]) == ("utc", "15m", False)
    assert (dashboard["uid"], "id" in dashboard) == ("claude-usage", False)
    names = [one["name"] for one in dashboard["templating"]["list"]]
    assert {"datasource", "job", "instance", "model", "workspace", "user", "token_type"} < set(names)
    assert [link["title"] for link in dashboard["links"]] == ["Metrics", "Runbook"]
