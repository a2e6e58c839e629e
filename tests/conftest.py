"""What every test has: an empty environment, no network but loopback, asyncio, and examples that do not change.

Time is an argument everywhere: no test sleeps, and none reads the clock.
"""

import os
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

LOOPBACK = "127.0.0.1,::1,localhost"
_SCRUBBED = ("ANTHROPIC_", "EXPORTER_", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY")

settings.register_profile(
    "same-every-time",
    derandomize=True,
    database=None,
    deadline=None,
    max_examples=30,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
settings.register_profile(
    "search", parent=settings.get_profile("same-every-time"), derandomize=False, max_examples=2000
)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "same-every-time"))


@pytest.hookimpl(tryfirst=True)
def pytest_configure(config: pytest.Config) -> None:
    """Let tests connect to this machine only: pytest-socket reads these options after us."""
    config.option.allow_hosts = config.option.allow_hosts or LOOPBACK
    config.option.allow_unix_socket = True


@pytest.fixture(autouse=True)
def scrubbed_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Take away what the machine's own environment would change: settings, keys, proxies."""
    for name in list(os.environ):
        if name.upper().startswith(_SCRUBBED):
            monkeypatch.delenv(name)


@pytest.fixture
def anyio_backend() -> str:
    """Run async tests on asyncio, as the exporter runs."""
    return "asyncio"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in an empty folder: no `.env` and no data of this machine."""
    monkeypatch.chdir(tmp_path)
    return tmp_path
