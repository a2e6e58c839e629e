"""Warn when the page has almost as many series as EXPORTER_MAX_SERIES_WARN allows, and when it has more.

Nothing is left out of the page.
"""

from collections.abc import Callable, Mapping

import structlog

PERCENT = (90, 100)
"""The parts of the limit that are warned of, each once it is exceeded."""
CLEARANCE = 10
"""How many percent of the limit the page must shrink below such a part before it is warned of again."""
LARGEST = 3
"""Families that the warning names."""
ADVICE = (
    "lower EXPORTER_WINDOW_DAYS or EXPORTER_MAX_USERS, set EXPORTER_USER_LABEL=none, or drop families with "
    "metric_relabel_configs: docs/explanation/scaling.md"
)
log = structlog.get_logger()


class SeriesWarning:
    """Logs once when the page exceeds each part of the limit, and again after it was smaller; never at each page."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._exceeded = 0

    def published(self, series: int, by_family: Callable[[], Mapping[str, int]]) -> None:
        """Note the series of a page. `by_family` is called only for a warning: counting takes a while."""
        before, self._exceeded = self._exceeded, exceeded(series, self._limit, self._exceeded)
        if self._exceeded > before:
            over = self._exceeded == len(PERCENT)
            event = f"page has {'more series than' if over else 'almost as many series as'} EXPORTER_MAX_SERIES_WARN"
            log.warning(event, series=series, limit=self._limit, largest=largest(by_family()), advice=ADVICE)


def exceeded(series: int, limit: int, before: int) -> int:
    """Return how many of the parts a page exceeds; those exceeded `before` count until it is clearly smaller."""
    parts = [part - CLEARANCE if number < before else part for number, part in enumerate(PERCENT)]
    return sum(100 * series > part * limit for part in parts)


def largest(by_family: Mapping[str, int]) -> str:
    """Return the families with the most series, such as `anthropic_tokens 900, anthropic_requests 90`."""
    ordered = sorted(by_family.items(), key=lambda item: (-item[1], item[0]))
    return ", ".join(f"{name} {series}" for name, series in ordered[:LARGEST])
