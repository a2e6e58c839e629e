"""The shipped rules in every situation of situations.py, in Prometheus's own rule engine."""

import os
import shutil
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.rules.replay import RULES, Firing, described, run
from tests.rules.situations import ALL, CACHE, DOWN, FAILING, SPEND, WORKSPACE, Situation, at

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

BY_NAME = {situation.name: situation for situation in ALL}


@pytest.fixture(scope="module")
def firings() -> Mapping[str, list[Firing]]:
    """Return what fires in each situation: promtool takes a second for each, so they share the cores."""
    with ThreadPoolExecutor(os.cpu_count()) as threads:
        return dict(zip(BY_NAME, threads.map(lambda one: run(one.replay), BY_NAME.values()), strict=True))


@pytest.mark.parametrize("name", BY_NAME)
def test_what_fires_and_what_is_silent(firings: Mapping[str, list[Firing]], name: str) -> None:
    """Each expected alert begins once and in time, and no other begins."""
    assert faults(BY_NAME[name], firings[name]) == []


@pytest.mark.parametrize(
    ("name", "alert", "now", "description", "link"),
    [
        (
            "50k to 95k",
            SPEND,
            "11-12T00",
            (
                "Acme paid 94,441 dollars on 2026-11-10 (UTC); before these seven days, a usual day cost 52,257;"
                " before the last three weeks, 52,257."
            ),
            "from=now-30d&to=now&var-organization=Acme",
        ),
        (
            "a new organisation, 50 to 5,000",
            SPEND,
            "11-13T12",
            "Acme paid 5,000 dollars on 2026-11-12 (UTC); there is no older day to compare with.",
            "from=now-30d&to=now&var-organization=Acme",
        ),
        (
            "a workspace at 20 times in a large organisation",
            WORKSPACE,
            "11-14T12",
            (
                "Workspace The small of Acme cost 6,000 dollars on 2026-11-13 (UTC); before these seven days, a usual"
                " day cost 300; before the last three weeks, 300."
            ),
            "from=now-30d&to=now&var-organization=Acme&var-workspace=The+small",
        ),
        (
            "its target is gone",
            DOWN,
            "11-13T12",
            (
                "claude has no target any more. Until it is back, no other alert about Acme can begin. Nothing is lost:"
                " the days that it misses are read later."
            ),
            "from=now-30d&to=now&var-organization=Acme",
        ),
        (
            "rate limited for long",
            FAILING,
            "11-12T06",
            (
                "The report cost of Acme was last read 5h 0m 0s ago, reason: throttled."
                " Seen by anthropic-exporter, a:10918."
            ),
            "from=now-7d&to=now&var-organization=Acme",
        ),
        (
            "an API key expires",
            "AnthropicApiKeyExpires",
            "11-20T00",
            "The API key ci (apikey_1) of Acme expires in 11d 0h 0m 0s. What uses it then gets 401.",
            "from=now-30d&to=now&var-organization=Acme",
        ),
        (
            "the cache is not read any more",
            CACHE,
            "11-14T12",
            (
                "For 4 busy days Acme has read less than 50% of the usual share of its input from the prompt cache:"
                " on the last of them 10%, usually 90%. Input that is not read from the cache costs up to ten times as"
                " much."
            ),
            "from=now-30d&to=now&var-organization=Acme",
        ),
    ],
)
def test_what_an_alert_says(name: str, alert: str, now: str, description: str, link: str) -> None:
    """The description names organisation, day and numbers, and the link opens the dashboard at them."""
    notes = described(BY_NAME[name].replay, alert, at(now))
    assert notes["description"] == description
    assert notes["dashboard"] == f"/d/claude-usage?{link}"


@pytest.mark.parametrize(
    ("name", "file", "old", "new"),
    [
        ("a spike with half a day of lag", "thresholds.yml", "vector(1.5)", "vector(4)"),
        ("a third spike after two others", "thresholds.yml", "vector(5)", "vector(2)"),
        ("a Sunday at a weekday's level", "thresholds.yml", "vector(0.4)", "vector(1)"),
        (
            "two organisations, of which one has a spike",
            "alerts-spend.yml",
            "group_left (organization_id)",
            "group_left ()",
        ),
        (
            "an archived API key expires, or one that has expired is listed still",
            "alerts-exporter.yml",
            'anthropic_api_key_info{status="active"}',
            "anthropic_api_key_info",
        ),
        ("Christmas without the cache", "alerts-cache.yml", "(0.75, ", "(0, "),
        (
            "new work that does not cache",
            "alerts-cache.yml",
            "max by (organization_id, date) (\n            label_replace(",
            "min by (organization_id, date) (\n            label_replace(",
        ),
        ("a new organisation stops caching", "thresholds.yml", "vector(14)", "vector(4)"),
        ("a small organisation stops caching", "thresholds.yml", "vector(10000000)", "vector(1000)"),
        ("two days without the cache", "thresholds.yml", "vector(3)", "vector(2)"),
        ("an organisation that caches little stops", "thresholds.yml", "vector(0.2)", "vector(0)"),
        ("the job is renamed", "alerts-exporter.yml", "unless on (organization_id) anthropic_organization_info", ""),
    ],
)
def test_the_situations_can_fail(tmp_path: Path, name: str, file: str, old: str, new: str) -> None:
    """Other thresholds, a lower rank, no weekly rhythm, organisations that mix and a lost condition are each seen."""
    shutil.copytree(RULES, tmp_path / "rules")
    broken = tmp_path / "rules" / file
    assert old in broken.read_text()
    broken.write_text(broken.read_text().replace(old, new))
    assert faults(BY_NAME[name], run(BY_NAME[name].replay, tmp_path / "rules"))


def test_every_alert_has_a_situation_in_which_it_fires() -> None:
    """No alert is only ever silent."""
    text = "".join(file.read_text() for file in RULES.glob("alerts-*.yml"))
    assert all(f"alert: {name}\n" in text for one in ALL for name in one.begins)
    assert {name for one in ALL for name in one.begins} == {
        line.split()[-1] for line in text.splitlines() if "- alert:" in line
    }


def faults(situation: Situation, firings: list[Firing]) -> list[str]:
    """Return what is otherwise than expected. ExporterDown may begin again: each outage is one."""
    found = [f"{name} is silent" for name in situation.begins if name not in {one.alert for one in firings}]
    for one in firings:
        first, last = situation.begins.get(one.alert, ("", ""))
        if not first <= str(one.first.date()) <= last:
            found.append(f"{one.alert} begins {one.first} {one.labels}")
        elif one.times > 1 and one.alert != DOWN:
            found.append(f"{one.alert} begins {one.times} times, the last ends {one.last}")
    return found
