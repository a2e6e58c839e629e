"""Sums into samples."""

import pytest

from exporter import catalogue, snapshot
from exporter.model import Actor, Directory, Organization, Report, Window, timestamp
from exporter.reports.sums import UserBook, by_actor, cost_sums, day_sums
from exporter.snapshot import ReportHealth, distinct_samples, folded
from tests.unit.rows import ANA, BO, CI, TODAY, bill, day, row, use

LABEL = TODAY.isoformat()
CC = "anthropic_claude_code_"
ROBOT = Actor("robot_actor", "r2")


def test_a_day_s_samples() -> None:
    """Every number goes to its family, and cents become dollars."""
    rows = [
        row(ANA, 1, lines=(2, 3), commits=4, pull_requests=5, tools={"a": (6, 7)}, models={"m": use("141", tokens=1)}),
        row(CI, 10),
    ]
    assert snapshot.day_samples(TODAY, day_sums(rows)) == {
        CC + "daily_active_users": [((LABEL, "user"), 1), ((LABEL, "api_key"), 1)],
        CC + "sessions": [((LABEL,), 11)],
        CC + "lines_of_code": [((LABEL, "added"), 2), ((LABEL, "removed"), 3)],
        CC + "commits": [((LABEL,), 4)],
        CC + "pull_requests": [((LABEL,), 5)],
        CC + "tool_actions": [((LABEL, "a", "accepted"), 6), ((LABEL, "a", "rejected"), 7)],
        CC + "tokens": [
            ((LABEL, "m", "input"), 1),
            ((LABEL, "m", "output"), 2),
            ((LABEL, "m", "cache_read"), 3),
            ((LABEL, "m", "cache_creation"), 4),
        ],
        CC + "estimated_cost_usd": [((LABEL, "m"), 1.41)],
    }


def test_an_empty_day_is_zero_where_the_labels_are_closed() -> None:
    """Nobody knows which models were not used."""
    samples = snapshot.day_samples(TODAY, day_sums([]))
    shown = {name: [value for _, value in found] for name, found in samples.items() if found}
    assert shown == {CC + "sessions": [0], CC + "commits": [0], CC + "pull_requests": [0], CC + "lines_of_code": [0, 0]}


def test_a_day_s_bill() -> None:
    """Dollars by line and by workspace; the nearest float is taken once, of the exact sum."""
    cents = ["0.1"] * 3 + ["1234567890123.45"]
    samples = snapshot.cost_samples(TODAY, cost_sums(map(bill, cents)))
    assert samples == {
        "anthropic_cost_usd": [((LABEL, "opus", "tokens", "output"), 12345678901.2375)],
        "anthropic_workspace_cost_usd": [((LABEL, "default"), 12345678901.2375)],
    }


def test_a_user_s_samples() -> None:
    """Dates are counted, and the newest one is a timestamp."""
    book = UserBook(day(100))
    models = {"n": use("1", tokens=1), "m": use("50")}
    book.add_day(day(3), [row(ANA, 1, lines=(2, 3), commits=4, pull_requests=5, tools={"a": (6, 7)}, models=models)])
    book.add_day(day(1), [row(ANA, 10, tools={"b": (1, 1)})])
    who = (ANA.name, "user")
    assert snapshot.user_samples(ANA, book.users[ANA], book.base) == {
        CC + "user_sessions": [(who, 11)],
        CC + "user_commits": [(who, 4)],
        CC + "user_pull_requests": [(who, 5)],
        CC + "user_active_dates": [(who, 2)],
        CC + "user_last_active_timestamp_seconds": [(who, timestamp(day(1)))],
        CC + "user_lines_of_code": [((*who, "added"), 2), ((*who, "removed"), 3)],
        CC + "user_tool_actions": [((*who, "accepted"), 7), ((*who, "rejected"), 8)],
        CC + "user_tokens": [
            ((*who, "input"), 1),
            ((*who, "output"), 2),
            ((*who, "cache_read"), 3),
            ((*who, "cache_creation"), 4),
        ],
        CC + "user_estimated_cost_usd": [((*who, "m"), 0.5), ((*who, "n"), 0.01)],
    }


class TestFolding:
    """Who keeps a name when there are more users than names."""

    def book(self, *spends: tuple[Actor, str]) -> UserBook:
        """Return a book of one day with these users and their cents."""
        book = UserBook(day(100))
        book.add_day(TODAY, by_actor(row(actor, models={"m": use(cents)}) for actor, cents in spends))
        return book

    def test_nobody_is_folded_while_there_are_names(self) -> None:
        """As many users as names is not too many."""
        book = self.book((ANA, "1"), (BO, "2"))
        assert folded(book.users, 2) == ({ANA, BO}, {})

    def test_the_most_expensive_keep_their_name(self) -> None:
        """The rest is one user per type, with the sums of all of them."""
        book = self.book((ANA, "3"), (BO, "2"), (CI, "1"), (Actor("user", "cy@example.test"), "0.5"))
        named, rest = folded(book.users, 1)
        assert named == {ANA}
        assert {actor: float(sums.cents) for actor, sums in rest.items()} == {
            Actor("user", "other"): 2.5,
            Actor("api_key", "other"): 1,
        }

    def test_equals_go_by_name(self) -> None:
        """So that a page does not flicker."""
        assert folded(self.book((BO, "1"), (ANA, "1")).users, 1)[0] == {ANA}

    def test_a_user_called_other_is_one_of_the_rest(self) -> None:
        """Two series of one name would be dropped by Prometheus."""
        twin = Actor("user", "other")
        named, rest = folded(self.book((twin, "9"), (ANA, "5"), (BO, "1")).users, 2)
        assert named == {ANA}
        assert float(rest[twin].cents) == 10

    def test_no_names_at_all(self) -> None:
        """A limit of 0 folds everybody."""
        named, rest = folded(self.book((ANA, "9")).users, 0)
        assert (named, set(rest)) == (set(), {Actor("user", "other")})


