"""The parts of a dashboard's JSON."""

from collections.abc import Iterator
from typing import Any

Json = dict[str, Any]


def variable(dashboard: Json, name: str) -> Json:
    """Return the variable of this name."""
    (found,) = [one for one in dashboard["templating"]["list"] if one["name"] == name]
    return dict(found)


def panels(dashboard: Json) -> Iterator[Json]:
    """Yield every panel, also those of folded rows; rows themselves are left out."""
    for panel in dashboard["panels"]:
        if panel["type"] == "row":
            yield from panel["panels"]
        else:
            yield panel
