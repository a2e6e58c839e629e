"""Report `claude_code`: records into rows, and rows into the totals of a day."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from exporter.errors import ApiShapeChanged
from exporter.model import Window
from exporter.reports import claude_code
from exporter.reports.names import Names
from exporter.reports.usage_rows import Actor, Model, Row, Tool
from tests.bodies import ANA, BO, CI, TODAY, day, model, page, record, usage_page, usage_rows

CC = "anthropic_claude_code_"
LABEL = TODAY.isoformat()
NAN = Model("m", 0, 0, 0, 0, Decimal("NaN"))
SOURCE = claude_code.report().source


def refused(one: dict[str, Any]) -> str:
    """Return the message with which a page whose second record is this one is refused."""
    with pytest.raises(ApiShapeChanged) as caught:
        SOURCE.read([page({"date": LABEL, **record()}, {"date": LABEL, **one})], TODAY, TODAY)
    return str(caught.value)


def test_actors_are_in_order() -> None:
    """However many there are, and in whatever order they came: a day has one stored form."""
    names = [f"{number * 7919 % 2503:04}@example.test" for number in range(2503)]
    rows = usage_rows(*(record({"type": "user_actor", "email_address": name}) for name in names), record(CI))
    assert [row.actor for row in rows] == [CI, *(Actor("user", f"{number:04}@example.test") for number in range(2503))]


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ({"type": "api_actor", "api_key_name": "ci"}, CI),
        ({"type": "user_actor", "email_address": ""}, Actor("user", "none")),
        ({"type": "user_actor", "email_address": None}, Actor("user", "none")),
        ({"type": "user_actor", "other": "x", "email_address": ANA.name}, ANA),
        ({"id": 5, "type": "robot_actor", "serial": "r2"}, Actor("robot_actor", "r2")),
        ({"type": "robot_actor"}, Actor("robot_actor", "none")),
        ({"type": "", "name": "x"}, Actor("none", "x")),
    ],
)
def test_actors(actor: dict[str, Any], expected: Actor) -> None:
    """Both documented actors have words of their own; an unknown one keeps its type and its first string."""
    assert [row.actor for row in usage_rows(record(actor))] == [expected]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"date": "2026-11-21"}, "date is not 2026-11-22, which was requested"),
        ({"date": "soon"}, "date is neither a date nor midnight UTC"),
        ({"date": None}, "date: Expected `str`, got `null`"),
        ({"actor": {}}, "actor.type: a string is expected"),
        ({"actor": {"type": 7}}, "actor.type: a string is expected"),
        ({"actor": {"type": "user_actor"}}, "actor.email_address: a string is expected"),
        ({"actor": {"type": "api_actor", "api_key_name": ["k"]}}, "actor.api_key_name: a string is expected"),
        ({"actor": "ana"}, "actor: Expected `object`, got `str`"),
        ({"core_metrics": {}}, "core_metrics: Object missing required field `num_sessions`"),
        ({"tool_actions": None}, "tool_actions: Expected `object`, got `null`"),
        (
            {"tool_actions": {ANA.name: {"accepted": 1}}},
            "tool_actions[...]: Object missing required field `rejected`",
        ),
        ({"model_breakdown": None}, "model_breakdown: Expected `array`, got `null`"),
        ({"model_breakdown": [{**model(), "model": 5}]}, "model_breakdown[0].model: Expected `str | null`, got `int`"),
        ({"model_breakdown": [model("NaN")]}, "the body is not JSON, or cut off"),
        ({"model_breakdown": [model("1e300")]}, "model_breakdown[0].estimated_cost: not an amount of money"),
        (
            {"model_breakdown": [{**model(), "estimated_cost": {"amount": 1, "currency": "EUR"}}]},
            "model_breakdown[0].estimated_cost.currency: Invalid enum value",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_bad_record_is_refused_by_the_name_of_its_field(changes: dict[str, Any], message: str) -> None:
    """Other currencies too: they cannot be added to dollars."""
    expected = message if message.startswith("the body") else f"data[1].{message}"
    assert refused({**record(), **changes}) == expected


def test_an_actor_s_records_are_summed_and_never_overwritten() -> None:
    """There is one record per terminal, on any page. A null or empty model is `none`, and so is an empty tool."""
    first = record(
        ANA, 1, lines=(2, 30), commits=4, pull_requests=5, tools={"edit": (6, 7)}, models=[model("0.1", tokens=1)]
    )
    nameless = [{**model("1"), "model": name} for name in (None, "", "none")]
    second = record(
        ANA,
        100,
        lines=(200, 3000),
        commits=400,
        pull_requests=500,
        tools={"edit": (600, 700), "": (1, 2), "none": (10, 20)},
        models=[model("0.2", tokens=10), *nameless],
    )
    pages = [usage_page(TODAY, record(BO), first, record(Actor("api_key", ANA.name))), usage_page(TODAY, second)]
    rows = SOURCE.read(pages, TODAY, TODAY)[TODAY]
    assert isinstance(rows, list)
    twin, ana, bo = rows
    assert ana == Row(
        ANA,
        101,
        202,
        3030,
        404,
        505,
        (Tool("edit", 606, 707), Tool("none", 11, 22)),
        (Model("none", 0, 0, 0, 0, Decimal(3)), Model("opus", 11, 22, 33, 44, Decimal("0.3"))),
    )
    assert [row.actor for row in (twin, bo)] == [Actor("api_key", ANA.name), BO]


def test_a_day_without_records_was_read() -> None:
    """It has no rows, which differs from a day that is not known."""
    assert SOURCE.read([page()], TODAY, TODAY) == {TODAY: []}


def test_digests_are_stable_and_depend_on_key_and_type() -> None:
    """The same name under the same key is the same user; nothing of the name is left, on the page or in a row."""
    names, others = Names(b"key"), Names(b"another")
    twin = record(Actor("api_key", ANA.name))
    digests = {row.actor for row in usage_rows(record(), record(BO), twin, names=names)}
    assert Actor("user", "2bb64de2756edc06") in digests
    assert len({actor.name for actor in digests}) == 3
    assert usage_rows(record(), names=others)[0].actor not in digests
    formats = {claude_code.report(each).format for each in (Names(), names, others)}
    assert len(formats) == 3
    assert claude_code.report(Names(b"key", shown=False)).format in formats


def test_the_request_for_a_day() -> None:
    """One UTC day, a thousand records per page."""
    assert SOURCE.request(TODAY, TODAY)[:2] == (
        "/usage_report/claude_code",
        {"starting_at": "2026-11-22", "limit": "1000"},
    )
    assert SOURCE.days_per_request == 1


class TestView:
    """Totals of a day, and kept sums. What is shown of users is tested in `test_users`."""

    def shown(self, *records: dict[str, Any]) -> dict[str, Any]:
        """Return the samples of TODAY with these records."""
        view = claude_code.report().view()
        view.replace(TODAY, (), usage_rows(*records))
        return dict(view.changes(Window(TODAY, 1), {TODAY})[f"day {LABEL}"] or {})

    def test_a_day_s_samples(self) -> None:
        """Every number goes to its family, users are counted by type, and cents become dollars."""
        assert self.shown(
            record(
                ANA, 1, lines=(2, 3), commits=4, pull_requests=5, tools={"a": (6, 7)}, models=[model("0.1", tokens=1)]
            ),
            record(BO, 10, lines=(20, 30), commits=40, pull_requests=50, tools={"b": (1, 0), "a": (60, 70)}),
            record(CI, 100, models=[model("140.9", tokens=10), model("5", name="haiku")]),
        ) == {
            CC + "daily_active_users": [((LABEL, "api_key"), 1), ((LABEL, "user"), 2)],
            CC + "sessions": [((LABEL,), 111)],
            CC + "lines_of_code": [((LABEL, "added"), 22), ((LABEL, "removed"), 33)],
            CC + "commits": [((LABEL,), 44)],
            CC + "pull_requests": [((LABEL,), 55)],
            CC + "tool_actions": [
                ((LABEL, "a", "accepted"), 66),
                ((LABEL, "a", "rejected"), 77),
                ((LABEL, "b", "accepted"), 1),
                ((LABEL, "b", "rejected"), 0),
            ],
            CC + "tokens": [
                *(((LABEL, "haiku", kind), 0) for kind in ("input", "output", "cache_read", "cache_creation")),
                ((LABEL, "opus", "input"), 11),
                ((LABEL, "opus", "output"), 22),
                ((LABEL, "opus", "cache_read"), 33),
                ((LABEL, "opus", "cache_creation"), 44),
            ],
            CC + "estimated_cost_usd": [((LABEL, "haiku"), 0.05), ((LABEL, "opus"), 1.41)],
        }

    def test_an_empty_day_is_zero_where_the_labels_are_closed(self) -> None:
        """Nobody knows which models were not used."""
        shown = {name.removeprefix(CC): [value for _, value in found] for name, found in self.shown().items() if found}
        assert shown == {
            "daily_active_users": [0],
            "sessions": [0],
            "commits": [0],
            "pull_requests": [0],
            "lines_of_code": [0, 0],
        }

    @pytest.mark.parametrize("row", [Row(ANA, 10**40, 0, 0, 0, 0), Row(ANA, 0, 0, 0, 0, 0, (), (NAN,))], ids=str)
    def test_stored_rows_that_are_no_numbers_are_refused(self, row: Row) -> None:
        """Nothing of the day is then in any sum."""
        view = claude_code.Usage(Names(), 10)
        with pytest.raises((ValueError, ArithmeticError)):
            view.replace(TODAY, (), [row])
        assert (view.by_day.sums, view.users.sums) == ({}, {})

    def test_a_removed_day_leaves_the_page_with_its_users(self) -> None:
        """Other days stay as they are, and are not rendered again."""
        view = claude_code.report().view()
        rows = usage_rows(record(BO))
        view.replace(TODAY, (), rows)
        view.replace(day(1), (), usage_rows(record(ANA)))
        view.changes(Window(TODAY, 2), {TODAY, day(1)})
        view.replace(TODAY, rows, None)
        changed = view.changes(Window(TODAY, 2), {day(1)})
        assert {key: changed[key] for key in changed if key != "distinct"} == {
            f"day {LABEL}": None,
            f"user user\0{BO.name}": None,
        }

    @pytest.mark.parametrize(
        "kept", [b"", b"{}", b'{"base": "soon", "days": {}, "users": []}', b"[" * 100_000, b"\xff", b'{"base": 5}']
    )
    def test_damaged_sums_are_a_value_error(self, kept: bytes) -> None:
        """The ledger then adds up the days again."""
        with pytest.raises(ValueError, match=r"."):
            claude_code.Usage(Names(), 10).load(kept)


@pytest.mark.parametrize("text", ["2026-11-20", "2026-11-20T00:00:00Z", "2026-11-20T00:00:00.000+00:00"])
def test_a_day_is_a_date_or_midnight_utc(text: str) -> None:
    """The reference documented a date first and a timestamp later."""
    body = page({**record(), "date": text})
    assert len(SOURCE.read([body], date(2026, 11, 20), date(2026, 11, 20))[date(2026, 11, 20)]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "text",
    [
        *("2026-11-22 garbage", "2026-11-22T00:00:00-08:00", "2026-11-22T00:00:00", "2026-11-22T00:00:01Z"),
        *(
            "20261122",
            "2026-W47-7",
            "2026-11-22\n",
            " 2026-11-22",
            "\uff12\uff10\uff12\uff16-11-22",
            "2026-11-31",
            "2026-11-22t00:00:00z",
        ),
        *("", "2026-11-22T00:00:00.1Z", "2026-11-22T00:00:00." + "0" * 10 + "Z"),
    ],
)
def test_nothing_else_is_a_day(text: str) -> None:
    """A day at another offset is another day."""
    assert refused({**record(), "date": text}) == "data[1].date is neither a date nor midnight UTC"


def test_an_address_is_one_user_however_it_is_spelled() -> None:
    """Its records are summed, and it joins with the members. The name of a key stays as it is."""
    rows = usage_rows(record(Actor("user", "Ana@Example.Test"), 1), record(ANA, 2), record(Actor("api_key", "CI"), 4))
    assert [(row.actor, row.sessions) for row in rows] == [(Actor("api_key", "CI"), 4), (ANA, 3)]
