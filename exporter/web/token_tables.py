"""Tokens of the whole API as text and tables. Pure."""

from collections.abc import Callable, Sequence
from typing import NamedTuple

from exporter.web.api_tokens import CACHED, OUTPUT, READ, UNCACHED, ApiTokens, Counts, cache_read_share, total
from exporter.web.sections import Row, Table, coverage
from exporter.web.wording import NOT_READ, count, money, share, short

MOST = 20
"""Workspaces and API keys that have a row of their own; the others share one."""
NO_KEY = "no API key"
NOT_FOR_KEY = "Not shown: the exporter's key may not read the API's usage report."


class TokenSection(NamedTuple):
    """The section. `values` are its totals with what they are; without them only the summary is shown."""

    summary: str
    coverage: str = ""
    values: Sequence[tuple[str, str]] = ()
    tables: Sequence[Table] = ()


def token_section(found: ApiTokens | None) -> TokenSection:
    """Return the section; None is a report that the key may not read."""
    if found is None:
        return TokenSection(NOT_FOR_KEY)
    partly = coverage(found.coverage)
    if not found.coverage.read:
        return TokenSection(NOT_READ, partly)
    whole = total(counts for _, counts in found.by("model"))
    if not sum(whole):
        return TokenSection("No tokens were used on these days.", partly)
    saved = sum(found.saved.values()) if found.saved else None
    values = ((short(sum(whole)), "tokens"), (_share(whole), "of the input read from the cache"), _saved(saved))
    tables = (_models(found, whole, saved), _workspaces(found), _tiers(found), _keys(found))
    return TokenSection("", partly, values, tables)


def _saved(dollars: float | None) -> tuple[str, str]:
    if dollars is None:
        return "no price", "to say what caching saved"
    return money(dollars), "saved by caching" if dollars >= 0 else "saved by caching: it cost more than it saved"


def _models(found: ApiTokens, whole: Counts, saved: float | None) -> Table:
    head = ("Model", "Input", "Cache reads", "Cache writes", "Output", "Total", "Cache-read share", "Saved")
    rows = [(name, *_kinds(counts), _money(found.saved.get(name))) for name, counts in found.by("model")]
    return Table("Tokens by model", head, rows, ("Total", *_kinds(whole), _money(saved)))


def _kinds(counts: Counts) -> Row:
    writes = sum(counts[place] for place in CACHED if place != READ)
    numbers = (counts[UNCACHED], counts[READ], writes, counts[OUTPUT], sum(counts))
    return (*map(count, numbers), _share(counts))


def _workspaces(found: ApiTokens) -> Table:
    rows = _most(found.by("workspace_id"), "workspaces", lambda of: found.workspaces.get(of, of))
    return Table("Tokens by workspace", ("Workspace", "Tokens", "Cache-read share"), rows)


def _tiers(found: ApiTokens) -> Table:
    return Table(
        "Tokens by service tier",
        ("Service tier", "Tokens", "Cache-read share"),
        _most(found.by("service_tier"), "tiers", str),
    )


def _keys(found: ApiTokens) -> Table:
    names = {"none": NO_KEY, **found.api_keys}
    rows = _most(found.by("api_key_id"), "API keys", lambda of: names.get(of, of))
    return Table("Tokens by API key", ("API key", "Tokens", "Cache-read share"), rows)


def _most(uses: Sequence[tuple[str, Counts]], others: str, named: Callable[[str], str]) -> list[Row]:
    """Return a row for each of the largest, and one for all others."""
    rest = uses[MOST:]
    shown = [(named(name), counts) for name, counts in uses[:MOST]]
    if rest:
        shown.append((f"{len(rest)} other {others}", total(counts for _, counts in rest)))
    return [(name, count(sum(counts)), _share(counts)) for name, counts in shown]


def _share(counts: Counts) -> str:
    found = cache_read_share(counts)
    return "no input" if found is None else share(found)


def _money(dollars: float | None) -> str:
    return "no price" if dollars is None else money(dollars)