class TestDistinctUsers:
    """The window, 30 days and 7 days."""

    def book(self) -> UserBook:
        """Return a book with users of today, and of 6, 7, 29, 30 and 89 days ago."""
        book = UserBook(day(400))
        for age, actor in ((0, ANA), (6, BO), (7, CI), (29, ROBOT), (30, Actor("user", "d")), (89, Actor("user", "e"))):
            book.add_day(day(age), [row(actor)])
        return book

    def test_of_a_window_that_was_read(self) -> None:
        """The borders are today and the 6, 29 and 89 days before; a known type that nobody has is 0."""
        window = Window(TODAY, 90)
        assert distinct_samples(self.book(), window, window.dates()) == {
            CC + "active_users": [(("api_key",), 1), (("robot_actor",), 1), (("user",), 4)],
            CC + "monthly_active_users": [(("api_key",), 1), (("robot_actor",), 1), (("user",), 2)],
            CC + "weekly_active_users": [(("api_key",), 0), (("robot_actor",), 0), (("user",), 2)],
        }

    def test_of_a_window_with_unread_days(self) -> None:
        """Who was seen is counted; where nobody was seen, nothing is said, since the missing day may hold somebody."""
        window = Window(TODAY, 90)
        read = set(window.dates()) - {day(3), day(20)}
        samples = distinct_samples(self.book(), window, read)
        assert samples[CC + "weekly_active_users"] == [(("user",), 2)]
        assert samples[CC + "monthly_active_users"][0] == (("api_key",), 1)

    def test_of_a_window_shorter_than_a_month(self) -> None:
        """A month that is not read is not claimed: it is as long as the window."""
        window = Window(TODAY, 10)
        book = UserBook(day(400))
        book.add_day(day(9), [row(ANA)])
        samples = distinct_samples(book, window, window.dates())
        assert dict(samples[CC + "monthly_active_users"]) == {("api_key",): 0, ("user",): 1}
        assert dict(samples[CC + "weekly_active_users"]) == {("api_key",): 0, ("user",): 0}

    def test_of_nothing_read(self) -> None:
        """No number at all, and no zero."""
        samples = distinct_samples(UserBook(day(400)), Window(TODAY, 90), [])
        assert [found for found in samples.values() if found] == []


def test_joins() -> None:
    """A date for each day of the window; names for ids; no organisation while it is unknown."""
    directory = Directory(Organization("o1", "Org"), {"w2": "Two", "default": "default"})
    assert snapshot.join_samples(Window(TODAY, 2), directory) == {
        "anthropic_date_timestamp_seconds": [((str(day(1)),), 1795219200), ((str(TODAY),), 1795305600)],
        "anthropic_organization_info": [(("o1", "Org"), 1)],
        "anthropic_workspace_info": [(("default", "default"), 1), (("w2", "Two"), 1)],
    }
    unknown = snapshot.join_samples(Window(TODAY, 1), Directory(None, {}))
    assert unknown["anthropic_organization_info"] == []


@pytest.mark.parametrize(("up", "shown"), [(None, []), (True, [(("cost",), 1)]), (False, [(("cost",), 0)])])
def test_health(up: bool | None, shown: list[object]) -> None:  # noqa: FBT001 - a table
    """Before the first attempt nothing is said of `up`; a report without data has no newest date; coverage always."""
    fresh = snapshot.health_samples({Report.COST: ReportHealth(up, None, None, 0.0)})
    assert [found for found in fresh.values() if found] == [*([shown] if shown else []), [(("cost",), 0.0)]]
    assert fresh["anthropic_up"] == shown
    worked = snapshot.health_samples({Report.COST: ReportHealth(up, 1.5, day(0), 0.5)})
    assert worked["anthropic_report_last_success_timestamp_seconds"] == [(("cost",), 1.5)]
    assert worked["anthropic_report_newest_date_timestamp_seconds"] == [(("cost",), 1795305600)]
    assert worked["anthropic_report_coverage_ratio"] == [(("cost",), 0.5)]


def test_every_family_of_the_catalogue_has_its_source_here() -> None:
    """No family is named that nothing fills, and nothing is filled that has no name."""
    book = UserBook(day(400))
    book.add_day(TODAY, [row()])
    filled = [
        *snapshot.day_samples(TODAY, day_sums([])),
        *snapshot.cost_samples(TODAY, cost_sums([])),
        *distinct_samples(book, Window(TODAY, 1), []),
        *snapshot.user_samples(ANA, book.users[ANA], book.base),
        *snapshot.join_samples(Window(TODAY, 1), Directory(None, {})),
        *snapshot.health_samples({}),
    ]
    assert sorted(filled) == sorted(family.name for family in catalogue.DATA)
