"""A small world for the proof: the simulated organisation, its API and truth, the exporter, and a Prometheus.

The organisation's clock stands still, so that its truth does not change under the tests. The exporter and Prometheus
are real processes, and run by the real clock.
"""

import json
import os
import re
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path

from exporter.demo.api import create_api
from exporter.demo.organization import Organization
from exporter.demo.server import serve_in_thread
from tests.dashboard.asking import Json, Picked, Prometheus, with_as_of
from tests.dashboard.expected import Samples, Truth, chosen_days
from tests.dashboard.servers import prometheus, running
from tests.oracle import expected_samples

ROOT = Path(__file__).parents[2]
DASHBOARD: Json = json.loads((ROOT / "grafana" / "dashboards" / "claude-usage.json").read_text(encoding="utf-8"))

_KEY = "sk-ant-admin01-simulated"
_ADDRESS = re.compile(r"msg=listening address=http://(\S+)")
_SERVE = [sys.executable, "-m", "exporter", "serve"]
_COMPLETE = "count(anthropic_report_coverage_ratio == 1)"
_PATIENCE = timedelta(seconds=90)


@dataclass(frozen=True)
class World:
    """What was built, and the moment (UTC) at which it was complete."""

    samples: Samples
    prometheus: Prometheus
    now: datetime

    def pick(self, first: int, last: int = 0) -> Picked:
        """Return the picker's range from `first` to `last` days ago, with the dashboard's hidden variables found."""
        picked = Picked(self.now - timedelta(days=first), self.now - timedelta(days=last))
        return with_as_of(DASHBOARD, picked, self.prometheus)

    def truth(self, picked: Picked) -> Truth:
        """Return what is true of the days that were picked."""
        return Truth(self.samples, chosen_days(self.samples, picked))


@contextmanager
def world(folder: Path) -> Iterator[World]:
    """Yield a world whose processes keep their data in `folder`. It is made anew when midnight (UTC) comes between."""
    while True:
        began = datetime.now(UTC)
        with _made(folder / f"{began:%Y-%m-%d}", began) as made:
            if made.now.date() == began.date():
                yield made
                return


@contextmanager
def _made(folder: Path, began: datetime) -> Iterator[World]:
    folder.mkdir()
    organization = Organization(began.date())
    api = create_api(organization, now=lambda: began, key=_KEY)
    with (
        serve_in_thread(api) as api_url,
        running(_SERVE, _ADDRESS, env=_settings(api_url), cwd=folder) as address,
        prometheus(folder, address) as asked,
    ):
        samples = expected_samples(organization, began)
        yield World(samples, asked, _complete(asked))


def _settings(api_url: str) -> dict[str, str]:
    """Return the environment of the exporter: nothing of the developer's own settings."""
    inherited = {name: value for name, value in os.environ.items() if not name.startswith(("EXPORTER_", "ANTHROPIC_"))}
    return {
        **inherited,
        "PYTHONPATH": str(ROOT),
        "ANTHROPIC_ADMIN_KEY": _KEY,
        "ANTHROPIC_BASE_URL": api_url,
        "EXPORTER_LISTEN_ADDRESS": "127.0.0.1:0",
        "EXPORTER_DATA_DIR": "data",
        "EXPORTER_REQUESTS_PER_MINUTE": "6000",
    }


def _complete(asked: Prometheus) -> datetime:
    """Return the moment at which Prometheus has a page with every day of both reports."""
    begin, pause = datetime.now(UTC), threading.Event()
    while (now := datetime.now(UTC)) < begin + _PATIENCE:
        result = asked.instant(_COMPLETE, now)["result"]
        if result and result[0]["value"][1] == "2":
            return now
        pause.wait(0.2)
    raise AssertionError(f"no complete page within {_PATIENCE}")
