"""The Claude Code sessions of one day, whole, in the order of the people; the API shows those that have ended.

Only `random()` of the generator and plain arithmetic are used: they give the same numbers on every platform.
"""

import random
from collections.abc import Callable, Iterator, Sequence
from typing import NamedTuple

from exporter.demo.people import ApiKey, Person, Source, api_keys
from exporter.demo.prices import HAIKU, NEWCOMER, OPUS, SONNET
from exporter.demo.story import StoryDay

MINUTES = 1440
FINAL = 1000
"""The permille of a session that shows what it really was."""

_RUNAWAY_HOURS = range(1, 13)
_RUNAWAY_SESSIONS = 55  # an hour, for 120 people
_RUNAWAY_TOKENS = {SONNET: (40_000, 26_000, 1_500_000, 180_000), OPUS: (18_000, 10_000, 560_000, 80_000)}
_USUAL_PEOPLE = 120

_Draw = Callable[[], float]
Tools = tuple[tuple[str, int, int], ...]
Usage = tuple[tuple[str, tuple[int, int, int, int]], ...]


class Session(NamedTuple):
    """A session, or a batch of like sessions of an API key that ended in the same minute of the UTC day.

    `counts` are sessions, lines added, lines removed, commits and pull requests; `tools` are (tool, accepted,
    rejected); `usage` is (model, (input, output, cache_read, cache_creation)). `early` is the permille of all of it
    that the API shows before the day is final: 0 for a session that is reported late, 2000 for one counted twice.
    """

    ended: int
    source: Source
    counts: tuple[int, int, int, int, int]
    tools: Tools
    usage: Usage
    early: int


def day_sessions(day: StoryDay, people: Sequence[Person], seed: int) -> tuple[Session, ...]:
    """Return all sessions of a day."""
    if day.closed:
        return ()
    rng = random.Random(f"sessions {seed} {day.date.isoformat()}")
    if day.lone:
        return (_lone_session(people[0]),) if people else ()
    sessions = [session for person in people for session in _person_day(person, day, rng.random)]
    scale = len(people) / _USUAL_PEOPLE
    for key in api_keys():
        sessions += _key_day(key, day, scale, rng.random)
    if day.runaway:
        sessions += _runaway(api_keys()[0], scale)
    return tuple(sessions)


def _person_day(person: Person, day: StoryDay, draw: _Draw) -> list[Session]:
    if day.offset < person.joined or draw() >= person.attendance * day.attendance:
        return []
    number = person.busy + int(3 * draw()) - 1 if day.working else 1
    return [_session(person, day, place / number, draw) for place in range(number)]


def _session(person: Person, day: StoryDay, place: float, draw: _Draw) -> Session:
    """Return the session of a person that begins at `place` (0 to 1) of the working day."""
    size = person.intensity * (0.5 + draw())
    sources = person.sources
    source = sources[0] if draw() < 0.55 else sources[int(draw() * len(sources))]
    edits = 1 + int(size * 7 * draw())
    added = int(edits * (4 + 18 * draw()))
    counts = (1, added, int(added * 0.6 * draw()), int(0.4 + 1.4 * draw()), int(0.25 + draw()))
    ended = min(person.start + int(place * 480) + 20 + int(70 * draw()), MINUTES - 1)
    return Session(ended, source, counts, _tools(person, edits, draw), _usage(person, day, size, draw), _early(draw))


def _usage(person: Person, day: StoryDay, size: float, draw: _Draw) -> Usage:
    model = SONNET
    if draw() < person.opus:
        new = person.newcomer_at is not None and day.offset >= person.newcomer_at
        model = NEWCOMER if new else OPUS
    tokens = (
        int(size * (6_000 + 18_000 * draw())),
        int(size * (8_000 + 14_000 * draw())),
        int(size * (800_000 + 1_600_000 * draw())),
        int(size * (60_000 + 110_000 * draw())),
    )
    if draw() < 0.4:
        return ((model, tokens),)
    return ((model, tokens), (HAIKU, (int(size * 9_000 * draw()), int(size * 1_500 * draw()), 20_000, 0)))


def _tools(person: Person, edits: int, draw: _Draw) -> Tools:
    """Return the suggestions of each tool; of a hundred, as many are rejected as the person's habit says."""
    rejecting = 1 - person.acceptance
    writes, many = int(edits * 0.5 * draw()), int(edits * 0.4 * draw())
    asked = [("edit_tool", edits), ("write_tool", writes), ("multi_edit_tool", many)]
    if person.notebooks:
        asked.append(("notebook_edit_tool", int(6 * draw())))
    return tuple(_answered(tool, number, rejecting, draw) for tool, number in asked if number)


def _answered(tool: str, number: int, rejecting: float, draw: _Draw) -> tuple[str, int, int]:
    rejected = min(number, int(number * rejecting + draw()))
    return tool, number - rejected, rejected


def _early(draw: _Draw) -> int:
    luck = draw()
    if luck >= 0.08:
        return FINAL
    if luck < 0.012:
        return 0
    return 2000 if luck < 0.024 else 960 + int(90 * draw())


def _lone_session(person: Person) -> Session:
    tokens = (1_200, 300, 9_000, 0)
    return Session(620, person.sources[0], (1, 3, 1, 0, 0), (("edit_tool", 1, 0),), ((HAIKU, tokens),), FINAL)


def _key_day(key: ApiKey, day: StoryDay, scale: float, draw: _Draw) -> Iterator[Session]:
    """Return one batch an hour, with at least one session on working days."""
    if not (day.working or key.weekends):
        return
    for hour in key.hours:
        number = round(key.per_hour * day.traffic * scale * (0.8 + 0.4 * draw()))
        number = max(number, 1) if day.working else number
        if number:
            yield _batch(key, hour * 60 + int(59 * draw()), number, draw)


def _batch(key: ApiKey, ended: int, number: int, draw: _Draw) -> Session:
    amount = 0.9 + 0.2 * draw()
    first, second, third, fourth = (int(number * tokens * amount) for tokens in key.tokens)
    edits = number * key.edits
    added = int(edits * (6 + 9 * draw()))
    counts = (
        number,
        added,
        int(added * 0.5),
        number if edits else 0,
        int(number * 0.5 * draw()) if edits else 0,
    )
    tools = (_answered("edit_tool", edits, 0.09, draw),) if edits else ()
    return Session(ended, key.source, counts, tools, ((key.model, (first, second, third, fourth)),), _early(draw))


def _runaway(key: ApiKey, scale: float) -> Iterator[Session]:
    """Return the sessions of a pipeline that started itself again and again: the spend spike."""
    number = max(1, round(_RUNAWAY_SESSIONS * scale))
    for hour in _RUNAWAY_HOURS:
        usage = tuple(
            (model, (first * number, second * number, third * number, fourth * number))
            for model, (first, second, third, fourth) in _RUNAWAY_TOKENS.items()
        )
        yield Session(hour * 60 + 50, key.source, (number, 0, 0, 0, 0), (), usage, FINAL)
