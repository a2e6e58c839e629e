"""The section on the tokens of the whole API in Chromium, against an oracle."""

from datetime import date

import pytest
from playwright.sync_api import Browser

from exporter.demo.organization import Organization
from tests.page.browser import Watched, missing, opened
from tests.page.expected_tokens import tables
from tests.page.stage import Stage, stage
from tests.page.test_page import MODELS, query
from tests.support import DAY, TODAY

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(missing()), reason=missing())]
TITLE = "Tokens of the Whole API"
NOT_FOR_KEY = "Not shown: the exporter's key may not read the API's usage report."


def days(first: date, last: date) -> list[date]:
    """Return all days from one to another, both included."""
    return [first + DAY * number for number in range((last - first).days + 1)]


def shown_tables(shown: Watched) -> dict[str, list[list[str]]]:
    """Return the rows of the section's tables without their head, by caption."""
    found = shown.section(TITLE).locator("table").all()
    rows = [[row.locator("th, td").all_text_contents() for row in table.locator("tr").all()][1:] for table in found]
    return dict(zip([table.locator("caption").inner_text() for table in found], rows, strict=True))


@pytest.mark.parametrize("scripts", [True, False])
@pytest.mark.parametrize(
    ("first", "last", "models"),
    [
        (TODAY - 89 * DAY, TODAY, ()),
        (TODAY - 6 * DAY, TODAY, MODELS),
        (date(2026, 10, 1), date(2026, 10, 1), ()),
        (TODAY - 80 * DAY, TODAY - 60 * DAY, ("claude-opus-5",)),
    ],
)
def test_the_tables_are_the_organisations(
    browser: Browser, full: Stage, first: date, last: date, models: tuple[str, ...], *, scripts: bool
) -> None:
    """Tokens by model, workspace, tier and key, shares and savings are the oracle's, with and without scripts."""
    with opened(browser, full.url, scripts=scripts) as shown:
        shown.page.goto(f"{full.url}/{query(first, last, *models)}")
        expected = tables(full.organization, full.time.now(), days(first, last), models)
        assert shown_tables(shown) == expected
        *_, share, saved = expected["Tokens by model"][-1]
        assert f"{share} of the input read from the cache {saved} saved by caching" in shown.tile(TITLE)


def test_it_follows_what_is_chosen(browser: Browser, full: Stage) -> None:
    """Another range changes the tables without loading the page again."""
    with opened(browser, full.url) as shown:
        shown.open().page.get_by_role("link", name="7 days").click()
        shown.drawn()
        week = days(TODAY - 6 * DAY, TODAY)
        assert shown_tables(shown) == tables(full.organization, full.time.now(), week)


def test_it_is_not_for_this_key(browser: Browser) -> None:
    """One sentence says so, and no token is shown as zero; once the key may read it the tokens are there."""
    organization = Organization(TODAY, people=8)
    with stage(organization, exporter_window_days=7) as private, opened(browser, private.url) as shown:
        private.api.faults.add(kind="403", path="messages")
        private.fill()
        shown.open()
        assert shown.tile(TITLE) == f"{TITLE} {NOT_FOR_KEY}"
        assert shown.text("#range").endswith("all reports work")
        assert shown.barriers() == []
        private.api.faults.clear()
        private.time.advance(3700)
        private.fill()
        shown.open()
        assert shown_tables(shown) == tables(organization, private.time.now(), days(TODAY - 6 * DAY, TODAY))


def test_names_of_keys_are_not_shown(browser: Browser) -> None:
    """With EXPORTER_USER_LABEL=none a key goes by its id: people name keys after themselves."""
    people = Organization(TODAY, people=3)
    private_page = stage(people, exporter_window_days=1, exporter_user_label="none")
    with private_page as private, opened(browser, private.url) as shown:
        private.fill()
        page = shown.open().page
        keys = {row[0] for row in shown_tables(shown)["Tokens by API key"]}
        assert keys <= {key["id"] for key in people.api_keys()} | {"no API key"}
        assert len(keys) > 2
        assert "support-chat" not in page.content()


def test_the_bill_was_not_read(browser: Browser) -> None:
    """Tokens are shown, and nothing is said to have been saved."""
    with stage(Organization(TODAY, people=8), exporter_window_days=7) as unpaid, opened(browser, unpaid.url) as shown:
        unpaid.api.faults.add(kind="500", path="cost_report")
        unpaid.fill()
        shown.open()
        assert {row[-1] for row in shown_tables(shown)["Tokens by model"]} == {"no price"}
        assert "no price to say what caching saved" in shown.tile(TITLE)


def test_nothing_was_read_or_used(browser: Browser) -> None:
    """A day that was not read is no day without tokens."""
    organization = Organization(TODAY, people=3)
    with stage(organization, exporter_window_days=1) as empty, opened(browser, empty.url) as shown:
        fault = empty.api.faults.add(kind="500", path="messages")
        empty.fill()
        shown.open()
        assert shown.tile(TITLE) == f"{TITLE} 0 of 1 day read. not read yet"
        assert fault.hits
        empty.api.faults.clear()
        organization.restate(TODAY, 0)
        empty.time.advance(3700)
        empty.fill()
        shown.open()
        assert shown.tile(TITLE) == f"{TITLE} No tokens were used on these days."
