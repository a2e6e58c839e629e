"""What contract tests share: one TLS context, since each client would read the machine's certificates again."""

import ssl

import pytest

_CONTEXT = ssl.create_default_context()


@pytest.fixture(autouse=True)
def one_tls_context(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let every client use the same TLS context; none connects to anything."""
    monkeypatch.setattr(ssl, "create_default_context", lambda **_: _CONTEXT)
