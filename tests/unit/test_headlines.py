"""The ten numbers of the status page."""

from exporter.reports.sums import UserBook, cost_sums, day_sums
from exporter.web.headlines import NOT_READ, headlines
from tests.unit.rows import ANA, BO, CI, TODAY, bill, day, row, use

YESTERDAY = day(1)


def numbers(*, book: UserBook | None = None) -> dict[str, str]:
    """Return the headlines of two days."""
    models = {"opus": use("300000", tokens=100_000), "haiku": use("100000", tokens=1)}
    today = [row(ANA, 2, lines=(1000, 50), tools={"edit": (3, 1)}, models=models), row(CI, 1)]
    yesterday = [row(ANA, 1000, lines=(2, 3)), row(BO, 7)]
    if book is None:
        book = UserBook(day(400))
        book.add_day(TODAY, today)
        book.add_day(YESTERDAY, yesterday)
    days = {TODAY: day_sums(today), YESTERDAY: day_sums(yesterday)}
    bills = {TODAY: cost_sums([bill("100"), bill("0.5")]), YESTERDAY: cost_sums([bill("123456")])}
    return dict(headlines(days, bills, book, YESTERDAY))


def test_the_ten_numbers_as_a_person_reads_them() -> None:
    """Thousands are grouped, money has two places, shares are per cent."""
    assert numbers() == {
        "Total active users": "2 users, 1 API keys",
        "Lines of code accepted": "1,002 added, 53 removed",
        "Total spend": "$1,235.56",
        "Cost yesterday": "$1,234.56",
        "Lines of code yesterday": "2 added, 3 removed",
        "Active yesterday": "2, 1,007 sessions",
        "Model used most": "opus, 75% of the estimated cost",
        "Tokens": "1,000,010",
        "Tool actions": "4, 75% accepted",
        "Estimated cost per user": "$1,333.33",
    }


def test_what_was_not_read_is_no_zero() -> None:
    """All ten say so."""
    assert {text for _, text in headlines({}, {}, UserBook(day(400)), YESTERDAY)} == {NOT_READ}


def test_an_organisation_that_does_nothing() -> None:
    """Days were read and are empty: zeros, and no division by one of them."""
    shown = dict(headlines({TODAY: day_sums([])}, {TODAY: cost_sums([])}, UserBook(day(400)), YESTERDAY))
    assert shown["Total active users"] == "0 users, 0 API keys"
    assert shown["Total spend"] == shown["Estimated cost per user"] == "$0.00"
    assert shown["Tool actions"] == "0, nothing accepted"
    assert shown["Model used most"] == shown["Cost yesterday"] == shown["Active yesterday"] == NOT_READ
