"""The page in Chromium, on the exporter of the simulated organisation, against the oracle."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Literal

import pytest
from playwright.sync_api import Browser

from exporter.demo.organization import Organization
from exporter.web import wording
from tests.page import expected
from tests.page.browser import Watched, missing, opened
from tests.page.stage import Stage, stage
from tests.report_oracle import Json, expected_report
from tests.support import DAY, TODAY

pytestmark = [pytest.mark.integration, pytest.mark.skipif(bool(missing()), reason=missing())]
MODELS = ("claude-haiku-4-5", "claude-sonnet-5")


def truth(of: Stage, first: date | None = None, last: date = TODAY, **more: Any) -> Json:  # noqa: ANN401
    """Return the report of a range that the page must show."""
    return expected_report(of.organization, of.time.now(), first or last - 89 * DAY, last, **more)


def query(first: date, last: date, *models: str) -> str:
    """Return the query string of a range."""
    return f"?from={first}&to={last}" + "".join(f"&model={model}" for model in models)


def rounded(series: Mapping[str, expected.Numbers]) -> dict[str, expected.Numbers]:
    """Return the numbers of a chart without what adding floats in another order changes."""
    return {name: [value and round(value, 9) for value in values] for name, values in series.items()}


def check(shown: Watched, report: Json) -> None:
    """Compare every chart and every table with a report."""
    charts = shown.series()
    for title, series in expected.series(report).items():
        assert rounded(charts[title]["series"]) == rounded(series), title
        labels = [day["date"] for day in report["days"]]
        assert charts[title]["labels"] == labels or title == "Model Usage Distribution"
    tables = shown.tables()
    for title, rows in expected.tables(report).items():
        assert tables[title][-1][1:] == rows, title
    users = expected.users(report)
    assert tables["User Usage Breakdown"][0][1:-1] == users[:25]
    assert tables["User Usage Breakdown"][0][-1] == expected.user_total(report)


@pytest.mark.parametrize(
    ("first", "last", "models"),
    [
        (None, TODAY, ()),
        (TODAY - 29 * DAY, TODAY, MODELS),
        (TODAY - 6 * DAY, TODAY, ()),
        (date(2026, 9, 3), date(2026, 9, 29), ("claude-opus-5",)),
        (date(2026, 10, 1), date(2026, 10, 1), ()),
    ],
)
def test_every_chart_draws_the_organisations_numbers(
    browser: Browser, full: Stage, first: date | None, last: date, models: tuple[str, ...]
) -> None:
    """All charts, their tables and the users are the oracle's, for the range and the models in the URL."""
    with opened(browser, full.url) as shown:
        shown.open(query(first, last, *models) if first else "")
        check(shown, truth(full, first, last, models=models))


def test_choosing_days_and_models(browser: Browser, full: Stage) -> None:
    """Links, dates and models change the page without loading it again; the URL shares what is shown."""
    week, september = (TODAY - 6 * DAY, TODAY), (date(2026, 9, 7), date(2026, 9, 20))
    with opened(browser, full.url) as shown:
        page = shown.open().page
        page.evaluate("window.same = true")
        page.get_by_role("link", name="7 days").click()
        check(shown.drawn(), truth(full, *week))
        assert page.url.endswith(query(*week))
        assert page.get_by_role("link", name="7 days").get_attribute("aria-current") == "true"
        page.get_by_role("link", name="This month").click()
        check(shown.drawn(), truth(full, TODAY.replace(day=1)))
        page.get_by_label("From").fill(str(september[0]))
        page.get_by_label("to", exact=True).fill(str(september[1]))
        page.get_by_label("to", exact=True).press("Enter")
        check(shown.drawn(), truth(full, *september))
        page.get_by_label(MODELS[1]).press("Space")
        check(shown.drawn(), truth(full, *september, models=MODELS[1:]))
        page.get_by_label(MODELS[0]).press("Space")
        check(shown.drawn(), truth(full, *september, models=MODELS))
        assert page.url.endswith(query(*september, *MODELS))
        page.get_by_role("link", name="All", exact=True).click()
        check(shown.drawn(), truth(full, *september))
        assert page.evaluate("window.same")


def test_a_model_that_nobody_used(browser: Browser, full: Stage) -> None:
    """A link cannot put words on the page: what it names and is not known is not repeated."""
    with opened(browser, full.url) as shown:
        shown.open("?model=call-this-number")
        check(shown, truth(full, models=["call-this-number"]))
        assert "models that are not in these days" in shown.text("#notices")
        assert "call-this-number" not in shown.page.content()


