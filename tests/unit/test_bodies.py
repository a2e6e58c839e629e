"""Typed decoding of bodies: messages name the field and hold no value, and amounts keep every digit."""

import json
from typing import Any

import pytest
from msgspec import Struct

from exporter.api.bodies import Count, Decoder, Money, Text, Usd
from exporter.errors import ApiShapeChanged


class Body(Struct):
    """One field of each kind."""

    flag: bool
    count: Count = 0
    text: Text | None = None
    currency: Usd = "USD"
    map: dict[str, dict[str, Count]] = {}
    items: list[Money] = []


decode = Decoder(Body)
NOT_JSON = "the body is not JSON, or cut off"


def refused(body: bytes, where: str = "") -> str:
    """Return the message with which a body is refused."""
    with pytest.raises(ApiShapeChanged) as caught:
        decode(body, where)
    return str(caught.value)


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (b"", "the body is empty"),
        (b" \n", "the body is empty"),
        (b" <html>", "the body is HTML"),
        (b"{", NOT_JSON),
        (b"\xff", NOT_JSON),
        (b'{"flag": true} {}', NOT_JSON),
        (b'{"x":' * 100_000, NOT_JSON),
        (b"[" * 100_000, "the body: Expected `object`, got `array`"),
        (b'{"flag": NaN}', NOT_JSON),
        (b'{"text": "\\ud83d"}', NOT_JSON),
        (b'{"map": {"\\ud83d": {}}}', NOT_JSON),
        (b"null", "the body: Expected `object`, got `null`"),
        (b"{}", "the body: Object missing required field `flag`"),
        (b'{"flag": 1}', "flag: Expected `bool`, got `int`"),
        (b'{"flag": true, "flag": "no"}', "flag: Expected `bool`, got `str`"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_what_is_no_such_body_is_refused(body: bytes, message: str) -> None:
    """Half a page, a proxy's page, deep nesting and half of a surrogate pair included."""
    assert refused(body) == message


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"count": "1"}, "count: Expected `int`, got `str`"),
        ({"count": 1.5}, "count: Expected `int`, got `float`"),
        ({"count": True}, "count: Expected `int`, got `bool`"),
        ({"count": -1}, "count: Expected `int` >= 0"),
        ({"count": 2**63}, f"count: Expected `int` <= {2**63 - 1}"),
        ({"text": ["ana@example.test"]}, "text: Expected `str | null`, got `array`"),
        ({"text": "x" * 4097}, "text: Expected `str` of length <= 4096"),
        ({"currency": "EUR"}, "currency: Invalid enum value"),
        ({"currency": "ana@example.test - at `$.x`"}, "currency: Invalid enum value"),
        ({"map": {"ana@example.test": {"bo@example.test": None}}}, "map[...][...]: Expected `int`, got `null`"),
        ({"items": [{"amount": 1}]}, "items[0]: Object missing required field `currency`"),
    ],
    ids=lambda value: str(value)[:40],
)
def test_a_message_names_the_field_and_holds_no_value(fields: dict[str, Any], message: str) -> None:
    """Nor a key of an open map, either of which may be an e-mail address; `where` begins the path of a part."""
    body = json.dumps({"flag": True, **fields}).encode()
    assert refused(body) == message
    assert refused(body, "data[3]") == f"data[3].{message}"
    assert refused(b"{", "data[3]") == "data[3] is not JSON, or cut off"


def test_additions_are_skipped_and_the_last_of_two_equal_keys_counts() -> None:
    """As in every JSON reader that our peers use."""
    assert decode(b'{"new": [{}], "flag": false, "count": 1, "count": 2, "flag": true}') == Body(flag=True, count=2)


@pytest.mark.parametrize(
    "text",
    [
        *("141", "0.37", "-50.00", "230.0", "1e2", "0.1234567890123456789", "99999.123456789012345678901234567890"),
        *("999999999999999999", "1e-30"),
    ],
)
@pytest.mark.parametrize("quoted", [True, False])
def test_an_amount_keeps_the_digits_of_its_text(text: str, quoted: bool) -> None:  # noqa: FBT001 - a table
    """In both forms of the API, a string and a number: none passes through a binary float."""
    value = f'"{text}"' if quoted else text
    (money,) = decode(f'{{"flag": true, "items": [{{"amount": {value}, "currency": "USD"}}]}}'.encode()).items
    assert str(money.amount) == str(text).upper().replace("E2", "E+2")


@pytest.mark.parametrize(
    "value",
    [
        *('"NaN"', '"sNaN"', '"Infinity"', '"-inf"', "1e400", "1e18", "1000000000000000000", "1e-31", "0." + "1" * 31),
        *("1" * 5000, "1e999999"),
    ],
)
def test_an_amount_that_the_sums_could_not_hold_is_refused(value: str) -> None:
    """18 digits before the point and 30 after it are the bound; what is no number at all is refused too."""
    body = f'{{"flag": true, "items": [{{"amount": {value}, "currency": "USD"}}]}}'.encode()
    assert refused(body) == "items[0]: not an amount of money"


@pytest.mark.parametrize("value", ['"1,5"', "true", "null", "[]", "1e99999999999999999999"])
def test_an_amount_that_is_no_number_is_refused(value: str) -> None:
    """By the name of its field."""
    body = f'{{"flag": true, "items": [{{"amount": {value}, "currency": "USD"}}]}}'.encode()
    assert refused(body).startswith("items[0].amount: ")
