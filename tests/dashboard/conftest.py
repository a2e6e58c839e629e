"""What the tests of the dashboard share: one world and one bundle of Grafana's libraries for all of them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.dashboard import library
from tests.dashboard.asking import Json
from tests.dashboard.world import DASHBOARD, World
from tests.dashboard.world import world as make_world


@pytest.fixture(scope="session")
def dashboard() -> Json:
    """Return the committed dashboard."""
    return DASHBOARD


@pytest.fixture(scope="session")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Yield a Prometheus that has scraped the exporter of the simulated organisation, and its truth."""
    library.require(program="prometheus")
    with make_world(tmp_path_factory.mktemp("world")) as made:
        yield made


@pytest.fixture(scope="session")
def proof(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the bundled proof, or skip where Node is missing."""
    library.require(node=True)
    return library.bundle_for_node("proof.mjs", tmp_path_factory.mktemp("proof"))
