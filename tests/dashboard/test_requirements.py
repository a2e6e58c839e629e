"""What the proof does on a machine that lacks a program."""

import pytest

from tests.dashboard.library import require


def test_missing_in_ci(monkeypatch: pytest.MonkeyPatch) -> None:
    """In CI a missing program is a failure that names it: the proof must run there."""
    monkeypatch.setenv("CI", "true")
    with pytest.raises(pytest.fail.Exception, match="needs `no-such-program`"):
        require(program="no-such-program")


def test_missing_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """Elsewhere the tests are skipped, with the same reason."""
    monkeypatch.delenv("CI", raising=False)
    with pytest.raises(pytest.skip.Exception, match="needs `no-such-program`, and `npm ci`"):
        require(program="no-such-program", node=True)
