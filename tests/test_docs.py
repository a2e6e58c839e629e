"""The documents tell the truth: references equal the code, names exist, links lead somewhere."""

import re
import sys
from pathlib import Path

import pytest

from docs import generate
from exporter import reports, telemetry
from exporter.settings import described
from exporter.web.backfill import daily_name
from exporter.web.export import COLUMNS

ROOT = Path(__file__).parent.parent
DOCUMENTS = [*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md")]
EVERY = pytest.mark.parametrize("path", DOCUMENTS, ids=lambda path: str(path.relative_to(ROOT)))
SETTINGS = {row.name for row in described()}
FAMILY_NAMES = {family.name for family in (*reports.FAMILIES, *telemetry.FAMILIES)}
NO_SETTINGS = {"ANTHROPIC_API_KEY", "EXPORTER_PORT", "EXPORTER_SERVICE", "ANTHROPIC_API_BASE", "ANTHROPIC_API_VERSION"}
"""Names that documents may mention since the code or another exporter knows them, though they are no settings."""
OTHER_EXPORTERS = {
    "anthropic_billed_cost_usd",
    "anthropic_estimated_cost_usd",
    "anthropic_exporter_last_success_timestamp_seconds",
    "anthropic_exporter_poll_errors_total",
    "anthropic_exporter_up",
    "anthropic_monthly_billed_cost_usd",
    "anthropic_monthly_estimated_cost_usd",
    "anthropic_usage_tokens",
}
"""Families of alacava/claude-api-exporter, which docs/how-to/migrate.md names: its exporter.py at commit b97016b."""


def test_the_references_are_what_the_code_says(monkeypatch: pytest.MonkeyPatch) -> None:
    """`python -m docs.generate` would change nothing."""
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 0


def test_a_stale_reference_is_found(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """An old file and a missing one are named, and nothing is written; without `--check` both are."""
    monkeypatch.setattr(generate, "REFERENCE", tmp_path)
    (tmp_path / "metrics.md").write_text("old")
    monkeypatch.setattr(sys, "argv", ["generate", "--check"])
    assert generate.main() == 1
    assert [line.partition(" ")[0] for line in capsys.readouterr().err.splitlines()] == [
        "docs/reference/metrics.md",
        "docs/reference/settings.md",
        "docs/reference/report.schema.json",
    ]
    monkeypatch.setattr(sys, "argv", ["generate"])
    assert generate.main() == 0
    assert (tmp_path / "metrics.md").read_text() == generate.metrics()
    assert (tmp_path / "settings.md").read_text() == generate.settings()


def test_every_family_and_every_setting_is_in_its_reference() -> None:
    """No section of the generator leaves one out, and each is there once."""
    for names, text in ((FAMILY_NAMES, generate.metrics()), (SETTINGS, generate.settings())):
        assert sorted(re.findall(r"^\| `(\w+)`", text, re.MULTILINE)) == sorted(names)


def test_the_readme_names_every_setting() -> None:
    """With those that are only in a combined row."""
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    assert set(re.findall(r"`((?:ANTHROPIC|EXPORTER)_\w+)`", readme)) >= SETTINGS


def test_the_columns_of_the_files_are_documented() -> None:
    """In their order, one row for each file."""
    text = (ROOT / "docs/reference/http-api.md").read_text(encoding="utf-8")
    for name, columns in COLUMNS.items():
        assert f"| `{name}` | {', '.join(f'`{column}`' for column in columns)} |" in text


@EVERY
def test_every_setting_that_a_document_names_exists(path: Path) -> None:
    """A renamed setting is renamed everywhere."""
    named = set(re.findall(r"\b(?:ANTHROPIC|EXPORTER)_[A-Z_]*[A-Z]", path.read_text(encoding="utf-8")))
    assert named - SETTINGS - NO_SETTINGS == set()


@EVERY
def test_every_family_that_a_document_names_exists(path: Path) -> None:
    """In PromQL too. A name that ends in `_` or before a `*` or `.` is the beginning of several."""
    text = path.read_text(encoding="utf-8")
    daily = {daily_name(family.name) for family in reports.FAMILIES}
    for name, wild in re.findall(r"(?<![\w:/-])(anthropic_[a-z_]+)(\*|\.\.\.)?", text):
        known = (
            FAMILY_NAMES
            | daily
            | {f"{family}{end}" for family in FAMILY_NAMES for end in ("_bucket", "_sum", "_count")}
        )
        begins = any(one.startswith(name) for one in known) if wild or name.endswith("_") else name in known
        foreign = path.name == "migrate.md" and name in OTHER_EXPORTERS
        assert begins or foreign or name == "anthropic_admin_key", name


def test_every_document_is_in_the_index() -> None:
    """docs/README.md leads to each page for readers; decisions have an index of their own."""
    index = (ROOT / "docs/README.md").read_text(encoding="utf-8")
    linked = {(ROOT / "docs" / link).resolve() for link in re.findall(r"\]\(([^)#\s]+)", index)}
    pages = {path for path in (ROOT / "docs").rglob("*.md") if path.parent.name != "adr"} - {ROOT / "docs/README.md"}
    assert pages - linked == set()


@EVERY
def test_every_relative_link_leads_to_a_file(path: Path) -> None:
    """And its anchor to a heading, where it has one."""
    text = re.sub(r"```.*?```", "", path.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)\s]+)\)", text):
        if re.match(r"[a-z]+:", link):
            continue
        name, _, anchor = link.partition("#")
        target = (path.parent / name).resolve() if name else path
        assert target.exists(), link
        assert not anchor or anchor in anchors(target), link


def test_every_decision_has_a_status_with_a_date_and_is_listed() -> None:
    """And its number is that of its heading."""
    listed = (ROOT / "docs/adr/README.md").read_text(encoding="utf-8")
    for number, path in enumerate(sorted((ROOT / "docs/adr").glob("0*.md")), start=1):
        heading, status = path.read_text(encoding="utf-8").split("\n\n")[:2]
        assert path.name.startswith(f"{number:04}-")
        assert re.fullmatch(rf"# {number}\. .+", heading), path.name
        assert re.match(r"(Accepted|Superseded) on 20\d\d-\d\d-\d\d\.", status), path.name
        assert f"[{heading.partition('. ')[2]}]({path.name})" in listed


def anchors(path: Path) -> set[str]:
    """Return the anchors of a document's headings, as forges make them."""
    headings = re.findall(r"^#+ (.+)$", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}
