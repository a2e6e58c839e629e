"""The chains of Grafana transformations from an instant answer (a table) to a chart or a table.

Only transformations that ship in `@grafana/data` are used: those of Grafana's core cannot be tried out of it.
An unknown id is skipped by Grafana without a word, hence `KNOWN`, which the tests compare with the library.
"""

from collections.abc import Mapping, Sequence

from grafana.promql import ALL_DAYS

Json = Mapping[str, object]
"""A JSON object of the dashboard."""

KNOWN = frozenset(
    {"sortBy", "groupingToMatrix", "convertFieldType", "organize", "merge", "calculateField", "filterByValue"}
)


def day_matrix(column: str, names: Mapping[str, str] | None = None, *, empty: str = "zero") -> list[Json]:
    """Return the chain to one frame with a time field `Day` and one number field for each value of `column`.

    A vector has no order, so it is sorted before the matrix: by column for an order of the series that stays, then
    by day. The days become times after the matrix, since before it Grafana 11.0 loses the type. `empty` fills a day
    on which a column has no sample: `zero` where the report of that day was read (then absent is none), `null`
    where absent is unknown.
    """
    corner = f"day\\{column}"
    matrix = {"rowField": "day", "columnField": column, "valueField": "Value", "emptyValue": empty}
    return [
        _sort(column),
        _sort("day"),
        {"id": "groupingToMatrix", "options": matrix},
        _to_time(corner),
        organize({corner: "Day", **(names or {})}),
    ]


def stacked_matrix(column: str) -> list[Json]:
    """Return the chain for `promql.stacked`: as `day_matrix`, the columns with the highest sums first.

    The row of all days comes first, so that it decides on the order of the columns, and is then left out.
    """
    _, by_day, matrix, *rest = day_matrix(column)
    corner = {"fieldName": f"day\\{column}", "config": {"id": "equal", "options": {"value": ALL_DAYS}}}
    without = {"id": "filterByValue", "options": {"filters": [corner], "type": "exclude", "match": "any"}}
    return [_sort("Value", desc=True), by_day, matrix, without, *rest]


def with_mean(field: str, days: int, name: str) -> Json:
    """Return the step that adds the mean of a field over each day and the days before it, `days` in all."""
    window = {
        "field": field,
        "reducer": "mean",
        "windowAlignment": "trailing",
        "windowSize": days,
        "windowSizeMode": "fixed",
    }
    options = {"mode": "windowFunctions", "alias": name, "replaceFields": False, "window": window}
    return {"id": "calculateField", "options": options}


def single_day_series(name: str) -> list[Json]:
    """Return the chain to one frame with a time field `Day` and the number field `name`."""
    return [_to_time("day"), _sort("day"), organize({"day": "Day", "Value": name}, drop=("Time",))]


def one_field_each(column: str) -> list[Json]:
    """Return the chain to one frame with one row, and a number field for each value of `column`, the highest first.

    A field that bears the name itself, not a display name alone, has the colour of that name in every panel.
    """
    matrix = {"rowField": "row", "columnField": column, "valueField": "Value", "emptyValue": "null"}
    return [_sort("Value", desc=True), {"id": "groupingToMatrix", "options": matrix}]


def one_row_each(columns: Mapping[str, str], *, sort: str) -> list[Json]:
    """Return the chain that joins several answers by their common labels; `columns` maps fields to titles, in order."""
    return [{"id": "merge", "options": {}}, organize(columns, drop=("Time",)), _sort(sort, desc=True)]


def organize(names: Mapping[str, str], *, drop: Sequence[str] = ()) -> Json:
    """Return the step that drops fields, then renames the others and puts them in the order of `names`.

    After a matrix nothing may be dropped as `Time`: that is also what Grafana calls a time field without a name.
    """
    index = {name: place for place, name in enumerate(names)}
    options = {"excludeByName": dict.fromkeys(drop, True), "indexByName": index, "renameByName": dict(names)}
    return {"id": "organize", "options": options}


def _sort(field: str, *, desc: bool = False) -> Json:
    return {"id": "sortBy", "options": {"fields": {}, "sort": [{"field": field, "desc": desc}]}}


def _to_time(field: str) -> Json:
    conversion = {"targetField": field, "destinationType": "time"}
    return {"id": "convertFieldType", "options": {"fields": {}, "conversions": [conversion]}}
