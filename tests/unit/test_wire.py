"""Pages into rows: additions are taken, what is missing or ill-typed is refused by name and without its value."""

import json
from collections.abc import Callable
from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from exporter import wire
from exporter.errors import ApiShapeChanged
from exporter.model import Actor, CostRow, ModelUse, Organization, ToolUse, UsageRow
from tests.unit.rows import TODAY, cost_day, day, page, record, result

HALF = "\ud83d"
NO_TEXT = "Input should be a valid string, unable to parse raw data as a unicode string"
NO_NUMBER = "Decimal input should be an integer, float, string or Decimal object"


def parsed(**changes: Any) -> UsageRow:  # noqa: ANN401 - JSON
    """Return the row of a page with one record that has these fields."""
    (row,) = wire.claude_code(page(record(**changes)), TODAY).rows
    return row


def refused(read: Callable[[], object]) -> str:
    """Return the message with which a page is refused."""
    with pytest.raises(ApiShapeChanged) as caught:
        read()
    return str(caught.value)


def model_entry(**changes: Any) -> dict[str, Any]:  # noqa: ANN401 - JSON
    """Return an entry of model_breakdown."""
    (entry,) = record()["model_breakdown"]
    return {**entry, **changes}


def test_each_field_of_a_record_goes_to_its_own_place() -> None:
    """All numbers of this record differ, so none can stand in another's place."""
    assert parsed() == UsageRow(
        Actor("user", "ana@example.test"),
        sessions=1,
        lines_added=2,
        lines_removed=3,
        commits=4,
        pull_requests=5,
        tools={"edit_tool": ToolUse(6, 7)},
        models={"opus": ModelUse(8, 9, 10, 11, Decimal(141))},
    )


@pytest.mark.parametrize(
    ("actor", "expected"),
    [
        ({"type": "api_actor", "api_key_name": "ci"}, Actor("api_key", "ci")),
        ({"type": "user_actor", "email_address": ""}, Actor("user", "none")),
        ({"type": "user_actor", "email_address": None}, Actor("user", "none")),
        ({"type": "user_actor", "other": "x", "email_address": "a@example.test"}, Actor("user", "a@example.test")),
        ({"id": 5, "type": "robot_actor", "serial": "r2"}, Actor("robot_actor", "r2")),
        ({"type": "robot_actor"}, Actor("robot_actor", "none")),
        ({"type": "", "name": "x"}, Actor("none", "x")),
    ],
)
def test_actors(actor: dict[str, Any], expected: Actor) -> None:
    """Both documented actors have words of their own; an unknown one keeps its type and its first string."""
    assert parsed(actor=actor).actor == expected


@pytest.mark.parametrize("text", [str(TODAY), f"{TODAY}T00:00:00Z", f"{TODAY}T00:00:00.000+00:00"])
def test_both_forms_of_a_date_are_taken(text: str) -> None:
    """The reference documented a date first and a timestamp later."""
    assert parsed(date=text).sessions == 1


@pytest.mark.parametrize(
    ("amount", "cents"),
    [("141", "141"), ("0.37", "0.37"), ("1.41125e2", "141.125"), ("0.1234567890123456789", "0.1234567890123456789")],
)
def test_money_is_read_from_the_text_of_the_number(amount: str, cents: str) -> None:
    """A JSON number passes through no binary float: every digit is kept."""
    body = page(record()).replace(b'"amount": 141', f'"amount": {amount}'.encode())
    (row,) = wire.claude_code(body, TODAY).rows
    assert str(row.models["opus"].cents) == cents


def test_the_same_model_and_tool_twice_in_a_record_are_summed() -> None:
    """A null model and an empty one are both `none`, and no entry overwrites another."""
    row = parsed(
        model_breakdown=[model_entry(model=None), model_entry(model=""), model_entry()],
        tool_actions={"": {"accepted": 1, "rejected": 2}, "none": {"accepted": 10, "rejected": 20}},
    )
    assert row.models["none"] == ModelUse(16, 18, 20, 22, Decimal(282))
    assert row.models["opus"].cents == 141
    assert row.tools == {"none": ToolUse(11, 22)}


