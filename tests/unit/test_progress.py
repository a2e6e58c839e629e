"""The lines about the first fill."""

from structlog.testing import capture_logs

from exporter.refresh.progress import FillProgress
from exporter.reports.health import ReportHealth
from tests.support import MovableTime


def lines_of(*pages: tuple[float, tuple[int, int]]) -> list[str]:
    """Return the lines after pages with so many of 90 days of two reports, each so many seconds after the last."""
    time = MovableTime()
    progress = FillProgress(time.clock)
    with capture_logs() as lines:
        for seconds, read in pages:
            time.advance(seconds)
            progress.published([ReportHealth(None, None, None, days, 90, "x") for days in read])
    return [line["event"] for line in lines]


def test_a_fill_is_logged_every_few_seconds_and_at_its_end() -> None:
    """The report that has the fewest days counts; what does not move gives no line; a new day is not a fill."""
    pages = [(0, (0, 0)), (1, (1, 90)), (5, (45, 90)), (1, (46, 90)), (50, (45, 90)), (36, (90, 90)), (9, (89, 89))]
    assert lines_of(*pages, (9, (90, 90))) == ["fill 45/90", "fill complete in 93 s"]


def test_a_complete_store_is_no_fill() -> None:
    """Nothing is logged."""
    assert lines_of((0, (90, 90)), (9, (89, 90)), (9, (90, 90))) == []
