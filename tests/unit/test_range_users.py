"""Users over a range: days, sums that are added up or subtracted, and who keeps a name."""

from datetime import date, timedelta
from decimal import Decimal

import pytest

from exporter.model import Window
from exporter.reports.names import Names
from exporter.reports.usage_rows import Actor, Model, Row, Tool
from exporter.reports.users import Users
from exporter.web.range_users import UserTotals, change, of_window, ranked
from exporter.web.report import Query, UserUse

TODAY = date(2026, 11, 20)
ANA, BO, CI = Actor("user", "ana"), Actor("user", "bo"), Actor("api_key", "ci")


def row(actor: Actor, number: int, *models: str) -> Row:
    """Return a row whose numbers all differ, with a tool and some models."""
    used = tuple(Model(name, number, 2, 3, 4, Decimal(f"{number}.5")) for name in models or ("opus",))
    return Row(actor, number, number + 1, number + 2, number + 3, number + 4, (Tool("edit", number + 5, 1),), used)


DAYS = {
    3: (row(ANA, 10), row(BO, 20)),
    2: (row(ANA, 30, "opus", "haiku"),),
    1: (row(CI, 1000), row(BO, 40)),
    0: (row(ANA, 50),),
}
"""Rows by age."""


def day(age: int) -> date:
    """Return the day of an age."""
    return TODAY - timedelta(days=age)


def query(oldest: int, newest: int, *models: str) -> Query:
    """Return the query of some ages."""
    return Query(day(oldest), day(newest), frozenset(models))


@pytest.fixture
def users() -> Users:
    """Return the sums of all four days."""
    users = Users(Names(), max_users=9)
    for age, rows in DAYS.items():
        users.replace(day(age), (), rows)
    return users


def use(users: Users, wanted: Query, max_users: int = 9) -> list[UserUse]:
    """Return the users of a range, added up."""
    totals: dict[Actor, UserTotals] = {}
    for age, rows in DAYS.items():
        if day(age) in wanted.span:
            change(totals, rows, wanted, 1)
    return ranked(totals, users, wanted, max_users)


@pytest.mark.parametrize(
    ("oldest", "newest", "people", "keys"),
    [(3, 0, 2, 1), (3, 3, 2, 0), (2, 2, 1, 0), (1, 1, 1, 1), (0, 0, 1, 0), (3, 2, 2, 0), (2, 1, 2, 1)],
)
def test_distinct_users_of_a_range(users: Users, oldest: int, newest: int, people: int, keys: int) -> None:
    """Neither the day before nor the day after counts."""
    assert users.active(Window(day(newest), oldest - newest + 1)) == {"user": people, "api_key": keys}


def test_nobody(users: Users) -> None:
    """Known types are 0, and an unknown user has no day."""
    assert Users(Names(), 9).active(Window(TODAY, 3)) == {"user": 0, "api_key": 0}
    assert users.dates(Actor("user", "zoe"), Window(TODAY, 3)) == 0


def test_each_number_is_in_its_place(users: Users) -> None:
    """Of two days of one user, in dollars; the day without a row is not an active day."""
    ana, _ci, _bo = sorted(use(users, query(2, 0)), key=lambda one: ("ana", "ci", "bo").index(one.user))
    assert ana == UserUse("ana", "user", 80, 82, 84, 86, 88, 90, 2, 137, 1.115, 2, TODAY)


def test_the_most_expensive_come_first_and_the_others_are_one(users: Users) -> None:
    """`other` is in the order of its cost; its type is `none` because it sums a user and a key."""
    assert [one.user for one in use(users, query(3, 0))] == ["ci", "ana", "bo"]
    folded = use(users, query(3, 0), max_users=0)
    assert [(one.user, one.actor_type, one.sessions, one.active_days) for one in folded] == [("other", "none", 1150, 4)]
    cheap = use(users, query(3, 0), max_users=2)
    assert [(one.user, one.actor_type) for one in cheap] == [("ci", "api_key"), ("ana", "user"), ("other", "user")]


def test_a_model_filter(users: Users) -> None:
    """It reaches tokens and cost only."""
    (ana,) = use(users, query(2, 2, "haiku"))
    assert (ana.sessions, ana.tokens, ana.estimated_cost_usd) == (30, 39, 0.305)


@pytest.mark.parametrize(("oldest", "newest"), [(3, 0), (3, 1), (2, 0), (2, 1)])
def test_subtracting_the_other_days_is_the_same(users: Users, oldest: int, newest: int) -> None:
    """From the sums of the window."""
    wanted = query(oldest, newest)
    totals = {actor: of_window(user) for actor, user in users.sums.items()}
    for age, rows in DAYS.items():
        if day(age) not in wanted.span:
            change(totals, rows, wanted, -1)
    assert ranked(totals, users, wanted, 9) == use(users, wanted)
