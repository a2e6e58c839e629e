"""Chromium, and the page of an organisation whose 90 days were read."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from exporter.demo.organization import Organization
from tests.page.browser import chromium
from tests.page.stage import Stage, stage
from tests.support import TODAY


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    """Yield one Chromium for all tests."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def full() -> Iterator[Stage]:
    """Yield the page of an organisation whose 90 days were read."""
    with stage(Organization(TODAY, people=24), simulated=True) as made:
        made.fill()
        yield made
