"""A plan of failures for the simulated API: which requests fail, how, and how often."""

import asyncio
import threading
from collections.abc import Awaitable, Callable, Collection
from dataclasses import dataclass, field
from datetime import date
from typing import Literal, TypedDict, Unpack, get_args

Kind = Literal[
    "401",
    "403",
    "404",
    "400_date_range",
    "400_cursor_mismatch",
    "400_date_not_available",
    "429_retry_after",
    "429_retry_after_date",
    "429_retry_after_ms",
    "429_reset",
    "429_bare",
    "500",
    "529",
    "error_body",
    "cursor_expired",
    "redirect",
    "html",
    "not_json",
    "empty_object",
    "truncated",
    "wrong_shape",
    "missing_field",
    "wrong_date",
    "cursor_loop",
    "slow_drip",
    "hang",
    "reset",
    "huge",
]
KINDS: tuple[Kind, ...] = get_args(Kind)
"""Every kind of failure, for tests that try them all. `fault_answers` and `injector` say what each sends."""

_NEED_CURSOR: frozenset[Kind] = frozenset({"cursor_expired", "400_cursor_mismatch"})


class Gate:
    """Opens once, from any thread; what waits for it, in an event loop or in a thread, goes on."""

    def __init__(self) -> None:
        self._opened = threading.Event()
        self._waiting: list[tuple[asyncio.AbstractEventLoop, asyncio.Event]] = []

    async def wait(self) -> None:
        """Return when the gate is open."""
        event = asyncio.Event()
        self._waiting.append((asyncio.get_running_loop(), event))
        if not self._opened.is_set():
            await event.wait()

    def wait_in_thread(self, timeout: float) -> bool:
        """Block until the gate is open, or for `timeout` seconds; return whether it is open."""
        return self._opened.wait(timeout)

    def open(self) -> None:
        """Open the gate for good."""
        self._opened.set()
        while self._waiting:
            loop, event = self._waiting.pop()
            if not loop.is_closed():
                loop.call_soon_threadsafe(event.set)


async def _next_turn() -> None:
    await asyncio.sleep(0)


class Options(TypedDict, total=False):
    """What a kind of failure can be told.

    `seconds`: what a 429 says, 17 by default. `status`: of `html` (200) and `error_body` (400). `field`: the dotted
    path that `wrong_shape` and `missing_field` change, as `data.0.actor`. `size`: bytes of `huge`. `chunks` and
    `pause`: how `slow_drip` cuts its body, and what it awaits between two pieces. `location`: of `redirect`.
    """

    seconds: float
    status: int
    field: str
    size: int
    chunks: int
    pause: Callable[[], Awaitable[None]]
    location: str


@dataclass
class Fault:
    """One planned failure.

    `hits` counts how often it happened, `begun` opens when it happens for the first time, `gate` releases what hangs.
    """

    kind: Kind
    path: str
    times: int | None
    dates: frozenset[date] | None
    paged: bool | None
    options: Options
    hits: int = 0
    begun: Gate = field(default_factory=Gate)
    gate: Gate = field(default_factory=Gate)

    def fits(self, path: str, dates: frozenset[date], *, paged: bool) -> bool:
        """Return whether a request for these dates is meant, and the plan is not used up."""
        return (
            path.endswith(self.path)
            and (self.times is None or self.hits < self.times)
            and (self.dates is None or bool(self.dates & dates))
            and (self.paged is None or self.paged == paged)
        )


class Faults:
    """The planned failures, in the order in which they were added; the first that fits a request happens."""

    def __init__(self) -> None:
        self._planned: list[Fault] = []

    def add(
        self,
        *,
        kind: Kind,
        path: str = "",
        times: int | None = None,
        dates: Collection[date] | None = None,
        **more: Unpack["Extra"],
    ) -> Fault:
        """Plan a failure and return it.

        It happens to requests whose path ends with `path`, which ask for one of `dates` (None: any), `times` times
        (None: forever). `paged` leaves it to requests with a cursor (True) or without one (False).
        """
        paged = more.pop("paged", True if kind in _NEED_CURSOR else None)
        wanted = None if dates is None else frozenset(dates)
        fault = Fault(kind, path, times, wanted, paged, more)
        self._planned.append(fault)
        return fault

    def take(self, path: str, dates: frozenset[date], *, paged: bool) -> Fault | None:
        """Return the failure that happens to a request, and count it; None lets the request through."""
        for fault in tuple(self._planned):
            if fault.fits(path, dates, paged=paged):
                fault.hits += 1
                fault.begun.open()
                return fault
        return None

    def clear(self) -> None:
        """Forget the plan, and release what hangs."""
        planned, self._planned = self._planned, []
        for fault in planned:
            fault.gate.open()


class Extra(Options, total=False):
    """What `Faults.add` takes besides its named arguments."""

    paged: bool | None


def pause_of(fault: Fault) -> Callable[[], Awaitable[None]]:
    """Return what a slow drip awaits between two pieces; without an option, the next turn of the event loop."""
    return fault.options.get("pause", _next_turn)
