"""What caching saved, and the section on tokens of the whole API, in states that the simulated organisation lacks."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

import pytest

from exporter.reports import cost, messages
from exporter.reports.sums import Group
from exporter.web.api_tokens import ApiTokens, Use, add_day, saved
from exporter.web.report import Coverage, Query
from exporter.web.token_tables import token_section

FIRST, SECOND = date(2026, 11, 19), date(2026, 11, 20)
BOTH = Query(FIRST, SECOND)
UNCACHED, OUTPUT, READ, WRITE = messages.TOKEN_TYPES[:4]
Tokens = tuple[int, int, int, int, int]
Line = tuple[str, str, str]
OPUS: Tokens = (10, 7, 100, 4, 0)
MORE: Tokens = (90, 0, 900, 0, 0)
PAID: list[Line] = [("opus", UNCACHED, "50"), ("opus", READ, "50"), ("opus", WRITE, "25"), ("opus", OUTPUT, "999")]


def day_of(**models: Tokens) -> messages.Day:
    """Return the tokens of a day by model."""
    return messages.day_sums(
        [messages.Row("key", "default", of, "standard", counts, 0) for of, counts in models.items()]
    )


def bill(lines: Sequence[Line]) -> cost.Day:
    """Return the bill of a day: model, token type and cents."""
    return cost.day_sums([cost.Row("default", model, "tokens", kind, Decimal(cents)) for model, kind, cents in lines])


@pytest.mark.parametrize(
    ("used", "bills", "cents"),
    [
        ({FIRST: day_of(opus=OPUS)}, {FIRST: bill(PAID)}, {"opus": 445}),
        ({FIRST: day_of(opus=(10, 0, 0, 4, 0))}, {FIRST: bill([PAID[0], PAID[2]])}, {"opus": -5}),
        ({FIRST: day_of(opus=(10, 9, 0, 0, 0))}, {FIRST: bill([PAID[0]])}, {"opus": 0}),
        ({FIRST: day_of(opus=(0, 7, 100, 4, 0))}, {FIRST: bill(PAID)}, {}),
        ({FIRST: day_of(opus=OPUS)}, {FIRST: bill(PAID[1:])}, {}),
        ({FIRST: day_of(opus=OPUS)}, {FIRST: bill([("opus", UNCACHED, "-1"), *PAID[1:]])}, {}),
        ({FIRST: day_of(opus=OPUS, haiku=OPUS)}, {FIRST: bill(PAID)}, {"opus": 445}),
        ({FIRST: day_of(opus=OPUS), SECOND: day_of(opus=MORE)}, {FIRST: bill(PAID)}, {"opus": 445}),
        ({FIRST: day_of(opus=OPUS)}, {FIRST: bill(PAID), SECOND: bill(PAID)}, {"opus": 445}),
        ({FIRST: day_of(opus=OPUS), SECOND: day_of(opus=MORE)}, {FIRST: bill(PAID), SECOND: bill([])}, {"opus": 445}),
        (
            {FIRST: day_of(opus=OPUS), SECOND: day_of(opus=(10, 0, 0, 0, 0))},
            {FIRST: bill(PAID), SECOND: bill([("opus", UNCACHED, "150")])},
            {"opus": 965},
        ),
    ],
    ids=[
        *("reads and writes", "writes alone", "no cache", "no uncached input", "uncached input not on the bill"),
        *("a refund", "a model not on the bill", "a day without its bill", "a day without its tokens"),
        *("a day with an empty bill", "one price for both days"),
    ],
)
def test_what_caching_saved(
    used: dict[date, messages.Day], bills: dict[date, cost.Day], cents: dict[str, float]
) -> None:
    """It is what a person works out; without a price there is no number, which is not zero."""
    assert saved(BOTH, used, bills) == {model: number / 100 for model, number in cents.items()}


def test_models_are_filtered() -> None:
    """Tokens and savings of other models are left out."""
    query = BOTH._replace(models=frozenset({"haiku"}))
    assert saved(query, {FIRST: day_of(opus=OPUS)}, {FIRST: bill(PAID)}) == {}
    tokens: dict[Use, Group] = {}
    add_day(tokens, [messages.Row("key", "default", of, "standard", OPUS, 0) for of in ("opus", "haiku")], query)
    assert [use.model for use in tokens] == ["haiku"]


def found(uses: dict[Use, Tokens], **dollars: float) -> ApiTokens:
    """Return the tokens of one day."""
    return ApiTokens(Coverage(1, 1), {use: Group(1, tuple(of)) for use, of in uses.items()}, dollars)


def test_caching_that_cost_more_than_it_saved() -> None:
    """A negative amount says so, and is not hidden."""
    section = token_section(found({Use("key", "default", "opus", "standard"): (10, 0, 0, 4, 0)}, opus=-12.5))
    assert section.values[-1] == ("-$12.50", "saved by caching: it cost more than it saved")
    assert section.tables[0].rows[0][-1] == "-$12.50"


def test_many_keys_are_folded() -> None:
    """Twenty keys have a row each, the others one together; a name that is not known is the id."""
    uses = {Use(f"key_{number:02}", "default", "opus", "standard"): (0, number, 0, 0, 0) for number in range(1, 26)}
    section = token_section(found(uses)._replace(api_keys={"key_25": "ci"}))
    keys = section.tables[-1].rows
    assert keys[0] == ("ci", "25", "no input")
    assert keys[19] == ("key_06", "6", "no input")
    assert keys[20:] == [("5 other API keys", "15", "no input")]
