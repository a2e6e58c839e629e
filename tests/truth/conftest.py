"""The exporter in this process, on the event loop that it runs on in production."""

from functools import cache

import pytest

from exporter.demo.organization import Organization
from tests.support import TODAY, MovableTime


@cache
def _organization(people: int) -> Organization:
    return Organization(TODAY, people=people)


@pytest.fixture
def anyio_backend() -> tuple[str, dict[str, bool]]:
    """Run async tests on uvloop, as the exporter runs."""
    return "asyncio", {"use_uvloop": True}


@pytest.fixture
def time() -> MovableTime:
    """Return a clock that stands at a Friday afternoon."""
    return MovableTime()


@pytest.fixture
def organization() -> Organization:
    """Return an organisation of two dozen people, the same for all tests: do not restate it."""
    return _organization(24)


@pytest.fixture
def few() -> Organization:
    """Return an organisation of eight people that a test may change."""
    return Organization(TODAY, people=8)
