"""API traffic beside Claude Code, and its use: how many units of each line of the bill each API key has used.

A *line* is one combination of the dimensions of `cost_report`; its units are tokens, searches or tenths of hours.
"""

import random
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import NamedTuple

from exporter.demo import keys, prices
from exporter.demo.people import DEFAULT_WORKSPACE, PLATFORM, PROTOTYPE, RESEARCH, SUPPORT, Source
from exporter.demo.sessions import FINAL, MINUTES, Session
from exporter.demo.story import NEWCOMER_DAYS, StoryDay, View

_BUSINESS = (1, 1, 1, 1, 1, 2, 4, 7, 10, 11, 11, 10, 9, 10, 11, 11, 10, 8, 6, 5, 4, 3, 2, 1)
_FLAT = (1,) * 24
_NIGHT = (6, 6, 6, 6, 4) + (0,) * 17 + (2, 6)
_USUAL_PEOPLE = 120
_PRODUCTS = {"code_execution": None, "session_usage": "managed_agents_api"}
CLAUDE_CODE = "claude_code"

PROTOTYPE_DAYS = 74
"""Days before the anchor on which the prototype's workspace was archived."""


class Line(NamedTuple):
    """The dimensions of one billed amount; None where the API says null."""

    workspace_id: str | None
    cost_type: str
    model: str | None = None
    token_type: str | None = None
    service_tier: str | None = None
    context_window: str | None = None
    inference_geo: str | None = None


class Use(NamedTuple):
    """A line of the bill, the API key that used it (None for the Workbench and OAuth), and the product.

    The product is None where the API names none, as for code execution.
    """

    api_key_id: str | None
    line: Line
    product: str | None


class Stream(NamedTuple):
    """A steady use of the API: units of a full working day by line, over the hours of the day."""

    api_key_id: str | None
    units: tuple[tuple[Line, int], ...]
    hours: tuple[int, ...]
    since: int | None = None
    until: int | None = None


def _tokens(
    workspace_id: str | None, model: str, tier: str, geo: str, tokens: tuple[int, int, int, int, int]
) -> tuple[tuple[Line, int], ...]:
    """Return lines of (uncached, output, cache read, cache 1 h, cache 5 min) thousands of tokens."""
    types = (prices.UNCACHED, prices.OUTPUT, prices.CACHE_READ, prices.CACHE_1H, prices.CACHE_5M)
    return tuple(
        (Line(workspace_id, "tokens", model, token_type, tier, "0-200k", geo), thousands * 1000)
        for token_type, thousands in zip(types, tokens, strict=True)
        if thousands
    )


STREAMS = (
    Stream(
        keys.CHAT, _tokens(SUPPORT, prices.SONNET, "standard", "us", (14_000, 4_600, 62_000, 900, 5_200)), _BUSINESS
    ),
    Stream(
        keys.ROUTER,
        _tokens(SUPPORT, prices.HAIKU, "standard", "not_available", (21_000, 5_200, 30_000, 0, 0)),
        _BUSINESS,
    ),
    Stream(keys.SUMMARIES, _tokens(SUPPORT, prices.HAIKU, "batch", "us", (30_000, 3_900, 0, 0, 0)), _NIGHT),
    Stream(keys.CHAT, ((Line(SUPPORT, "web_search"), 640), (Line(SUPPORT, "session_usage"), 310)), _BUSINESS),
    Stream(keys.EVALUATION, _tokens(RESEARCH, prices.OPUS, "batch", "global", (9_000, 2_600, 0, 0, 0)), _NIGHT),
    Stream(
        keys.NOTEBOOKS,
        _tokens(RESEARCH, prices.NEWCOMER, "standard", "global", (2_100, 600, 900, 0, 240)),
        _FLAT,
        -NEWCOMER_DAYS,
    ),
    Stream(keys.NOTEBOOKS, ((Line(RESEARCH, "code_execution"), 420),), _BUSINESS),
    Stream(keys.SEARCH, _tokens(PLATFORM, prices.SONNET, "standard", "global", (3_000, 700, 9_000, 120, 700)), _FLAT),
    Stream(None, _tokens(DEFAULT_WORKSPACE, prices.SONNET, "standard", "global", (1_900, 420, 0, 0, 0)), _BUSINESS),
    Stream(None, ((Line(DEFAULT_WORKSPACE, "web_search"), 25),), _BUSINESS),
    Stream(
        keys.PROTOTYPE,
        _tokens(PROTOTYPE, prices.HAIKU, "standard", "global", (4_000, 900, 0, 0, 0)),
        _FLAT,
        None,
        -PROTOTYPE_DAYS,
    ),
)