CORE = record()["core_metrics"]
BAD_RECORDS: list[tuple[dict[str, Any], str]] = [
    ({"date": "2026-11-21"}, "data[0].date is not the day that was asked for"),
    ({"date": "soon"}, "data[0].date is no date"),
    ({"date": None}, "data[0].date: Input should be a valid string"),
    ({"actor": {}}, "data[0].actor.type: a string is expected"),
    ({"actor": {"type": 7}}, "data[0].actor.type: a string is expected"),
    ({"actor": {"type": "user_actor"}}, "data[0].actor.email_address: a string is expected"),
    ({"actor": {"type": "user_actor", "email": "a@b"}}, "data[0].actor.email_address: a string is expected"),
    ({"actor": {"type": "api_actor", "api_key_name": 3}}, "data[0].actor.api_key_name: a string is expected"),
    ({"actor": {"type": "user_actor", "email_address": HALF}}, "data[0].actor.email_address: half of a surrogate pair"),
    ({"actor": {"type": HALF}}, "data[0].actor.type: half of a surrogate pair"),
    ({"actor": "ana"}, "data[0].actor: Input should be a valid dictionary"),
    ({"core_metrics": {}}, "data[0].core_metrics.num_sessions: Field required"),
    (
        {"core_metrics": {**CORE, "num_sessions": "1"}},
        "data[0].core_metrics.num_sessions: Input should be a valid integer",
    ),
    (
        {"core_metrics": {**CORE, "num_sessions": 1.5}},
        "data[0].core_metrics.num_sessions: Input should be a valid integer",
    ),
    (
        {"core_metrics": {**CORE, "num_sessions": True}},
        "data[0].core_metrics.num_sessions: Input should be a valid integer",
    ),
    (
        {"core_metrics": {**CORE, "commits_by_claude_code": -1}},
        "data[0].core_metrics.commits_by_claude_code: Input should be greater than or equal to 0",
    ),
    (
        {"core_metrics": {**CORE, "pull_requests_by_claude_code": 2**63}},
        "data[0].core_metrics.pull_requests_by_claude_code: Input should be less than 9223372036854775808",
    ),
    (
        {"core_metrics": {**CORE, "lines_of_code": None}},
        "data[0].core_metrics.lines_of_code: Input should be a valid dictionary",
    ),
    ({"tool_actions": None}, "data[0].tool_actions: Input should be a valid dictionary"),
    ({"tool_actions": {"edit": {"accepted": 1}}}, "data[0].tool_actions.edit.rejected: Field required"),
    ({"tool_actions": {HALF: {"accepted": 1}}}, "data[0].tool_actions.\ufffd\ufffd\ufffd.rejected: Field required"),
    ({"tool_actions": {HALF: {"accepted": 1, "rejected": 1}}}, "tool_actions: half of a surrogate pair"),
    ({"model_breakdown": None}, "data[0].model_breakdown: Input should be a valid list"),
    ({"model_breakdown": [model_entry(model=5)]}, "data[0].model_breakdown[0].model: Input should be a valid string"),
    ({"model_breakdown": [model_entry(model=HALF)]}, f"data[0].model_breakdown[0].model: {NO_TEXT}"),
    ({"model_breakdown": [model_entry(tokens={})]}, "data[0].model_breakdown[0].tokens.input: Field required"),
    (
        {"model_breakdown": [model_entry(estimated_cost={"amount": 1})]},
        "data[0].model_breakdown[0].estimated_cost.currency: Field required",
    ),
    (
        {"model_breakdown": [model_entry(estimated_cost={"amount": 1, "currency": "EUR"})]},
        "data[0].model_breakdown[0].estimated_cost.currency: String should match pattern '^USD$'",
    ),
    (
        {"model_breakdown": [model_entry(estimated_cost={"amount": None, "currency": "USD"})]},
        f"data[0].model_breakdown[0].estimated_cost.amount: {NO_NUMBER}",
    ),
]