def test_a_range_that_cannot_be_shown(browser: Browser, full: Stage) -> None:
    """The exporter's sentence is shown and the old numbers stay."""
    with opened(browser, full.url) as shown:
        page = shown.open().page
        page.get_by_label("From").fill("2026-10-02")
        page.get_by_label("to", exact=True).fill("2026-10-01")
        page.get_by_role("button", name="Show").click()
        shown.drawn()
        assert shown.text("#message") == "from (2026-10-02) is after to (2026-10-01)."
        check(shown, truth(full))
        shown.complaints.clear()  # Chromium reports each 400 on its console


def test_tiles(browser: Browser, full: Stage) -> None:
    """A total, and its change against the equally long period before."""
    report = truth(full, TODAY - 29 * DAY)
    now, before = report["totals"], report["previous"]
    change = round(100 * (now["cost_usd"] / before["cost_usd"] - 1))
    with opened(browser, full.url) as shown:
        shown.open(query(TODAY - 29 * DAY, TODAY))
        spend = f"{expected.money(now['cost_usd'])} billed for everything {change:+}% from "
        spend += f"{expected.money(before['cost_usd'])} in the 30 days before"
        assert shown.tile("Total Spend").startswith(f"Total Spend {spend}")
        people = now["active_users"]
        users = f"Total Active Users {people['user']} users {people['api_key']} API keys"
        assert shown.tile("Total Active Users").startswith(users)
        assert shown.text("#range").endswith("· as of 15:30 UTC · all reports work")
        assert "simulated organisation" in shown.text("#notices")
        shown.open(query(TODAY - 49 * DAY, TODAY))
        assert "no earlier data" in shown.tile("Total Spend")
        shown.open()
        assert f"{change:+}% in the last 30 days" in shown.tile("Total Spend")


def test_the_table_of_users_keeps_its_sort_and_search(browser: Browser, full: Stage) -> None:
    """An update a minute later brings new numbers; sort and search stay."""
    report = truth(full)
    by_name = sorted(user["user"] for user in report["users"])
    with opened(browser, full.url) as shown:
        shown.page.clock.install()
        page = shown.open().page
        page.get_by_role("button", name="User", exact=True).click()
        assert [row[0] for row in shown.tables()["User Usage Breakdown"][0][1:-1]] == by_name[:25]
        page.get_by_role("button", name="Next").click()
        assert [row[0] for row in shown.tables()["User Usage Breakdown"][0][1:-1]] == by_name[25:]
        page.get_by_label("Search").fill("bot")
        rows = shown.tables()["User Usage Breakdown"][0]
        assert [row[0] for row in rows] == ["User", "docs-bot", "Total found"]
        full.time.advance(61)
        full.organization.restate(TODAY, 2)
        try:
            page.clock.fast_forward(60_000)
            page.wait_for_selector("text=as of 15:31 UTC")
            shown.drawn()
            (bot,) = [user for user in truth(full)["users"] if user["user"] == "docs-bot"]
            assert shown.tables()["User Usage Breakdown"][0][1:-1] == expected.users({"users": [bot]})
        finally:
            full.organization.restate(TODAY, 1)
            full.time.advance(61)


def test_the_last_days_follow_the_calendar(browser: Browser) -> None:
    """A page that shows the last 7 days and stays open shows the last 7 days tomorrow."""
    with (
        stage(Organization(TODAY, people=3), exporter_window_days=8) as open_page,
        opened(browser, open_page.url) as shown,
    ):
        open_page.fill()
        page = shown.page
        page.clock.install()
        shown.open(query(TODAY - 6 * DAY, TODAY))
        open_page.time.advance(DAY)
        open_page.fill()
        page.clock.fast_forward(60_000)
        page.wait_for_function("() => location.search.includes('to=2026-11-21')")
        check(shown.drawn(), truth(open_page, TODAY - 5 * DAY, TODAY + DAY, window_days=8))