def used_units(day: StoryDay, view: View, sessions: Iterable[Session], *, people: int, seed: int) -> Counter[Use]:
    """Return the units of each line of a day's bill by API key, as a view shows them.

    Before the day is final, late sessions are missing, some are counted twice, and streams are a little off.
    """
    units: Counter[Use] = Counter()
    for session in sessions:
        permille = FINAL if view.final else session.early
        if session.ended < view.minute and permille and session.source.customer_type == "api":
            key = keys.id_of(session.source.name) if session.source.actor_type == "api_actor" else None
            for line, tokens in _session_units(session):
                units[Use(key, line, CLAUDE_CODE)] += (tokens * permille + 500) // 1000
    rng = random.Random(f"traffic {seed} {day.date.isoformat()}")
    for use, number in _stream_units(day, view, people, rng.random):
        units[use] += number
    return units


def units_of_actors(view: View, sessions: Iterable[Session]) -> Counter[tuple[Source, Line]]:
    """Return the units of each line of a day's bill that Claude Code used, by who used it."""
    units: Counter[tuple[Source, Line]] = Counter()
    for session in sessions:
        permille = FINAL if view.final else session.early
        if session.ended < view.minute and permille and session.source.customer_type == "api":
            for line, tokens in _session_units(session):
                units[session.source, line] += (tokens * permille + 500) // 1000
    return units


def billed_units(used: Mapping[Use, int]) -> Counter[Line]:
    """Return the units of each line of a day's bill."""
    units: Counter[Line] = Counter()
    for use, number in used.items():
        units[use.line] += number
    return units


def grains(line: Line) -> int:
    """Return the price of one unit of a line, in grains."""
    if line.model is None or line.token_type is None:
        return prices.UNIT_GRAINS[line.cost_type]
    return prices.token_grains(line.model, line.token_type, line.service_tier or "standard")


def list_grains(line: Line) -> int:
    """Return the price of one unit of a line without the contract's discount, in grains."""
    if line.model is None or line.token_type is None:
        return prices.UNIT_GRAINS[line.cost_type]
    return prices.list_grains(line.model, line.token_type, line.service_tier or "standard")


def _product(key: str | None, line: Line) -> str | None:
    if line.cost_type in _PRODUCTS:
        return _PRODUCTS[line.cost_type]
    if line.service_tier == "batch":
        return "message_batches_api"
    return "messages_api" if key else "claude_console"


def _session_units(session: Session) -> Iterator[tuple[Line, int]]:
    source = session.source
    geo = "us" if source.is_remote else "global"
    for model, (uncached, output, cache_read, cache_creation) in session.usage:
        an_hour = cache_creation // 5
        numbers = (uncached, output, cache_read, an_hour, cache_creation - an_hour)
        types = (prices.UNCACHED, prices.OUTPUT, prices.CACHE_READ, prices.CACHE_1H, prices.CACHE_5M)
        for token_type, number in zip(types, numbers, strict=True):
            yield (
                Line(source.workspace_id, "tokens", model, token_type, "standard", source.context_window, geo),
                number,
            )


def _stream_units(day: StoryDay, view: View, people: int, draw: Callable[[], float]) -> Iterator[tuple[Use, int]]:
    if day.closed:
        return
    for stream in STREAMS:
        noise, error = 930 + int(140 * draw()), 985 + int(30 * draw())
        if not _flows(stream, day.offset):
            continue
        permille = noise if view.final else noise * error // FINAL
        for line, full in stream.units:
            whole = round(full * day.traffic * people / _USUAL_PEOPLE) * permille // 1000
            yield (
                Use(stream.api_key_id, line, _product(stream.api_key_id, line)),
                whole * _elapsed(stream.hours, view.minute) // _elapsed(stream.hours, MINUTES),
            )


def _flows(stream: Stream, offset: int) -> bool:
    return (stream.since is None or offset >= stream.since) and (stream.until is None or offset <= stream.until)


def _elapsed(hours: tuple[int, ...], minute: int) -> int:
    """Return how much of a day's traffic has flowed by a minute, in weighted minutes."""
    hour, rest = divmod(minute, 60)
    return sum(hours[:hour]) * 60 + (hours[hour] * rest if rest else 0)
