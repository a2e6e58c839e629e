"""The health of each report in words, for the page."""

from datetime import UTC, date, datetime

from exporter.refresh.refresher import Refresher
from exporter.web.page import ReportStatus


def report_statuses(refresher: Refresher) -> list[ReportStatus]:
    """Return the health of each report as the page shows it now."""
    rows = []
    for report, published in refresher.published.health.items():
        state = refresher.health[report]
        success = None if published.last_success is None else datetime.fromtimestamp(published.last_success, UTC)
        rows.append(
            ReportStatus(
                name=report,
                state={None: _untried(success, refresher.published.window.last), True: "works", False: "fails"}[
                    published.up
                ],
                last_success=_moment(success),
                newest_date=str(published.newest_date or "none"),
                coverage=f"{published.days_read} of {published.days} days",
                error=f"{_moment(state.failed_at)}: {state.error}" if state.error else "none",
            )
        )
    return rows


def _untried(success: datetime | None, today: date) -> str:
    if success is None:
        return "not tried yet"
    return f"loaded from the store, last read {success:{'%H:%M' if success.date() == today else '%Y-%m-%d %H:%M'}} UTC"


def _moment(at: datetime | None) -> str:
    return f"{at:%Y-%m-%d %H:%M:%S} UTC" if at else "never"
