"""The tables of failures and threats: every fault has its row, and every test that a row names exists."""

import ast
import re
from pathlib import Path

import pytest

from tests.simulator.faults import KINDS

TESTS = Path(__file__).parents[1]
DOCS = TESTS.parent / "docs"
FAILURES, SECURITY = DOCS / "explanation" / "failures.md", DOCS / "SECURITY.md"


def rows(document: Path) -> list[list[str]]:
    """Return the cells of each row of a document's tables of four columns and more."""
    lines = [line.strip("|").split(" | ") for line in document.read_text().splitlines() if line.startswith("|")]
    wide = [cells for cells in lines if len(cells) > 3 and not set("".join(cells)) <= set("-|")]
    return [[cell.strip() for cell in cells] for cells in wide]


def names_in(path: Path) -> set[str]:
    """Return the names of the tests of a file."""
    tree = ast.parse(path.read_text())
    functions = (ast.FunctionDef, ast.AsyncFunctionDef)
    return {node.name for node in ast.walk(tree) if isinstance(node, functions) and node.name.startswith("test_")}


@pytest.mark.parametrize("document", [FAILURES, SECURITY], ids=lambda path: path.name)
def test_every_test_that_is_named_exists(document: Path) -> None:
    """Each row ends with a test: a file under tests/, and in most rows the name of a test in it."""
    body = [row for row in rows(document) if row[-1] != "Test"]
    assert len(body) > 20
    for row in body:
        named = re.fullmatch(r"`([\w/]+\.py)(?:::(test_\w+))?`", row[-1])
        assert named, row
        found = names_in(TESTS / named[1])
        assert named[2] in found if named[2] else found


def test_every_row_of_failures_names_one_test() -> None:
    """Six cells, none of them empty; the last one names a test and not only a file."""
    for row in rows(FAILURES):
        assert len(row) == 6, row
        assert all(row)
        assert row[-1] == "Test" or "::test_" in row[-1]


def test_every_fault_has_a_row() -> None:
    """Each kind of failure of the simulated API begins a row, and no other word in code font does."""
    first = [re.match(r"`(\w+)`", row[0]) for row in rows(FAILURES)]
    named = [found[1] for found in first if found]
    assert sorted(named) == sorted(KINDS)


OF_OTHERS = {"Object missing required field", "Permission denied", "cursor does not match", "Invalid date range"}
"""What msgspec, the system and the API say."""
VARIABLE = r"\.\.\.|[\d-]+|the body is|cost|directory|next_page|data\[\d\]\S*|HTTP|\w+_error|ReadTimeout"


def test_every_log_line_is_one_of_the_exporter() -> None:
    """Each part of a quoted line that does not vary is a text of the code."""
    trees = [ast.parse(path.read_text()) for path in (TESTS.parent / "exporter").rglob("*.py")]
    nodes = [node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Constant)]
    texts = [node.value for node in nodes if isinstance(node.value, str)]
    lines = [line for row in rows(FAILURES) for line in re.findall(r"`([^`]+)`", row[3])]
    parts = {part.strip(" .,:;()") for line in lines for part in re.split(VARIABLE, line)}
    assert len(parts) > 20
    assert {part for part in parts - OF_OTHERS if not any(part in text for text in texts)} == set()
