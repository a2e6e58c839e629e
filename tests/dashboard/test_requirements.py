"""What the proof does on a machine that lacks a program."""

import pytest

from tests.dashboard.library import require


@pytest.mark.parametrize(("ci", "outcome"), [("true", pytest.fail.Exception), ("", pytest.skip.Exception)])
def test_a_missing_program(monkeypatch: pytest.MonkeyPatch, ci: str, outcome: type[BaseException]) -> None:
    """In CI a missing program is a failure that names it, since the proof must run there; elsewhere a skip."""
    monkeypatch.setenv("CI", ci)
    with pytest.raises(outcome, match="needs no-such-program"):
        require("no-such-program")
