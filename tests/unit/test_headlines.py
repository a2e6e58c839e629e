"""The ten numbers of the status page."""

from typing import Any

from exporter.model import Window
from exporter.reports import claude_code, cost, reports
from exporter.reports.report import View
from exporter.web.headlines import NOT_READ, headlines
from tests.bodies import ANA, BO, CI, TODAY, cost_rows, day, model, record, result, usage_rows

WINDOW = Window(TODAY, 90)


def views() -> dict[str, View[Any]]:
    """Return the view of each report, without a day."""
    return {report.name: report.view() for report in reports()}


def test_the_ten_numbers_as_a_person_reads_them() -> None:
    """Thousands are grouped, money has two places, shares are per cent."""
    shown = views()
    models = [model("300000", tokens=10_000), model("100000", name="haiku")]
    today = usage_rows(record(ANA, 2, lines=(1000, 50), tools={"edit": (2, 1), "w": (1, 0)}, models=models), record(CI))
    yesterday = usage_rows(record(ANA, 1000, lines=(2, 3), models=[model("1", tokens=1)]), record(BO, 7))
    shown[claude_code.NAME].replace(TODAY, (), today)
    shown[claude_code.NAME].replace(day(1), (), yesterday)
    shown[cost.NAME].replace(TODAY, (), cost_rows(result("100"), result("0.5")))
    shown[cost.NAME].replace(day(1), (), cost_rows(result("123456")))
    assert headlines(shown, WINDOW) == [
        ("Total active users", "2 users, 1 API keys"),
        ("Lines of code accepted", "1,002 added, 53 removed"),
        ("Total spend", "$1,235.56"),
        ("Cost yesterday", "$1,234.56"),
        ("Lines of code yesterday", "2 added, 3 removed"),
        ("Active yesterday", "2 users; 1,007 sessions"),
        ("Model used most", "opus, 75% of the estimated cost"),
        ("Tokens", "100,010"),
        ("Tool actions", "4, 75% accepted"),
        ("Estimated cost per user", "$1,333.34"),
    ]


def test_what_was_not_read_is_no_zero() -> None:
    """All ten say so."""
    assert [text for _, text in headlines(views(), WINDOW)] == [NOT_READ] * 10


def test_an_organisation_that_does_nothing() -> None:
    """Days were read and are empty: zeros, and no division by one of them."""
    shown = views()
    for view in shown.values():
        view.replace(TODAY, (), [])
    texts = dict(headlines(shown, WINDOW))
    assert texts["Total active users"] == "0 users, 0 API keys"
    assert texts["Total spend"] == texts["Estimated cost per user"] == "$0.00"
    assert texts["Tool actions"] == "0, nothing accepted"
    assert texts["Model used most"] == texts["Cost yesterday"] == texts["Active yesterday"] == NOT_READ
