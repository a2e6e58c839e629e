"""Differences between what a panel shows and what it must show, as sentences: none when they agree."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime

from tests.dashboard.expected import charts, models, users, values
from tests.dashboard.expected_tokens import api_keys
from tests.dashboard.library import Field, Frame, same
from tests.dashboard.truth import Chart, Table, Truth, Values

TABLE, MODELS = "User usage breakdown (whole window)", "Model usage distribution"
KEYS = "API tokens by key (whole window)"
SAVED = "Saved by caching"
SCALE = "scale"
NOT_STACKED = {"Sessions", "People, mean of 7 days", "Acceptance rate"}
TRUST = "Can these numbers be trusted?"
_FROM_THE_LONGEST = {"Acceptance rate by tool"}


def differences(title: str, frames: list[Frame], truth: Truth) -> Iterator[str]:
    """Yield what is wrong with the frames of the panel of this title."""
    if title in charts(truth) and not any(charts(truth)[title].values()):
        if any(field.values for frame in frames for field in frame):
            yield "values, but nothing is known"
    elif title == TABLE:
        yield from table_differences(frames, users(truth), ("User", "Type"), "Estimated cost")
    elif title == KEYS:
        yield from table_differences(frames, api_keys(truth), ("API key", "Id"), "Tokens")
    elif title == MODELS:
        yield from table_differences(frames, models(truth), ("Model",), "Cost")
    elif title in charts(truth):
        yield from chart_differences(frames, charts(truth)[title])
    else:
        yield from value_differences(frames, values(truth)[title], ordered=title in _FROM_THE_LONGEST)


def chart_differences(frames: list[Frame], true: Chart) -> Iterator[str]:
    """Yield what is wrong with a chart: one frame, the days as times, strictly ascending, the series, the sums."""
    if len(frames) != 1 or not frames[0]:
        yield f"{len(frames)} frames, or one without fields"
        return
    day, *series = frames[0]
    yield from _scale_differences(series, true)
    series = [field for field in series if field.name != SCALE]
    yield from _time_differences(day, true)
    if sorted(field.name for field in series) != sorted(true):
        yield f"series {[field.name for field in series]}, not {list(true)}"
        return
    for field in series:
        yield from _series_differences(day, field, true[field.name])


def _time_differences(day: Field, true: Chart) -> Iterator[str]:
    if (day.name, day.type) != ("Day", "time"):
        yield f"the first field is {day.name} of type {day.type}"
    if None in day.values or any(later <= earlier for earlier, later in zip(day.values, day.values[1:], strict=False)):
        yield "the days are not strictly ascending"
    days = sorted(set().union(*true.values()))
    if list(day.values) != [_milliseconds(one) for one in days]:
        yield f"{len(day.values)} days, not {len(days)}, or others"


def _scale_differences(series: list[Field], true: Chart) -> Iterator[str]:
    """Yield what is wrong with the unseen field that stretches the axis: it is the highest stack, on every day."""
    stacked = [days for name, days in true.items() if name not in NOT_STACKED]
    highest = max((sum(days.get(day) or 0 for days in stacked) for day in stacked[0]), default=0)
    for field in series:
        if field.name == SCALE and not same(max(value or 0 for value in field.values), highest):
            yield f"the axis is not stretched to {highest}"


def _series_differences(day: Field, field: Field, true: Mapping[str, float | None]) -> Iterator[str]:
    if field.type != "number":
        yield f"{field.name} is of type {field.type}"
        return
    shown = dict(zip(day.values, field.values, strict=True))
    for one, value in true.items():
        if not same(shown.get(_milliseconds(one)), value):
            yield f"{field.name} on {one}: {shown.get(_milliseconds(one))}, not {value}"
    total = sum(value or 0 for value in field.values)
    if not same(total, sum(value or 0 for value in true.values())):
        yield f"{field.name}: the sum is {total}"


def value_differences(frames: list[Frame], true: Values, *, ordered: bool) -> Iterator[str]:
    """Yield what is wrong with tiles or bars: for each a number field with its name and its one value."""
    shown = {field.name: field.values for frame in frames for field in frame if field.type == "number" and field.values}
    if (list(shown) != list(true)) if ordered else (sorted(shown) != sorted(true)):
        yield f"{list(shown)}, not {list(true)}"
        return
    for name, value in true.items():
        if len(shown[name]) != 1 or not same(shown[name][0], value):
            yield f"{name}: {shown[name]}, not {value}"


def table_differences(frames: list[Frame], true: Table, keys: Sequence[str], sort: str) -> Iterator[str]:
    """Yield what is wrong with a table: the columns in order, a row for each of `true`, the highest of `sort` first."""
    if not true:
        if any(field.values for frame in frames for field in frame):
            yield "values, but nothing is known"
        return
    if len(frames) != 1:
        yield f"{len(frames)} frames"
        return
    columns = {field.name: field for field in frames[0]}
    wanted = [*keys, *next(iter(true.values()))]
    if list(columns) != wanted:
        yield f"columns {list(columns)}, not {wanted}"
        return
    rows = list(zip(*(columns[key].values for key in keys), strict=True))
    if sorted(rows) != sorted(true):
        yield f"{len(rows)} rows, not {len(true)}, or others"
        return
    for name in wanted[len(keys) :]:
        for row, value in zip(rows, columns[name].values, strict=True):
            if not same(value, true[row][name]):
                yield f"{name} of {row}: {value}, not {true[row][name]}"
    sorted_by = [value or 0 for value in columns[sort].values]
    if sorted_by != sorted(sorted_by, reverse=True):
        yield f"not sorted by {sort}"


def _milliseconds(day: str) -> int:
    return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp()) * 1000
