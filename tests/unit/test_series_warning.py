"""The warning before the page has more series than EXPORTER_MAX_SERIES_WARN."""

import pytest
from structlog.testing import capture_logs
from structlog.typing import EventDict

from exporter.refresh.series_warning import SeriesWarning, largest

FAMILIES = {"anthropic_up": 4, "anthropic_tokens": 500, "anthropic_cost_usd": 300, "anthropic_requests": 300}
ALMOST = "page has almost as many series as EXPORTER_MAX_SERIES_WARN"
MORE = "page has more series than EXPORTER_MAX_SERIES_WARN"


def warned(*pages: int) -> list[EventDict]:
    """Return the log lines after pages with so many series each, and a limit of 1000."""
    warning = SeriesWarning(1000)
    with capture_logs() as lines:
        for series in pages:
            warning.published(series, lambda: FAMILIES)
    return lines


def test_a_warning_has_the_number_and_what_to_do() -> None:
    """The series, the limit, the three largest families, the settings to change, and where more is written."""
    (line,) = warned(1104)
    assert (line["event"], line["log_level"], line["series"], line["limit"]) == (MORE, "warning", 1104, 1000)
    assert line["largest"] == "anthropic_tokens 500, anthropic_cost_usd 300, anthropic_requests 300"
    for name in ("EXPORTER_WINDOW_DAYS", "EXPORTER_MAX_USERS", "EXPORTER_USER_LABEL", "metric_relabel_configs"):
        assert name in line["advice"]


@pytest.mark.parametrize(
    ("pages", "events"),
    [
        ((0, 899, 900), []),
        ((901, 950, 1000), [ALMOST]),
        ((1001, 1002, 5000), [MORE]),
        ((950, 1001, 999, 1001), [ALMOST, MORE]),
        ((1001, 901, 1001), [MORE]),
        ((1001, 900, 950, 1001), [MORE, MORE]),
        ((1001, 850, 950, 850), [MORE]),
        ((1001, 800, 950, 1001), [MORE, ALMOST, MORE]),
        ((950, 850, 950, 800, 950), [ALMOST, ALMOST]),
    ],
    ids=str,
)
def test_once_before_and_once_after_the_limit(pages: tuple[int, ...], events: list[str]) -> None:
    """Above 90 % and above 100 %, however many pages follow; again after the page was 10 % of the limit below that."""
    assert [line["event"] for line in warned(*pages)] == events


def test_families_are_counted_only_for_a_warning() -> None:
    """Counting takes a while, so the pages between two warnings do without."""
    warning, counted = SeriesWarning(10), []
    for series in (1, 8, 11, 12):
        warning.published(series, lambda: counted.append(series) or {})  # noqa: B023 - called at once
    assert counted == [11]


def test_fewer_families_than_are_named() -> None:
    """A page of one family, or none, has a warning too."""
    assert largest({"anthropic_tokens": 2}) == "anthropic_tokens 2"
    assert largest({}) == ""