@pytest.mark.parametrize(("changes", "message"), BAD_RECORDS, ids=[message for _, message in BAD_RECORDS])
def test_a_bad_record_is_refused_by_the_name_of_its_field(changes: dict[str, Any], message: str) -> None:
    """Other currencies too: they are not added to dollars."""
    assert refused(lambda: parsed(**changes)) == message


def test_a_refusal_shows_no_value() -> None:
    """Values may be e-mail addresses: they stand in no message."""
    address = "ana@example.test"
    for changes in (
        {"date": address},
        {"actor": {"type": "user_actor", "email_address": [address]}},
        {"actor": address},
    ):
        assert address not in refused(lambda changes=changes: parsed(**changes))  # type: ignore[misc]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b"<html>", "the body is HTML"),
        (b"{", "the body is not JSON, or cut off"),
        (b"\xff", "the body is not JSON, or cut off"),
        (b"[" * 100_000, "the body is not JSON, or cut off"),
        (b'{"data": [NaN], "has_more": false}', "the body is not JSON, or cut off"),
        (b'{"data": [' + b"1" * 5000 + b'], "has_more": false}', "the body is not JSON, or cut off"),
        (b"[]", "the body: Input should be a valid dictionary"),
        (b"{}", "data: Field required"),
        (b'{"data": []}', "has_more: Field required"),
        (b'{"data": {}, "has_more": false}', "data: Input should be a valid list"),
        (b'{"data": [], "has_more": "no"}', "has_more: Input should be a valid boolean"),
        (b'{"data": [], "has_more": 1, "next_page": "x"}', "has_more: Input should be a valid boolean"),
        (b'{"data": [], "has_more": true}', "has_more is true and next_page is empty"),
        (b'{"data": [], "has_more": true, "next_page": ""}', "has_more is true and next_page is empty"),
        (b'{"data": [], "has_more": true, "next_page": 5}', "next_page: Input should be a valid string"),
        (b'{"data": [], "has_more": true, "next_page": "\\ud83d"}', f"next_page: {NO_TEXT}"),
        (
            b'{"data": [], "has_more": true, "next_page": "' + b"x" * 5000 + b'"}',
            "next_page: String should have at most 4096 characters",
        ),
    ],
    ids=lambda value: str(value)[:60],
)
def test_a_body_that_is_no_page_is_an_error_and_never_an_empty_day(body: bytes, message: str) -> None:
    """Of both reports, and with a word on what the body is instead."""
    assert refused(lambda: wire.claude_code(body, TODAY)) == message
    assert refused(lambda: wire.cost(body)) == message


@pytest.mark.parametrize(
    ("has_more", "next_page", "cursor"), [(True, "page_2", "page_2"), (False, "page_2", None), (False, None, None)]
)
def test_has_more_decides_and_not_the_cursor(has_more: bool, next_page: str | None, cursor: str | None) -> None:  # noqa: FBT001 - a table
    """A cursor stands on some last pages too."""
    body = page(has_more=has_more, next_page=next_page)
    assert wire.claude_code(body, TODAY) == ([], cursor)
    assert wire.cost(body) == ({}, cursor)


def test_each_field_of_a_bill_goes_to_its_own_place() -> None:
    """The amount is the decimal string of cents, with all its digits."""
    body = page(cost_day(TODAY, result(amount="123.78912")), cost_day(day(1)))
    expected = CostRow("wrkspc_1", "opus", "tokens", "output_tokens", Decimal("123.78912"))
    assert wire.cost(body).days == {TODAY: [expected], day(1): []}


def test_null_dimensions_are_none_and_the_null_workspace_is_default() -> None:
    """Both groupings were asked for, so a null is a value and not an absence."""
    nulls = result(model=None, cost_type=None, token_type="", workspace_id=None)
    assert wire.cost(page(cost_day(TODAY, nulls))).days == {
        TODAY: [CostRow("default", "none", "none", "none", Decimal("123.45"))]
    }


