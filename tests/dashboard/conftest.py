"""What the tests of the dashboard share: the worlds, and one bundle of Grafana's libraries for all of them."""

from collections.abc import Iterator
from contextlib import contextmanager

import pytest

from tests.dashboard import library, world
from tests.dashboard.history import History
from tests.dashboard.library import Grafana
from tests.dashboard.servers import prometheus, victoria_metrics
from tests.dashboard.world import Pages

SERVERS = {"prometheus": prometheus, "victoria-metrics": victoria_metrics}


@pytest.fixture(scope="session")
def pages() -> Pages:
    """Return the pages of the exporters of which the worlds are made."""
    return world.pages()


@pytest.fixture(scope="session")
def grafana(tmp_path_factory: pytest.TempPathFactory) -> Grafana:
    """Return the stand-in for a Grafana server, or skip where Node is missing."""
    library.require("node")
    return Grafana(library.bundle_for_node(tmp_path_factory.mktemp("grafana")), world.NOW)


class Databases:
    """Starts databases that hold a history, each in its own folder."""

    def __init__(self, folders: pytest.TempPathFactory) -> None:
        self._folders = folders

    @contextmanager
    def __call__(self, name: str, history: History) -> Iterator[str]:
        """Yield the URL of a database of this name; skip where it is not installed."""
        library.require(name)
        with SERVERS[name](self._folders.mktemp(name), history) as url:
            yield url


@pytest.fixture(scope="session")
def databases(tmp_path_factory: pytest.TempPathFactory) -> Databases:
    """Return what starts databases."""
    return Databases(tmp_path_factory)


@pytest.fixture(scope="session")
def url(pages: Pages, databases: Databases) -> Iterator[str]:
    """Yield the URL of a Prometheus that has scraped the exporters of two organisations for ten seconds."""
    with databases("prometheus", world.two_organizations(pages)) as found:
        yield found


@pytest.fixture(scope="session")
def victoria(pages: Pages, databases: Databases) -> Iterator[str]:
    """Yield the URL of a VictoriaMetrics that has done the same."""
    with databases("victoria-metrics", world.two_organizations(pages)) as found:
        yield found
