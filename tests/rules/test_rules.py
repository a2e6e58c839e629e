"""The shipped rules: promtool accepts them, and nothing drifts between rules, catalogue and documents."""

import re
import subprocess
from pathlib import Path
from typing import Any

import pytest
import yaml

from exporter import reports, telemetry

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]  # promtool takes seconds, minutes on a busy machine

ROOT = Path(__file__).parents[2]
RULES = sorted((ROOT / "prometheus" / "rules").glob("*.yml"))
REPOSITORY = "https://github.com/anthropic-exporter/anthropic-exporter"

WAYS = ["compose", "systemd", "Kubernetes"]
RATED = re.compile(r"\b(?:rate|irate|increase|delta|deriv)\s*\((\w+)")
KEYWORDS = re.compile(r"\b(?:by|on|without|ignoring|group_left|group_right)\s*\(([^()]*)\)")
SELECTOR = re.compile(r"([a-zA-Z_][\w:]*)\{([^{}]*)\}")
NAME = re.compile(r"\b(?:anthropic_\w+|[a-z_]+:anthropic_\w+:\w+|anthropic:\w+:\w+)\b(?!:)")
LABEL = re.compile(r"(\w+)\s*(?:=~|!~|!=|=)")

FAMILIES = (*reports.FAMILIES, *telemetry.FAMILIES)
LABELS = {family.name: set(family.labels) | {"job", "instance"} for family in FAMILIES} | {"up": {"job", "instance"}}
MADE = {"weekday", "month_part", "period", "threshold", "actor_type"}
"""Labels that rules make, and those of families that a selector of a recorded series has."""


def rules() -> list[dict[str, Any]]:
    """Return all rules of all groups."""
    return [rule for file in RULES for group in yaml.safe_load(file.read_text())["groups"] for rule in group["rules"]]


def alerts() -> list[dict[str, Any]]:
    """Return the alerts; one that becomes critical after a while is there twice."""
    return [rule for rule in rules() if "alert" in rule]


def names() -> set[str]:
    """Return the names of the alerts."""
    return {alert["alert"] for alert in alerts()}


def expressions() -> dict[str, str]:
    """Return every expression of the rules and of the queries in their annotations, by rule."""
    found = {}
    for number, rule in enumerate(rules()):
        queries = re.findall(r'printf "((?:[^"\\]|\\.)*)" \$labels', str(rule.get("annotations", "")))
        name = f"{number} {rule.get('alert', rule.get('record'))}"
        found[name] = "\n".join([str(rule["expr"]), *(query.replace("%q", '""') for query in queries)])
    return found


def promql(document: str) -> list[str]:
    """Return the PromQL blocks of a document."""
    return re.findall(r"```promql\n(.*?)```", (ROOT / document).read_text(), re.DOTALL)


def table(document: str) -> list[list[str]]:
    """Return the rows of the tables of a document, without their headings."""
    lines = (ROOT / document).read_text().splitlines()
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines if line.startswith("|")]
    return [row for row in rows if not row[0].startswith("--") and row[0] not in {"alert", "threshold"}]


def run(*command: str | Path) -> subprocess.CompletedProcess[str]:
    """Run a command of Prometheus's and return what it printed, both streams together."""
    return subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)


def unknown(query: str) -> list[str]:
    """Return the names and labels of a query that neither the catalogue nor a recording rule knows."""
    records = {rule["record"] for rule in rules() if "record" in rule} | {"anthropic:threshold:override"}
    known = {label for labels in LABELS.values() for label in labels} | MADE
    strings = re.sub(r'"[^"]*"', '""', query)
    named = [name for name in NAME.findall(strings) if name not in LABELS and name not in records]
    listed = [label.strip() for group in KEYWORDS.findall(strings) for label in group.split(",") if label.strip()]
    wrong = [label for label in listed if label not in known]
    for name, matchers in SELECTOR.findall(strings):
        wrong += [f"{name}: {x}" for x in LABEL.findall(matchers) if x not in LABELS.get(name, known)]
    return named + wrong


def test_promtool_accepts_the_rules_and_the_configuration() -> None:
    """`promtool check` finds no fault in the rules, nor in the stack's prometheus.yml with them."""
    for done in (
        run("promtool", "check", "rules", *RULES),
        run("promtool", "check", "config", ROOT / "prometheus/prometheus.yml"),
    ):
        assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("alert", alerts(), ids=lambda alert: f"{alert['alert']} {alert['for']}")
def test_every_alert_is_complete(alert: dict[str, Any]) -> None:
    """It waits, it has a severity, and its annotations name the organisation and link to runbook and dashboard."""
    name, notes = alert["alert"], alert["annotations"]
    assert re.fullmatch(r"Anthropic([A-Z][a-z]+)+", name)
    assert alert["for"]
    assert set(alert["labels"]) == {"severity"}
    assert alert["labels"]["severity"] in {"critical", "warning", "info"}
    assert set(notes) == {"summary", "description", "runbook_url", "dashboard"}
    assert notes["runbook_url"] == f"{REPOSITORY}/blob/main/docs/runbook.md#{name.lower()}"
    assert notes["dashboard"].startswith("/d/claude-usage?from=now-")
    assert "abels.organization_name" in notes["description"]


