"""Rows into sums."""

from decimal import Decimal

from exporter.model import Actor, ModelUse, ToolUse
from exporter.reports.sums import UserBook, UserSums, by_actor, cost_sums, day_sums, pseudonymous
from tests.unit.rows import ANA, BO, CI, TODAY, bill, day, row, use


def test_an_actor_s_records_are_summed_and_never_overwritten() -> None:
    """One record per terminal: a third of the world's exporters keeps the last one only."""
    vscode = row(
        ANA, 4, lines=(800, 300), commits=6, pull_requests=1, tools={"edit": (31, 4)}, models={"m": use("412")}
    )
    iterm = row(ANA, 2, lines=(96, 12), commits=1, tools={"edit": (5, 0), "write": (1, 1)}, models={"m": use("58")})
    other = row(ANA, 1, models={"n": use("0.3", tokens=1)})
    (total,) = by_actor([vscode, iterm, other])
    assert total == row(
        ANA,
        7,
        lines=(896, 312),
        commits=7,
        pull_requests=1,
        tools={"edit": (36, 4), "write": (1, 1)},
        models={"m": use("470"), "n": use("0.3", tokens=1)},
    )


def test_actors_are_sorted_and_a_name_of_two_types_is_two_actors() -> None:
    """An API key may be called like a user."""
    twin = Actor("api_key", ANA.name)
    assert [one.actor for one in by_actor([row(BO), row(ANA), row(twin), row(CI)])] == [twin, CI, ANA, BO]


def test_the_rows_themselves_are_left_as_they_are() -> None:
    """A sum never writes into the first row's maps."""
    first = row(ANA, tools={"edit": (1, 1)}, models={"m": use("1")})
    by_actor([first, row(ANA, tools={"edit": (1, 1)}, models={"m": use("1")})])
    day_sums([first, row(BO, tools={"edit": (1, 1)}, models={"m": use("1")})])
    assert first == row(ANA, tools={"edit": (1, 1)}, models={"m": use("1")})


def test_a_day_s_sums() -> None:
    """Users are counted by type; everything else is added."""
    rows = [
        row(ANA, 1, lines=(2, 3), commits=4, pull_requests=5, tools={"a": (6, 7)}, models={"m": use("0.1", tokens=1)}),
        row(BO, 10, lines=(20, 30), commits=40, pull_requests=50, tools={"a": (60, 70), "b": (1, 0)}),
        row(CI, 100, models={"m": use("0.2", tokens=10), "n": use("5")}),
    ]
    sums = day_sums(rows)
    assert sums.active_users == {"user": 2, "api_key": 1}
    assert sums[1:6] == (111, 22, 33, 44, 55)
    assert sums.tools == {"a": ToolUse(66, 77), "b": ToolUse(1, 0)}
    assert sums.models == {"m": ModelUse(11, 22, 33, 44, Decimal("0.3")), "n": use("5")}


def test_a_day_s_bill_by_line_and_by_workspace() -> None:
    """Both ways come to the same sum, exactly."""
    sums = cost_sums([bill("0.1"), bill("0.2", workspace="w"), bill("5", model="none", cost_type="web_search")])
    assert sums.lines == {("opus", "tokens", "output"): Decimal("0.3"), ("none", "web_search", "output"): Decimal(5)}
    assert sums.workspaces == {"default": Decimal("5.1"), "w": Decimal("0.2")}


class TestUserBook:
    """Users over days that come and go."""

    def test_each_day_is_a_bit_and_the_numbers_are_sums(self) -> None:
        """Days need not follow each other."""
        book = UserBook(day(10))
        book.add_day(day(10), [row(ANA, 1, models={"m": use("1")})])
        assert book.add_day(day(7), [row(ANA, 2, models={"m": use("2")}), row(BO)]) == {ANA, BO}
        assert book.users[ANA].dates == 0b1001
        assert (book.users[ANA].sessions, book.users[ANA].models) == (3, {"m": (2, Decimal(3))})

    def test_a_restated_day_leaves_nothing_of_its_old_numbers(self) -> None:
        """A model that is gone is gone, and so is a user without another day."""
        book = UserBook(day(10))
        old = [row(ANA, 5, lines=(9, 9), tools={"t": (1, 1)}, models={"m": use("7", tokens=3)}), row(BO)]
        book.add_day(TODAY, old)
        book.add_day(day(1), [row(ANA, models={"n": use("1")})])
        assert book.remove_day(TODAY, old) == {ANA, BO}
        fresh = UserBook(day(10))
        fresh.add_day(day(1), [row(ANA, models={"n": use("1")})])
        assert {actor: vars_of(sums) for actor, sums in book.users.items()} == {ANA: vars_of(fresh.users[ANA])}

    def test_a_model_of_zero_cost_stays_as_long_as_a_day_has_it(self) -> None:
        """Days are counted, not money: 0 cents is a number, and no absence."""
        book = UserBook(day(10))
        for age in (1, 2):
            book.add_day(day(age), [row(ANA, models={"free": use("0")})])
        book.remove_day(day(1), [row(ANA, models={"free": use("0")})])
        assert book.users[ANA].models == {"free": (1, Decimal(0))}

    def test_absorbed_users_are_one_with_the_dates_of_all(self) -> None:
        """A date that both have counts once."""
        one, other, total = UserSums(), UserSums(), UserSums()
        one.add(row(ANA, 1, lines=(1, 2), tools={"t": (3, 4)}, models={"m": use("1", tokens=1), "n": use("2")}))
        other.add(row(BO, 10, lines=(10, 20), commits=5, pull_requests=6, models={"m": use("0.5", tokens=10)}))
        one.dates, other.dates = 0b011, 0b110
        total.absorb(one)
        total.absorb(other)
        assert (total.dates, total.sessions, total.lines_added, total.lines_removed) == (0b111, 11, 11, 22)
        assert (total.accepted, total.rejected, total.commits, total.pull_requests) == (3, 4, 5, 6)
        assert (total.input, total.output, total.cache_read, total.cache_creation) == (11, 22, 33, 44)
        assert total.models == {"m": (2, Decimal("1.5")), "n": (1, Decimal(2))}
        assert total.cents == Decimal("3.5")


def vars_of(sums: UserSums) -> dict[str, object]:
    """Return all that a user's sums hold."""
    return {name: getattr(sums, name) for name in UserSums.__slots__}


def test_digests_are_stable_keyed_and_of_the_actor_s_type_too() -> None:
    """The same name under the same key is the same user; nothing of the name is left."""
    names = [one.actor for one in pseudonymous([row(ANA), row(BO), row(Actor("api_key", ANA.name))], b"key")]
    again = [one.actor for one in pseudonymous([row(ANA)], b"key")]
    other = [one.actor for one in pseudonymous([row(ANA)], b"another")]
    assert names[0] == again[0] == Actor("user", "2bb64de2756edc06")
    assert len({actor.name for actor in names + other}) == 4
    assert all(len(actor.name) == 16 and "ana" not in actor.name for actor in names)
    assert [actor.actor_type for actor in names] == ["user", "user", "api_key"]
