"""What a query of the dashboard names: selectors with their families and labels, found by regular expressions.

They suffice for the queries of the generator, which writes each selector as `family{matchers}`.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

from tests.dashboard.parts import Json, panels

_SELECTOR = re.compile(r"(\{__name__=~\"[^\"]+\"|\w+\{)([^}]*)\}")
_MATCHER = re.compile(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"')
_NAMES = re.compile(r'__name__=~"([^"]+)"')
_GROUPING = re.compile(r"\b(?:by|on|group_left|group_right|without|ignoring)\s*\(([^)]*)\)")


@dataclass(frozen=True)
class Selector:
    """A selector: the families that it selects, and its matchers by label."""

    families: tuple[str, ...]
    matchers: dict[str, str]


def selectors(query: str) -> Iterator[Selector]:
    """Yield the selectors of a query, with its variables not filled in."""
    for match in _SELECTOR.finditer(re.sub(r"\$\{\w+\}", "", query)):
        names = _NAMES.search(match[0])
        families = names[1].split("|") if names else [match[1].rstrip("{")]
        matchers = dict(_MATCHER.findall(match[0]))
        matchers.pop("__name__", None)
        yield Selector(tuple(families), matchers)


def families(query: str) -> set[str]:
    """Return every word of a query that looks like one of our families, inside a selector or not."""
    return set(re.findall(r"\banthropic_\w+", query))


def grouping_labels(query: str) -> set[str]:
    """Return the labels by which a query aggregates or joins."""
    return {label.strip() for match in _GROUPING.finditer(query) for label in match[1].split(",")} - {""}


def queries(dashboard: Json) -> Iterator[tuple[str, str]]:
    """Yield where each query stands and the query: of targets, annotations and variables."""
    for panel in panels(dashboard):
        for target in panel["targets"]:
            yield f"{panel['title']}, {target['refId']}", target["expr"]
    for one in dashboard["annotations"]["list"]:
        if "expr" in one:
            yield f"annotation {one['name']}", one["expr"]
    for one in dashboard["templating"]["list"]:
        if one["type"] == "query":
            yield f"variable {one['name']}", one["query"]["query"]
