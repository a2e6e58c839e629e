"""What the how-to guides tell people to write and run."""

import re
import textwrap

import pytest
import yaml

from tests.stack.repository import ROOT, run

GUIDES = {path.stem: path.read_text("utf-8") for path in sorted((ROOT / "docs/how-to").glob("*.md"))}


def blocks(language: str) -> list[str]:
    """Return the fenced blocks of a language in all guides, without their indentation."""
    fence = re.compile(rf"^ *```{language}\n(.*?)^ *```$", re.MULTILINE | re.DOTALL)
    return [textwrap.dedent(text) for guide in GUIDES.values() for text in fence.findall(guide)]


@pytest.mark.parametrize("script", blocks("sh"))
def test_shellcheck_accepts_every_command(script: str) -> None:
    """Variables that the reader sets, such as $REGISTRY, count as set."""
    done = run("shellcheck", "--shell=sh", "--exclude=SC2154", "-", stdin=script)
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("text", blocks("yaml"))
def test_prometheus_accepts_every_scrape_configuration(text: str) -> None:
    """Every block is YAML. Scrapes are at most two minutes apart, because an instant value lives for five."""
    jobs = yaml.safe_load(text).get("scrape_configs")
    if jobs:
        done = run("promtool", "check", "config", "--syntax-only", "/dev/stdin", stdin=text)
        assert done.returncode == 0, done.stderr
        assert [(job["scrape_interval"], job["scrape_timeout"]) for job in jobs] == [("60s", "30s")]


@pytest.mark.parametrize("guide", GUIDES.values(), ids=GUIDES)
def test_files_that_a_guide_names_exist(guide: str) -> None:
    """Its links are checked in test_docs.py."""
    files = re.findall(r"\b((?:deploy|grafana|prometheus)/[\w./-]+\.(?:ya?ml|json|py|service))\b", guide)
    assert [file for file in files if not (ROOT / file).exists()] == []


def test_prometheus_accepts_every_query() -> None:
    """Each line of PromQL is valid. That its families exist is checked in test_docs.py."""
    queries = [line for text in blocks("promql") for line in text.splitlines()]
    rules = [{"record": f"query:{number}", "expr": query} for number, query in enumerate(queries)]
    done = run(
        "promtool", "check", "rules", "/dev/stdin", stdin=yaml.safe_dump({"groups": [{"name": "all", "rules": rules}]})
    )
    assert len(rules) >= 5
    assert done.returncode == 0, done.stderr
