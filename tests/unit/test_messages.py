"""Report `messages`: buckets of days into rows, and rows into the totals of days and API keys."""

from typing import Any

import pytest

from exporter.errors import ApiShapeChanged
from exporter.exposition.pieces import Pieces
from exporter.model import Samples, Window
from exporter.reports import messages
from exporter.reports.messages import Row, Usage
from tests.bodies import TODAY, bucket, day, message, message_rows, page

LABEL = TODAY.isoformat()
SOURCE = messages.report().source
NULLS = {"api_key_id": None, "workspace_id": None, "model": None, "service_tier": None}


def put(view: Usage, *results: Any, age: int = 0, old: Any = ()) -> list[Row]:  # noqa: ANN401 - JSON
    """Replace a day of a view, and return its rows."""
    rows = message_rows(*results)
    view.replace(day(age), old, rows)
    return rows


def keys(view: Usage) -> dict[tuple[str, ...], float] | None:
    """Return the samples by API key, output tokens alone, or None if they have not changed."""
    samples: Samples | None = view.changes(Window(TODAY, 2), ()).get("keys")
    if samples is None:
        return None
    (family,) = samples.values()
    return {labels[:2]: float(number) for labels, number in family if labels[2] == "output_tokens"}


def test_results_of_one_combination_are_one_row() -> None:
    """Null and empty are `none`, the null workspace is `default`, and an unknown tier is shown as it is called."""
    searched = message(7, server_tool_use={"web_search_requests": 3})
    nulls, empty = message(1, **NULLS), message(1, **dict.fromkeys(NULLS, ""))
    assert message_rows(message(2, service_tier="sprint"), searched, nulls, message(1), empty) == [
        Row("apikey_1", "wrkspc_1", "opus", "sprint", (4, 2, 6, 8, 10), 0),
        Row("apikey_1", "wrkspc_1", "opus", "standard", (16, 8, 24, 32, 40), 3),
        Row("none", "default", "none", "none", (4, 2, 6, 8, 10), 0),
    ]


@pytest.mark.parametrize(
    ("half", "message_"),
    [
        ({"uncached_input_tokens": 1}, "data[0].results[1]: Object missing required field `output_tokens`"),
        (message(output_tokens=None), "data[0].results[1].output_tokens: Expected `int`, got `null`"),
        (message(output_tokens=-1), "data[0].results[1].output_tokens: Expected `int` >= 0"),
        (message(cache_creation=None), "data[0].results[1].cache_creation: Expected `object`, got `null`"),
        (message(cache_creation={}), "data[0].results[1].cache_creation: Object missing required field"),
    ],
)
def test_half_a_row_spoils_its_day_and_no_other(half: Any, message_: str) -> None:  # noqa: ANN401 - JSON
    """A flat count in place of the nested ones must not read as zero forever."""
    days = SOURCE.read([page(bucket(TODAY, message(), half), bucket(day(1), message()))], day(1), TODAY)
    assert isinstance(days[TODAY], ApiShapeChanged)
    assert str(days[TODAY]).startswith(message_)
    assert days[day(1)] == message_rows(message())


def test_the_request_for_days() -> None:
    """Grouped by the four dimensions of a row: the API accepts at most five."""
    path, query = SOURCE.request(day(30), TODAY)[:2]
    assert path == "/usage_report/messages"
    assert query["group_by[]"] == ["api_key_id", "workspace_id", "model", "service_tier"]
    assert (query["starting_at"], query["ending_at"]) == ("2026-10-23T00:00:00Z", "2026-11-23T00:00:00Z")


def test_a_day_s_samples() -> None:
    """By model, by workspace and by tier; an empty day shows that nothing was searched, and no more."""
    view = Usage()
    searched = message(10, model="haiku", service_tier="batch", server_tool_use={"web_search_requests": 3})
    put(view, message(1), searched)
    shown = view.changes(Window(TODAY, 1), {TODAY})[f"day {LABEL}"]
    assert shown is not None
    assert [(labels[1], number) for labels, number in shown["anthropic_tokens"] if labels[2] == "output_tokens"] == [
        ("haiku", 10),
        ("opus", 1),
    ]
    assert shown["anthropic_workspace_tokens"] == [
        ((LABEL, "wrkspc_1", token_type), 11 * factor)
        for token_type, factor in zip(messages.TOKEN_TYPES, (2, 1, 3, 4, 5), strict=True)
    ]
    assert shown["anthropic_service_tier_tokens"] == [((LABEL, "batch"), 150), ((LABEL, "standard"), 15)]
    assert shown["anthropic_web_searches"] == [((LABEL,), 3)]
    view.replace(TODAY, (), [])
    shown = view.changes(Window(TODAY, 1), {TODAY})[f"day {LABEL}"]
    assert {name: samples for name, samples in (shown or {}).items() if samples} == {
        "anthropic_web_searches": [((LABEL,), 0)]
    }


def test_an_api_key_is_summed_over_days_and_workspaces() -> None:
    """A restated or removed day leaves nothing of its old numbers; a key without a day is gone."""
    view = Usage()
    put(view, message(5, api_key_id="apikey_2"), age=1)
    old = put(view, message(1), message(2, workspace_id="wrkspc_2"), message(4, model="haiku"))
    assert keys(view) == {("apikey_1", "haiku"): 4, ("apikey_1", "opus"): 3, ("apikey_2", "opus"): 5}
    assert keys(view) is None
    new = put(view, message(1), message(7, workspace_id="wrkspc_2"), old=old)
    assert keys(view) == {("apikey_1", "opus"): 8, ("apikey_2", "opus"): 5}
    assert put(view, message(1), message(7, workspace_id="wrkspc_2"), old=new) == new
    assert keys(view) is None
    view.replace(TODAY, new, None)
    assert keys(view) == {("apikey_2", "opus"): 5}


def test_a_thousand_keys_make_a_bounded_page() -> None:
    """Five samples for each key and model, however many days and tiers there are; none for each day and key."""
    view, pieces = Usage(), Pieces(messages.FAMILIES)
    for age in range(3):
        put(view, *(message(1, api_key_id=f"apikey_{number}") for number in range(1000)), age=age)
    pieces.change("messages", view.changes(Window(TODAY, 3), ()))
    assert pieces.page().series == 5 * 1000 + 3 * (5 + 5 + 1 + 1)
