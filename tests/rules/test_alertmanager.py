"""The Alertmanager example: amtool accepts it, and each alert reaches whom its severity says."""

import subprocess
from pathlib import Path

import pytest
import yaml

pytestmark = pytest.mark.integration

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "prometheus" / "alertmanager.example.yml"
RECEIVERS = {"critical": "on-call", "warning": "team", "info": "digest"}


def severities() -> dict[str, str]:
    """Return the severity of each shipped alert."""
    return {
        rule["alert"]: rule["labels"]["severity"]
        for file in (ROOT / "prometheus" / "rules").glob("alerts-*.yml")
        for group in yaml.safe_load(file.read_text())["groups"]
        for rule in group["rules"]
    }


def route(**labels: str) -> str:
    """Return the receiver that amtool finds for an alert with these labels."""
    pairs = [f"{name}={value}" for name, value in labels.items()]
    command = ["amtool", "config", "routes", "test", f"--config.file={EXAMPLE}", *pairs]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()


def test_amtool_accepts_the_example() -> None:
    """`amtool check-config` finds no fault."""
    done = subprocess.run(["amtool", "check-config", EXAMPLE], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize(("name", "severity"), sorted(severities().items()))
def test_severity_decides_who_hears(name: str, severity: str) -> None:
    """Critical alerts go on call, warnings to the team, the rest into the digest."""
    assert route(alertname=name, severity=severity, job="claude", instance="a:10918") == RECEIVERS[severity]


def test_other_alerts_are_left_alone() -> None:
    """A critical alert of something else does not take the way of ours."""
    assert route(alertname="NodeDown", severity="critical") == "team"


def test_inhibitions_name_alerts_that_exist() -> None:
    """Every alert that an inhibition or a mute time names is one of the rules."""
    text = EXAMPLE.read_text()
    named = {name for name in severities() if name in text}
    assert named == {"AnthropicUpstreamStalled", "AnthropicAdoptionDrop", "AnthropicNobodyActive"}
    assert text.count("AnthropicAdoptionDrop|AnthropicNobodyActive") == 2