def test_ten_thousand_users(browser: Browser, full: Stage) -> None:
    """A page of rows is in the document at a time, and a search is answered at once."""
    report = truth(full, TODAY)
    user = report["users"][0]
    report["users"] = [{**user, "user": f"user-{number:05}@example.test", "tokens": number} for number in range(10_000)]
    with opened(browser, full.url) as shown:
        shown.page.route("**/api/v1/report*", lambda route: route.fulfill(json=report))
        page = shown.open().page
        assert shown.text("#users-count") == "1 to 25 of 10,000 users and API keys"
        started = page.evaluate("performance.now()")
        page.get_by_role("button", name="Tokens").click()
        page.get_by_label("Search").fill("user-0999")
        assert page.evaluate("performance.now()") - started < 1000
        rows = shown.tables()["User Usage Breakdown"][0][1:-1]
        assert [row[0] for row in rows] == [f"user-0999{number}@example.test" for number in reversed(range(10))]


@pytest.mark.parametrize(("theme", "width"), [("dark", 1280), ("light", 390)])
def test_anybody_can_read_it(browser: Browser, full: Stage, theme: Literal["light", "dark"], width: int) -> None:
    """Nothing serious for axe-core with all numbers unfolded, and no sideways scrolling of the page."""
    with opened(browser, full.url, theme=theme, width=width) as shown:
        page = shown.open(query(TODAY - 6 * DAY, TODAY, MODELS[0])).page
        page.evaluate("document.querySelectorAll('details').forEach((details) => { details.open = true; })")
        assert shown.barriers() == []
        assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_without_scripts(browser: Browser, full: Stage) -> None:
    """The server renders tiles, tables and health; the form works."""
    month = (TODAY - 29 * DAY, TODAY)
    report = truth(full, *month, models=MODELS[1:])
    with opened(browser, full.url, scripts=False) as shown:
        page = shown.page
        page.goto(full.url)
        page.get_by_role("link", name="30 days").click()
        page.locator("label", has_text=MODELS[1]).click()
        page.get_by_role("button", name="Show").click()
        assert page.url.endswith(query(*month, MODELS[1]))
        assert expected.money(report["totals"]["cost_usd"]) in shown.tile("Total Spend")
        rows = [row.split("\t") for row in shown.section("User Usage Breakdown").locator("tbody tr").all_inner_texts()]
        assert rows == expected.users(report)[:25]
        numbers = page.locator("#tokens-numbers tbody tr").all_text_contents()
        assert numbers == ["".join(row) for row in expected.tables(report)["Token Usage Over Time"]]
        assert "claude_code works 2026-11-20 15:3" in shown.tile("Data health")


def test_on_paper(browser: Browser, full: Stage) -> None:
    """Charts are printed in the colours of the light theme, also from the dark one."""
    with opened(browser, full.url, theme="dark") as shown:
        page = shown.open().page
        color = "Chart.getChart('cost-chart').options.scales.y.ticks.color"
        dark = page.evaluate(color)
        page.evaluate("dispatchEvent(new Event('beforeprint'))")
        printed = page.evaluate(color)
        page.evaluate("dispatchEvent(new Event('afterprint'))")
        assert (printed, page.evaluate(color)) == ("#57606a", dark)
        assert dark != printed


def test_during_a_fill(browser: Browser) -> None:
    """What was read is shown, the rest is hatched and no zero; the page follows as days arrive."""
    old = [TODAY - age * DAY for age in range(27, 90)]
    with stage(Organization(TODAY, people=8)) as filling, opened(browser, filling.url) as shown:
        early = filling.api.faults.add(kind="hang", path="claude_code", dates=[TODAY - 2 * DAY], times=1)
        late = filling.api.faults.add(kind="hang", path="claude_code", dates=old[:1], times=1)
        filling.tick()
        assert early.begun.wait_in_thread(30)
        filling.time.advance(10)  # what was read until now is published
        early.gate.open()
        assert late.begun.wait_in_thread(30)
        shown.page.clock.install()
        shown.open()
        report = truth(filling, unread={"claude_code": old, "cost": _not_read(filling)})
        check(shown, report)
        assert "27 of 90 days read" in shown.tile("Total Active Users")
        assert "The first fill is running" in shown.text("#notices")
        assert shown.series()["User Activity Over Time"]["gaps"] == list(range(63))
        assert shown.barriers() == []
        late.gate.open()
        filling.do(filling.exporter.refresher.settle())
        shown.page.clock.fast_forward(5_000)
        shown.page.wait_for_selector("text=all reports work")
        check(shown.drawn(), truth(filling))
        assert "fill" not in shown.text("#notices")


def _not_read(of: Stage) -> list[date]:
    """Return the days of `cost` that were not read."""
    read = of.exporter.store.entries("cost")
    return [day for day in (TODAY - age * DAY for age in range(90)) if day not in read]


