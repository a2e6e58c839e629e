"""The people and API keys of the simulated organisation, and the sources of use that each has.

A *source* is what the API makes one record of: one actor at one terminal, with one kind of customer, local or remote.
"""

import random
from functools import lru_cache
from typing import NamedTuple

from exporter.demo import story
from exporter.demo.prices import OPUS, SONNET

PLATFORM, CLAUDE_CODE = "wrkspc_01SIMplatform000000000000", "wrkspc_01SIMclaudecode0000000000"
SUPPORT, RESEARCH = "wrkspc_01SIMsupport0000000000000", "wrkspc_01SIMresearch000000000000"
PROTOTYPE = "wrkspc_01SIMprototype00000000000"
DEFAULT_WORKSPACE = None
"""The default workspace has no id in the classic reports, and is not listed."""
DEFAULT_ID = "wrkspc_01SIMdefault0000000000000"
"""Its id everywhere else."""

_GIVEN = """
    ana bo carla david elena farid grace hugo ines jonas keiko lena marco nadia omar petra quinn rosa samir
    tara uma victor wanda xavier yara zoe aisha bruno chloe dario emma felix gita hassan irene jamal karin
    liam mina noah
""".split()  # noqa: SIM905 - eighty quoted words are harder to read
_FAMILY = """
    lopez jensen novak okafor tanaka weber rossi silva kowalski haddad martin berg dubois nguyen popescu
    clarke ivanova moreau fischer costa larsen patel romero sato keller vargas wolf ahmed bianchi cohen
    duarte ek farkas garcia horvat iqbal janssen kim lindqvist mbeki
""".split()  # noqa: SIM905 - see _GIVEN
_TERMINALS = (
    "vscode",
    "iTerm.app",
    "tmux",
    "JetBrains-IDEA",
    "WarpTerminal",
    "cursor",
    "ghostty",
    "Apple_Terminal",
)
_INTENSITY = (0.5, 0.7, 0.9, 1.0, 1.2, 1.4, 1.6, 1.9, 2.3, 3.0)
_FOUNDING_SHARE = 0.57  # of the people are there when the ramp begins
_FIRST_DAY_SHARE = 0.45  # of the people are there when life begins


class Source(NamedTuple):
    """What the API makes one record of, and where it is billed (`workspace_id`, `context_window`)."""

    actor_type: str
    name: str
    customer_type: str
    subscription_type: str | None
    terminal_type: str
    is_remote: bool
    workspace_id: str | None
    context_window: str
    decimals: int
    all_tools: bool
    """Whether the record names tools that were not used."""


class Person(NamedTuple):
    """One person's habits. `joined` and `newcomer_at` are days after the anchor (None: never)."""

    sources: tuple[Source, ...]
    joined: int
    newcomer_at: int | None
    attendance: float
    busy: int
    intensity: float
    opus: float
    acceptance: float
    start: int
    notebooks: bool


class ApiKey(NamedTuple):
    """A program that runs Claude Code with an API key.

    It makes `per_hour` sessions in each of its `hours` of a full working day, each of `tokens` (input, output,
    cache_read, cache_creation) and `edits`.
    """

    source: Source
    model: str
    per_hour: int
    hours: range
    tokens: tuple[int, int, int, int]
    edits: int = 0
    weekends: bool = False


@lru_cache(maxsize=8)
def people(count: int, seed: int) -> tuple[Person, ...]:
    """Return the people of an organisation in the order in which they joined; the same for the same arguments."""
    rng = random.Random(f"people {seed}")
    return tuple(_person(number, _joined(number, count), rng) for number in range(count))


@lru_cache(maxsize=1)
def api_keys() -> tuple[ApiKey, ...]:
    """Return the five API keys that run Claude Code."""
    return (
        ApiKey(
            _key("ci-code-review", PLATFORM), SONNET, 4, range(6, 20), (9_000, 2_400, 90_000, 14_000), weekends=True
        ),
        ApiKey(_key("nightly-refactor", PLATFORM), OPUS, 3, range(1, 5), (14_000, 9_000, 420_000, 40_000), 9),
        ApiKey(_key("docs-bot", DEFAULT_WORKSPACE), SONNET, 1, range(7, 18), (6_000, 3_000, 60_000, 9_000), 3),
        ApiKey(
            _key("dependency-updates", CLAUDE_CODE),
            SONNET,
            2,
            range(3, 5),
            (8_000, 3_000, 120_000, 12_000),
            4,
            weekends=True,
        ),
        ApiKey(_key("release-notes", DEFAULT_WORKSPACE), OPUS, 1, range(15, 16), (20_000, 4_000, 80_000, 12_000), 1),
    )


