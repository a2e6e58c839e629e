"""Users over the window: their samples, who keeps a name, and how many there are."""

import pytest

from exporter.model import Window, timestamp
from exporter.reports.names import Names
from exporter.reports.usage_rows import Actor
from exporter.reports.users import Users
from tests.bodies import ANA, BO, CI, TODAY, day, model, record, usage_rows

CC = "anthropic_claude_code_"
FOLDED = "anthropic_exporter_users_folded"
CY = Actor("user", "cy@example.test")
ROBOT = Actor("robot_actor", "r2")
OTHER = Actor("user", "other")


def piece(actor: Actor) -> str:
    """Return the key of a user's piece of the page."""
    return f"user {actor.actor_type}\0{actor.name}"


def test_a_user_s_samples() -> None:
    """Days with a record are counted, the newest is a timestamp, tools are one sum, and cents become dollars."""
    users = Users(Names(), 10)
    models = [model("1", tokens=1, name="n"), model("50", name="m")]
    first = record(ANA, 1, lines=(2, 3), commits=4, pull_requests=5, tools={"a": (6, 7)}, models=models)
    users.replace(day(3), (), usage_rows(first))
    users.replace(day(1), (), usage_rows(record(ANA, 10, tools={"b": (1, 1), "c": (10, 20)}, models=[model("1")])))
    users.replace(day(500), (), usage_rows(record(ANA)))
    who = (ANA.name, "user")
    assert users.changes()[piece(ANA)] == {
        CC + "user_sessions": [(who, 12)],
        CC + "user_commits": [(who, 4)],
        CC + "user_pull_requests": [(who, 5)],
        CC + "user_active_dates": [(who, 3)],
        CC + "user_last_active_timestamp_seconds": [(who, timestamp(day(1)))],
        CC + "user_lines_of_code": [((*who, "added"), 2), ((*who, "removed"), 3)],
        CC + "user_tool_actions": [((*who, "accepted"), 17), ((*who, "rejected"), 28)],
        CC + "user_tokens": [
            ((*who, "input"), 1),
            ((*who, "output"), 2),
            ((*who, "cache_read"), 3),
            ((*who, "cache_creation"), 4),
        ],
        CC + "user_estimated_cost_usd": [((*who, "m"), 0.5), ((*who, "n"), 0.01), ((*who, "opus"), 0.01)],
    }


def test_users_that_have_changed_are_told_once() -> None:
    """Nobody else is, and one without a day left is told as None."""
    users = Users(Names(), 10)
    today = usage_rows(record(ANA), record(BO))
    users.replace(TODAY, (), today)
    users.replace(day(1), (), usage_rows(record(ANA), record(CI)))
    assert users.changes().keys() == {piece(ANA), piece(BO), piece(CI)}
    users.replace(TODAY, today, ())
    changes = users.changes()
    assert changes.keys() == {piece(ANA), piece(BO)}
    assert changes[piece(BO)] is None
    assert users.changes() == {}


def test_without_names_nobody_is_told() -> None:
    """EXPORTER_USER_LABEL=none: distinct users are still counted, and nobody is folded."""
    users = Users(Names(b"key", shown=False), 1)
    users.replace(TODAY, (), usage_rows(record(ANA), record(BO)))
    assert users.changes() == {}
    distinct = users.distinct(Window(TODAY, 1), {TODAY})
    assert distinct[CC + "weekly_active_users"] == [(("api_key",), 0), (("user",), 2)]
    assert distinct[FOLDED] == [((), 0)]


