"""Kills the real program at random moments of a fill, and looks at what it left: for the tests and for `make soak`."""

import threading
from collections.abc import Mapping
from contextlib import closing
from datetime import date
from pathlib import Path
from random import Random
from time import monotonic
from typing import NamedTuple
from urllib.parse import parse_qs

from exporter.days.ledger import Ledger
from exporter.days.store import Store
from exporter.model import Window
from exporter.reports import listings, reports
from tests.integration.processes import Upstream, environment, forked, wait_for
from tests.oracle import Samples, scrape_samples
from tests.support import REPORTS, of_report

WINDOW_DAYS = 20
LONGEST_FILL = 0.6
"""Seconds after which a fill that makes no more requests is killed."""
UNDER_WAY = 2
"""Days that may be lost by a kill: one that is asked for, one that is being written."""


class Figures(NamedTuple):
    """What a run of kills did: kills, folders filled to the end, days found on disk after them, days asked for."""

    kills: int
    filled: int
    days_found: int
    days_asked_for: int


def kill_at_random(api: Upstream, folder: Path, *, kills: int, seed: int) -> Figures:
    """Kill the program so often, each time at another moment of a fill; after each check what is on disk.

    A folder is used again until it is full, then a new one is begun. Raises AssertionError for a store that does not
    open, a day that is half there, or a number that is not the organisation's.
    """
    random, truth = Random(seed), api.expected()  # noqa: S311 - moments, not secrets
    environ = environment(api.url, exporter_window_days=api.window_days)
    folders = filled = found = asked_for = 0
    for _ in range(kills):
        home = folder / str(folders)
        asked = _killed(api, home, environ, random.randint(1, api.window_days))
        days = complete_days(home / "data", api, truth)
        lost = [day for day in asked if ("claude_code", day) not in days]
        assert len(lost) <= UNDER_WAY, lost
        asked_for += len(asked)
        found += len(days)
        if len(days) == len(REPORTS) * api.window_days:
            filled, folders = filled + 1, folders + 1
    return Figures(kills, filled, found, asked_for)


def _killed(api: Upstream, home: Path, environ: Mapping[str, str], requests: int) -> list[date]:
    """Kill the program after so many requests, or when it has made fewer and is done; return the days it requested."""
    log = api.app.state.log
    log.clear()
    with forked(home, environ, "serve") as running:
        wait_for(lambda: log or running.process.poll() is not None, 60, "a first request")
        begun, pause = monotonic(), threading.Event()
        while len(log) < requests and monotonic() - begun < LONGEST_FILL and not pause.wait(0.0005):
            pass
        assert running.process.poll() is None, running.log
    return [date.fromisoformat(parse_qs(entry.query)["starting_at"][0]) for entry in log.to("claude_code")]


def complete_days(data: Path, api: Upstream, truth: Samples) -> set[tuple[str, date]]:
    """Return the days on disk, after checking that each is whole and right, and that nothing else is shown."""
    with closing(Store(data)) as store:
        ledger = Ledger(store, reports(), listings())
        window = Window(api.now.date(), api.window_days)
        page = ledger.publish(window, dict.fromkeys(ledger.reports)).page
        shown = scrape_samples(page.body.decode())
        kept = {(report, day) for report in ledger.reports for day in store.entries(report)}
    for report in ledger.reports:
        expected = {key: value for key, value in of_report(truth, report).items() if _day(key)}
        there = {key: value for key, value in of_report(shown, report).items() if _day(key)}
        wanted = {key: value for key, value in expected.items() if (report, _day(key)) in kept}
        assert there.keys() == wanted.keys()
        assert {key: float(value) for key, value in there.items()} == {key: float(v) for key, v in wanted.items()}
    return kept


def _day(key: tuple[str, frozenset[tuple[str, str]]]) -> date | None:
    text = dict(key[1]).get("date")
    return date.fromisoformat(text) if text else None
