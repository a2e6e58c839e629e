"""Chromium, and the page of an organisation whose 90 days were read."""

from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser

from exporter.demo.organization import Organization
from tests.page.browser import chromium
from tests.page.stage import Stage, stage
from tests.support import TODAY


@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    """Yield one Chromium for all tests of a module: while it runs, its event loop stops tests with one of their own."""
    with chromium() as started:
        yield started


@pytest.fixture(scope="module")
def full() -> Iterator[Stage]:
    """Yield the page of an organisation whose 90 days were read."""
    with stage(Organization(TODAY, people=24), simulated=True) as made:
        made.fill()
        yield made