class TestFolding:
    """Who keeps a name when there are more users than names."""

    def users(self, limit: int, **spends: str) -> Users:
        """Return users of today with these cents, by name; `ci` is an API key."""
        users = Users(Names(), limit)
        actors = {"ana": ANA, "bo": BO, "ci": CI, "cy": CY, "other": OTHER}
        records = [record(actors[name], models=[model(cents)]) for name, cents in spends.items()]
        users.replace(TODAY, (), usage_rows(*records))
        return users

    def shown(self, users: Users) -> dict[str, float]:
        """Return the dollars by piece of what has changed."""
        family = CC + "user_estimated_cost_usd"
        return {key: samples[family][0][1] for key, samples in users.changes().items() if samples}

    def folded(self, users: Users) -> float:
        """Return how many users are folded."""
        return users.distinct(Window(TODAY, 1), {TODAY})[FOLDED][0][1]

    def test_nobody_is_folded_while_there_are_names(self) -> None:
        """As many users as names is not too many; even one called other keeps its name."""
        users = self.users(3, ana="100", bo="200", other="300")
        assert self.shown(users) == {piece(ANA): 1, piece(BO): 2, piece(OTHER): 3}
        assert self.folded(users) == 0

    def test_the_most_expensive_keep_their_name(self) -> None:
        """The rest is one user per type, with the sums of all of them. Equal ones go by name: no flicker."""
        users = self.users(2, cy="50", bo="200", ana="200", ci="300")
        assert self.shown(users) == {piece(CI): 3, piece(ANA): 2, piece(OTHER): 2.5}
        assert self.folded(users) == 2

    def test_thousands_are_the_rest(self) -> None:
        """Their sums, and the days and models of all of them."""
        users = Users(Names(), 1)
        for age in range(2):
            records = [
                record({"type": "user_actor", "email_address": f"{number}@example.test"}, 2, models=[model("0.1")])
                for number in range(age * 2000, age * 2000 + 2501)
            ]
            users.replace(day(age), (), usage_rows(*records, of=day(age)))
        samples = users.changes()[piece(OTHER)] or {}
        values = {name.removeprefix(CC): [value for _, value in found] for name, found in samples.items()}
        assert (values["user_sessions"], values["user_active_dates"]) == ([2 * 5002 - 4], [2])
        assert values["user_estimated_cost_usd"] == [pytest.approx(5000 * 0.001)]

    def test_a_user_called_other_is_one_of_the_rest(self) -> None:
        """Prometheus would drop the second of two series of one name."""
        users = self.users(2, other="900", ana="500", bo="100")
        assert self.shown(users) == {piece(ANA): 5, piece(OTHER): 10}
        assert self.folded(users) == 2

    @pytest.mark.parametrize(("limit", "left"), [(0, 3), (1, 2)])
    def test_who_overtakes_whom(self, limit: int, left: int) -> None:
        """A user that loses its name leaves the page; one that gains it is shown though its sums are as they were."""
        users = self.users(limit, ana="300", bo="200", cy="100")
        before = self.shown(users)
        assert len(before) == limit + 1
        restated = usage_rows(record(CY, models=[model("900")]))
        users.replace(TODAY, usage_rows(record(CY, models=[model("100")])), restated)
        changes = users.changes()
        assert [key for key, samples in changes.items() if samples is None] == [piece(ANA)] * limit
        assert (piece(CY) in changes) is bool(limit)
        users.replace(TODAY, restated, ())
        assert users.changes()[piece(ANA) if limit else piece(OTHER)] is not None
        assert self.folded(users) == left - 1


class TestDistinctUsers:
    """The window, 30 days and 7 days."""

    def users(self) -> Users:
        """Return users of today, and of 6, 7, 29, 30 and 89 days ago."""
        users = Users(Names(), 10)
        ages = {0: ANA, 6: BO, 7: CI, 29: ROBOT, 30: Actor("user", "d"), 89: Actor("user", "e")}
        for age, actor in ages.items():
            users.replace(day(age), (), usage_rows(record(actor)))
        users.changes()
        return users

    def test_of_a_window_that_was_read(self) -> None:
        """The borders are today and the 6, 29 and 89 days before; a known type that nobody has is 0."""
        window = Window(TODAY, 90)
        assert self.users().distinct(window, set(window.dates())) == {
            CC + "active_users": [(("api_key",), 1), (("robot_actor",), 1), (("user",), 4)],
            CC + "monthly_active_users": [(("api_key",), 1), (("robot_actor",), 1), (("user",), 2)],
            CC + "weekly_active_users": [(("api_key",), 0), (("robot_actor",), 0), (("user",), 2)],
            FOLDED: [((), 0)],
        }

    def test_of_a_window_with_unread_days(self) -> None:
        """Who was seen is counted; where nobody was seen, nothing is said: the missing day may hold somebody."""
        window = Window(TODAY, 90)
        samples = self.users().distinct(window, set(window.dates()) - {day(3), day(20)})
        assert samples[CC + "weekly_active_users"] == [(("user",), 2)]
        assert samples[CC + "monthly_active_users"][0] == (("api_key",), 1)

    def test_of_a_window_shorter_than_a_month(self) -> None:
        """A month that is not read is not claimed: it is as long as the window."""
        window, users = Window(TODAY, 10), Users(Names(), 10)
        users.replace(day(9), (), usage_rows(record(ANA)))
        samples = users.distinct(window, set(window.dates()))
        assert samples[CC + "monthly_active_users"] == [(("api_key",), 0), (("user",), 1)]
        assert samples[CC + "weekly_active_users"] == [(("api_key",), 0), (("user",), 0)]

    def test_of_nothing_read(self) -> None:
        """No number at all, and no zero."""
        samples = Users(Names(), 10).distinct(Window(TODAY, 90), ())
        assert [name for name, found in samples.items() if found] == [FOLDED]