BAD_DAYS: list[tuple[Any, str]] = [
    (cost_day(TODAY, result(amount="1,5")), "data[0].results[0].amount: Input should be a valid decimal"),
    (cost_day(TODAY, result(amount="NaN")), "data[0].results[0].amount: Input should be a finite number"),
    (
        cost_day(TODAY, result(amount="1e400")),
        "data[0].results[0].amount: Decimal input should have no more than 48 digits in total",
    ),
    (
        cost_day(TODAY, result(amount=True)),
        f"data[0].results[0].amount: {NO_NUMBER}",
    ),
    (cost_day(TODAY, result(currency="EUR")), "data[0].results[0].currency: String should match pattern '^USD$'"),
    (cost_day(TODAY, result(), {"amount": "1"}), "data[0].results[1].currency: Field required"),
    (cost_day(TODAY, result(workspace_id=HALF)), f"data[0].results[0].workspace_id: {NO_TEXT}"),
    ({**cost_day(TODAY), "ending_at": f"{TODAY}T23:59:59Z"}, "data[0] is not one UTC day"),
    ({**cost_day(TODAY), "ending_at": "never"}, "data[0].ending_at is no date"),
    ({"starting_at": f"{TODAY}T00:00:00Z"}, "data[0].ending_at: Field required"),
]


@pytest.mark.parametrize(("entry", "message"), BAD_DAYS, ids=[message for _, message in BAD_DAYS])
def test_a_bad_day_of_bills_spoils_no_other(entry: Any, message: str) -> None:  # noqa: ANN401 - JSON
    """The day holds the reason, the day beside it its rows."""
    days = wire.cost(page(entry, cost_day(day(1), result()))).days
    assert str(days[TODAY]) == message
    assert isinstance(days[TODAY], ApiShapeChanged)
    assert len(days[day(1)]) == 1  # type: ignore[arg-type]


@pytest.mark.parametrize("entry", [{"results": []}, [], {"starting_at": None}, {"starting_at": "soon"}])
def test_a_bill_without_a_day_spoils_the_page(entry: Any) -> None:  # noqa: ANN401 - JSON
    """Nobody could say which day it belongs to."""
    assert refused(lambda: wire.cost(page(entry))) == "data[0].starting_at is no date"


def test_a_day_twice_on_a_page_is_refused() -> None:
    """Neither would be the whole day."""
    assert (
        refused(lambda: wire.cost(page(cost_day(TODAY), cost_day(TODAY)))) == f"data[1] is a second entry for {TODAY}"
    )


def test_the_last_day_of_the_calendar_is_no_crash() -> None:
    """There is no day after it."""
    last = {"starting_at": "9999-12-31", "ending_at": "9999-12-31", "results": []}
    assert str(wire.cost(page(last)).days[date.max]) == "data[0] is not one UTC day"


def test_the_organisation() -> None:
    """Its id and its name; fields beside them are taken."""
    assert wire.organization(b'{"id": "o1", "name": "Org", "type": "organization"}') == Organization("o1", "Org")
    assert refused(lambda: wire.organization(b'{"id": null, "name": "Org"}')) == "id: Input should be a valid string"


def test_workspaces_are_paged_by_their_last_id() -> None:
    """`last_id` stands on the last page too, and does not count there."""
    listed = {"data": [{"id": "w1", "name": "One", "tags": {}}], "has_more": True, "last_id": "w1"}
    assert wire.workspaces(json.dumps(listed).encode()) == ({"w1": "One"}, "w1")
    assert wire.workspaces(json.dumps({**listed, "has_more": False}).encode()) == ({"w1": "One"}, None)
    assert (
        refused(lambda: wire.workspaces(b'{"data": [], "has_more": true}')) == "has_more is true and last_id is empty"
    )


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b'{"type": "error", "error": {"type": "api_error", "message": "Oops"}}', "api_error: Oops"),
        (b'{"error": {"type": "api_error"}}', None),
        (b'{"error": "Oops"}', None),
        (b"<html>", None),
        (b"[]", None),
        (b"", None),
        (b"[" * 100_000, None),
    ],
    ids=lambda value: str(value)[:40],
)
def test_error_bodies(body: bytes, message: str | None) -> None:
    """An error of the API says its type and its message; anything else is None."""
    assert wire.error_message(body) == message
