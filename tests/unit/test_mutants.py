"""The mutation testing tool: which changes it makes, and that its table of modules is up to date."""

import pytest

from tools.mutants import MODULES, ROOT, mutants


@pytest.mark.parametrize(
    ("statement", "changes"),
    [
        ("if a < 1: go()", ["if a <= 1:", "if a < 2:", "pass"]),
        ("return not a and b != 'x'", ["return None", "a or", "return a and", "b == 'x'", "b != ''"]),
        ("if a: raise b", ["if not a:", "pass"]),
        ("a += 1", ["pass", "a -= 1", "a += 2"]),
        ("a.b: int = c - f'{d + 1}'", ["c + f", "{d - 1}", "{d + 2}"]),
        ("while True: break", ["while False:", "continue"]),
        ("'A docstring.'", []),
        ("a: Literal['x'] = b", []),
        ("return False", ["return True"]),
    ],
)
def test_each_change_is_one_mutant(statement: str, changes: list[str]) -> None:
    """Comparisons, operators, conditions, constants, return values and whole statements; no types, no docstrings."""
    found = [mutant.source for mutant in mutants("module.py", f"def f():\n    {statement}")]
    assert len(found) == len(changes)
    assert [change for change in changes if not any(change in source for source in found)] == []


def test_the_modules_and_their_tests_exist() -> None:
    """A renamed module or test is renamed in the table too."""
    paths = [*MODULES, *(path for tests in MODULES.values() for path in tests)]
    assert [path for path in paths if not (ROOT / path).exists()] == []