def test_one_report_fails(browser: Browser) -> None:
    """Its numbers are not read yet, those of the other report are there, and the page says which one fails and why."""
    week = TODAY - 6 * DAY
    with stage(Organization(TODAY, people=8), exporter_window_days=7) as failing, opened(browser, failing.url) as shown:
        failing.api.faults.add(kind="403", path="cost_report")
        failing.fill()
        shown.open()
        days = [week + age * DAY for age in range(7)]
        report = truth(failing, week, unread={"cost": days}, window_days=7)
        charts = shown.series()
        for title, series in expected.series(report).items():
            assert rounded(charts[title]["series"]) == rounded(series), title
        assert shown.tile("Total Spend").startswith("Total Spend not read yet billed for everything 0 of 7 days read")
        assert shown.text("#range").endswith("cost fails")
        assert "cost fails never none 0 of 7 days" in shown.tile("Data health")
        assert "HTTP 403" in shown.tile("Data health") or "403" in shown.tile("Data health")
        assert shown.barriers() == []


def test_an_organisation_that_does_nothing(browser: Browser) -> None:
    """Days that were read and are empty are zeros."""
    organization = Organization(TODAY, people=8)
    for age in range(7):
        organization.restate(TODAY - age * DAY, 0)
    with stage(organization, exporter_window_days=7) as idle, opened(browser, idle.url) as shown:
        idle.fill()
        shown.open()
        check(shown, truth(idle, TODAY - 6 * DAY, window_days=7))
        assert shown.tile("Total Spend").startswith("Total Spend $0.00")
        assert shown.tile("User Usage Breakdown").endswith("No user was active on these days.")
        assert shown.barriers() == []


def test_nothing_was_read(browser: Browser) -> None:
    """No number is shown as zero."""
    with stage(Organization(TODAY, people=8), exporter_window_days=7) as refused, opened(browser, refused.url) as shown:
        refused.api.faults.add(kind="401")
        refused.fill()
        shown.open()
        for title in ("Total Active Users", "Total Lines of Code Accepted", "Total Spend"):
            assert shown.tile(title).startswith(f"{title} not read yet")
            assert "0 of 7 days read" in shown.tile(title)
        assert shown.tile("User Usage Breakdown").endswith("Not read yet.")
        assert {len(chart["gaps"]) for chart in shown.series().values()} == {7, 0}  # no day has a share of models
        assert shown.barriers() == []


def test_users_are_not_shown(browser: Browser) -> None:
    """With EXPORTER_USER_LABEL=none the page says so, and shows no name."""
    people = Organization(TODAY, people=8)
    private_page = stage(people, exporter_window_days=1, exporter_user_label="none")
    with private_page as private, opened(browser, private.url) as shown:
        private.fill()
        page = shown.open().page
        assert "EXPORTER_USER_LABEL is none" in shown.tile("User Usage Breakdown")
        assert "@example.test" not in page.content()


def test_a_name_with_markup_is_text(browser: Browser) -> None:
    """In the server's HTML and in what scripts write."""
    organization, name = Organization(TODAY, people=3), "<img src=x onerror=document.title='run'>@example.test"
    organization.people = tuple(
        person._replace(sources=tuple(source._replace(name=name) for source in person.sources))
        for person in organization.people
    )
    with stage(organization, exporter_window_days=1) as hostile:
        hostile.fill()
        for scripts in (True, False):
            with opened(browser, hostile.url, scripts=scripts) as shown:
                shown.open() if scripts else shown.page.goto(hostile.url)
                assert name in shown.tile("User Usage Breakdown")
                assert shown.page.title() == "Claude at Sim Org: usage and cost"


def test_amounts_read_the_same_from_server_and_script(browser: Browser, full: Stage) -> None:
    """Less than half a cent is $0.00, also below zero; thousands are grouped; halves are rounded alike."""
    amounts = {0.0: "$0.00", 0.004: "$0.00", -0.004: "$0.00", 0.125: "$0.12", 1234.5: "$1,234.50", -7.0: "-$7.00"}
    assert [wording.money(amount) for amount in amounts] == list(amounts.values())
    assert wording.money(None) == "not read yet"
    with opened(browser, full.url) as shown:
        script = "amounts => import('./static/format.js').then(({money}) => amounts.map(money))"
        assert shown.open().page.evaluate(script, list(amounts)) == list(amounts.values())