def test_every_alert_has_its_entry_in_the_runbook() -> None:
    """The runbook has one heading for each alert and no other, each complete and for each way to run the exporter."""
    entries = (ROOT / "docs" / "runbook.md").read_text().split("\n## ")[1:]
    assert {entry.splitlines()[0] for entry in entries} == names()
    for entry in entries:
        assert re.findall(r"^\*\*(\w+)\.\*\*", entry, re.MULTILINE) == ["Meaning", "Check", "Fix", "Silence"], entry
        assert f"amtool silence add alertname={entry.splitlines()[0]} " in entry
        assert re.findall(r"^# (compose|systemd|Kubernetes)$", entry, re.MULTILINE)[:3] == WAYS


def test_the_table_of_alerts_is_that_of_the_rules() -> None:
    """docs/reference/alerts.md names each alert once, with its severity and its wait."""
    rows = [(row[0], row[1], row[2]) for row in table("docs/reference/alerts.md")]
    link = "[{0}](../runbook.md#{1})"
    assert sorted(rows) == sorted(
        (link.format(alert["alert"], alert["alert"].lower()), alert["labels"]["severity"], alert["for"])
        for alert in alerts()
    )


@pytest.mark.parametrize("rule", expressions())
def test_rules_name_only_what_is_there(rule: str) -> None:
    """Every metric is of the catalogue or recorded, every label is one that it has, and no gauge is rated."""
    expression = expressions()[rule]
    assert unknown(expression) == []
    assert all(name.endswith("_total") for name in RATED.findall(expression))


@pytest.mark.parametrize(
    "document", ["docs/runbook.md", "docs/how-to/change-thresholds.md", "docs/explanation/numbers.md"]
)
def test_queries_of_the_documents_name_only_what_is_there(document: str) -> None:
    """Every metric and label in their PromQL exists, and only counters are asked for their increase."""
    blocks = promql(document)
    assert blocks
    for block in blocks:
        assert unknown(block) == []
        for counted in re.findall(r"increase\((\w+)", block):
            assert counted in LABELS
            assert counted.endswith("_total")


@pytest.mark.parametrize(
    ("query", "wrong"),
    [
        ("sum by (dat) (anthropic_cost_usd)", ["dat"]),
        ('anthropic_costs_usd{model="x"}', ["anthropic_costs_usd"]),
        ('anthropic_cost_usd{report="x"}', ["anthropic_cost_usd: report"]),
        ("job_instance:anthropic_cost_usd:median", ["job_instance:anthropic_cost_usd:median"]),
        ('anthropic_up{report="cost"} == 1', []),
    ],
)
def test_an_unknown_name_is_seen(query: str, wrong: list[str]) -> None:
    """The check above sees a wrong metric, a wrong label, and one that another family has."""
    assert unknown(query) == wrong


def test_thresholds_are_used_and_documented() -> None:
    """Each threshold has a default that the how-to names with its value, and is read by a rule; no other is."""
    defaults = {
        rule["labels"]["threshold"]: float(rule["expr"].removeprefix("vector(").removesuffix(")"))
        for rule in rules()
        if rule.get("record") == "anthropic:threshold:default"
    }
    used = set(re.findall(r'anthropic:threshold:value\{threshold="(\w+)"\}', "\n".join(expressions().values())))
    documented = {row[0].strip("`"): float(row[1]) for row in table("docs/how-to/change-thresholds.md")}
    assert used == set(defaults)
    assert documented == defaults


def test_alerts_compare_with_thresholds_only() -> None:
    """No alert holds a number of its own but 0, 1 and 2: what one may want to change has a name."""
    for alert in alerts():
        code = re.sub(r'"[^"]*"|\[\w+\]', "", alert["expr"])
        assert set(re.findall(r"(?<![\w.])\d+(?:\.\d+)?", code)) <= {"0", "1", "2", "86400"}, alert["alert"]


def test_the_override_of_the_how_to_works(tmp_path: Path) -> None:
    """The file that the how-to shows is accepted, and names thresholds that exist."""
    found = re.search(r"```yaml\n(.*?)```", (ROOT / "docs/how-to/change-thresholds.md").read_text(), re.DOTALL)
    assert found
    file = tmp_path / "my-thresholds.yml"
    file.write_text("\n".join(line[3:] for line in found[1].splitlines()))
    assert run("promtool", "check", "rules", file).returncode == 0
    (group,) = yaml.safe_load(file.read_text())["groups"]
    known = {rule["labels"]["threshold"] for rule in rules() if rule.get("record") == "anthropic:threshold:default"}
    assert {rule["record"] for rule in group["rules"]} == {"anthropic:threshold:override"}
    assert {rule["labels"]["threshold"] for rule in group["rules"]} <= known


def test_recorded_names_say_their_level() -> None:
    """A recorded series is named level:metric:operation, and its level lists labels that it has."""
    for rule in rules():
        if record := rule.get("record"):
            assert re.fullmatch(r"[a-z_]+:[a-z_]+:[a-z_]+", record), record
