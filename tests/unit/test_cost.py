"""Report `cost`: buckets of days into rows, and rows into the totals of a day."""

from datetime import date
from decimal import Decimal
from typing import Any

import pytest

from exporter.errors import ApiShapeChanged
from exporter.model import Window
from exporter.reports import cost
from exporter.reports.cost import Row
from tests.bodies import TODAY, bucket, cost_rows, day, page, result

SOURCE = cost.report().source
LABEL = TODAY.isoformat()


def test_null_dimensions_are_none_and_the_null_workspace_is_default() -> None:
    """Both groupings were requested, so a null is a value and not an absence. Rows are in a fixed order."""
    nulls = result("2", model=None, cost_type=None, token_type="", workspace_id=None)
    named = result("1", workspace_id="wrkspc_1")
    expected = [
        Row("default", "none", "none", "none", Decimal(2)),
        Row("wrkspc_1", "opus", "tokens", "output", Decimal(1)),
    ]
    assert cost_rows(named, nulls) == cost_rows(nulls, named) == expected


BAD_DAYS: list[tuple[Any, str]] = [
    (bucket(TODAY, result("1,5")), "data[0].results[0].amount: Invalid decimal string"),
    (bucket(TODAY, result("NaN")), "data[0].results[0]: not an amount of money"),
    (bucket(TODAY, result(currency="EUR")), "data[0].results[0].currency: Invalid enum value"),
    (
        bucket(TODAY, result(), {"amount": "1"}),
        "data[0].results[1]: Object missing required field `currency`",
    ),
    ({**bucket(TODAY), "ending_at": f"{TODAY}T23:59:59Z"}, "data[0].ending_at is neither a date nor midnight UTC"),
    ({**bucket(TODAY), "ending_at": f"{day(-2)}"}, "data[0] is not one UTC day"),
    ({**bucket(TODAY), "ending_at": f"{TODAY}"}, "data[0] is not one UTC day"),
    ({"starting_at": f"{TODAY}T00:00:00Z"}, "data[0]: Object missing required field `ending_at`"),
]


@pytest.mark.parametrize(("entry", "message"), BAD_DAYS, ids=[message for _, message in BAD_DAYS])
def test_a_bad_day_harms_no_other(entry: Any, message: str) -> None:  # noqa: ANN401 - JSON
    """The day holds the reason, the day beside it its rows."""
    days = SOURCE.read([page(entry, bucket(day(1), result()))], day(1), TODAY)
    assert isinstance(days[TODAY], ApiShapeChanged)
    assert str(days[TODAY]) == message
    assert days[day(1)] == cost_rows(result())


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ({"results": []}, "data[0]: Object missing required field `starting_at`"),
        ([], "data[0]: Expected `object`, got `array`"),
        ({"starting_at": None}, "data[0].starting_at: Expected `str`, got `null`"),
        ({"starting_at": f"{TODAY}T00:00:00-08:00"}, "data[0].starting_at is neither a date nor midnight UTC"),
        (bucket(TODAY, result(workspace_id="\ud83d")), "the body is not JSON, or cut off"),
        (bucket(day(1)), f"data[0] is for {day(1)}, which was not requested"),
        (bucket(day(-1)), f"data[0] is for {day(-1)}, which was not requested"),
    ],
    ids=str,
)
def test_an_entry_of_an_unknown_day_spoils_the_answer(entry: Any, message: str) -> None:  # noqa: ANN401 - JSON
    """An API that ignores the bounds must not fill days that nobody asked for."""
    with pytest.raises(ApiShapeChanged) as caught:
        SOURCE.read([page(entry)], TODAY, TODAY)
    assert str(caught.value) == message


@pytest.mark.parametrize("bodies", [[page(bucket(TODAY), bucket(TODAY))], [page(bucket(TODAY))] * 2])
def test_a_second_entry_for_a_day_spoils_the_answer(bodies: list[bytes]) -> None:
    """On one page or on two: neither would be the whole day."""
    with pytest.raises(ApiShapeChanged, match=rf"^data\[\d\] is a second entry for {TODAY}$"):
        SOURCE.read(bodies, TODAY, TODAY)


def test_the_last_day_of_the_calendar_does_no_harm() -> None:
    """There is no day after it."""
    last = {"starting_at": "9999-12-31", "ending_at": "9999-12-31", "results": []}
    assert str(SOURCE.read([page(last)], date.max, date.max)[date.max]) == "data[0] is not one UTC day"


def test_the_request_for_days() -> None:
    """Both bounds at midnight UTC, the end exclusive, grouped by both, 31 days per page."""
    assert SOURCE.request(day(30), TODAY)[:2] == (
        "/cost_report",
        {
            "starting_at": "2026-10-23T00:00:00Z",
            "ending_at": "2026-11-23T00:00:00Z",
            "bucket_width": "1d",
            "group_by[]": ["description", "workspace_id"],
            "limit": "31",
        },
    )
    assert SOURCE.days_per_request == 31


def test_a_day_s_samples() -> None:
    """Dollars by line and by workspace, both of the same exact sum, which becomes the nearest float once."""
    view = cost.report().view()
    tenths = [result("0.1")] * 3
    searches = result("5", model=None, cost_type="web_search", token_type=None)
    view.replace(TODAY, (), cost_rows(*tenths, result("1234567890123.45", workspace_id="w"), searches))
    assert view.changes(Window(TODAY, 1), {TODAY}) == {
        f"day {LABEL}": {
            "anthropic_cost_usd": [
                ((LABEL, "none", "web_search", "none"), 0.05),
                ((LABEL, "opus", "tokens", "output"), 12345678901.2375),
            ],
            "anthropic_workspace_cost_usd": [((LABEL, "default"), 0.053), ((LABEL, "w"), 12345678901.2345)],
            "anthropic_product_cost_usd": [],
            "anthropic_list_cost_usd": [],
        }
    }
    view.replace(TODAY, (), None)
    assert view.changes(Window(TODAY, 1), ()) == {f"day {LABEL}": None}
    assert view.changes(Window(TODAY, 1), ()) == {}
