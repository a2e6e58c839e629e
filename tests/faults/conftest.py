"""The exporter in this process, on the event loop that it runs on in production."""

import pytest


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests on uvloop, as the exporter runs."""
    return "asyncio", {"use_uvloop": True}