def _key(name: str, workspace_id: str | None) -> Source:
    return Source(
        actor_type="api_actor",
        name=name,
        customer_type="api",
        subscription_type=None,
        terminal_type="non-interactive",
        is_remote=False,
        workspace_id=workspace_id,
        context_window="200k-1M" if name == "nightly-refactor" else "0-200k",
        decimals=2 if name == "docs-bot" else 0,
        all_tools=name == "ci-code-review",
    )


def _joined(number: int, count: int) -> int:
    """Return the day on which a person joined: nearly half on the first day, few for a year, then the ramp."""
    share = (number + 0.5) / count
    if share < _FIRST_DAY_SHARE:
        return -story.HISTORY_DAYS
    if share < _FOUNDING_SHARE:
        place = (share - _FIRST_DAY_SHARE) / (_FOUNDING_SHARE - _FIRST_DAY_SHARE)
        return int((story.RAMP_DAYS - story.HISTORY_DAYS) * (1 - place)) - story.RAMP_DAYS
    place = (share - _FOUNDING_SHARE) / (1 - _FOUNDING_SHARE)
    return int(place * (story.RAMP_DAYS - 1)) - story.RAMP_DAYS


def _person(number: int, joined: int, rng: random.Random) -> Person:
    draw = rng.random
    newcomer_at = -story.NEWCOMER_DAYS + int(max(0.0, draw() * 30 - 4)) if draw() < 0.7 else None
    return Person(
        sources=_sources(_address(number), rng),
        joined=joined,
        newcomer_at=newcomer_at,
        attendance=0.82 + 0.16 * draw(),
        busy=2 + int(3 * draw()),
        intensity=_INTENSITY[int(draw() * len(_INTENSITY))],
        opus=0.1 + 0.6 * draw(),
        acceptance=0.85 + 0.08 * draw(),
        start=(13 if draw() < 0.25 else 6) * 60 + int(120 * draw()),  # a quarter works in America
        notebooks=draw() < 0.12,
    )


def _address(number: int) -> str:
    """Return an address of example.test; no two numbers give the same one."""
    # Every pair of given and family name is used once, in a mixed order, before a number is appended.
    turn, place = divmod(number, len(_GIVEN) * len(_FAMILY))
    row, column = divmod(place, len(_GIVEN))
    suffix = str(turn + 1) if turn else ""
    return f"{_GIVEN[column]}.{_FAMILY[(7 * column + row) % len(_FAMILY)]}{suffix}@example.test"


def _sources(address: str, rng: random.Random) -> tuple[Source, ...]:
    """Return one to four sources of a person, the one used most first."""
    draw = rng.random
    subscriber, both = draw() < 0.3, draw() < 0.06
    decimals, all_tools, long_context = (2 if draw() < 0.1 else 0), draw() < 0.8, draw() < 0.1
    first = int(draw() * len(_TERMINALS))
    terminals = [_TERMINALS[(first + 3 * number) % len(_TERMINALS)] for number in range(1 + int(2.4 * draw()))]

    def source(terminal: str, *, team: bool, remote: bool = False) -> Source:
        customer, subscription = ("subscription", "team") if team else ("api", None)
        window = "200k-1M" if long_context else "0-200k"
        identity = ("user_actor", address, customer, subscription, terminal, remote)
        return Source(*identity, CLAUDE_CODE, window, decimals, all_tools)

    sources = [source(terminal, team=subscriber) for terminal in terminals]
    if draw() < 0.18:
        sources.append(source(terminals[0], team=subscriber, remote=True))
    if both:
        sources.append(source(terminals[0], team=not subscriber))
    return tuple(sources)
