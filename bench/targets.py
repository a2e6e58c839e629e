"""The targets, and whether a run meets them."""

from collections.abc import Iterator
from typing import NamedTuple

from bench.load import Times
from bench.measure import Result


class Baselines(NamedTuple):
    """For the largest page: CPU seconds of both encoders, whether their bytes are equal, scrapes of Gauges."""

    ours: float
    theirs: float
    same: bool
    gauges_plain: Times
    gauges_gzip: Times


class Target(NamedTuple):
    """A target: its text, the result, and whether it is met (None: not measured)."""

    text: str
    found: str
    met: bool | None


def targets(by_users: dict[int, Result], baselines: Baselines | None) -> Iterator[Target]:
    """Return the targets that the measured sizes can decide."""
    large, middle, small = (by_users.get(users) for users in (10_000, 1_000, 100))
    if large and large.scrape and baselines:
        yield from _of_scrapes(large, baselines)
    if large:
        yield _at_most("Warm refresh, 10,000 users", large.refresh.cpu, 2.5, "s of CPU")
    if middle:
        yield _at_most("Warm refresh, 1,000 users", middle.refresh.cpu, 0.4, "s of CPU")
    for size, text, memory, seconds in ((large, "10,000", 300, 3), (small, "100", 80, 1)):
        if size:
            peak = max(size.fill.peak_mb, size.refresh.peak_mb)
            yield _at_most(f"Peak of resident memory, {text} users", peak, memory, "MB")
            yield _at_most(f"Start to full page, {text} users", size.start.seconds, seconds, "s")


def _of_scrapes(large: Result, baselines: Baselines) -> Iterator[Target]:
    scrape = large.scrape
    if not scrape:
        return
    plain = baselines.gauges_plain.median / scrape.plain.median
    packed = baselines.gauges_gzip.median / scrape.gzip.median
    text = f"Scrape of {scrape.series:,} series, times faster than labelled Gauges: at least 300"
    yield Target(text, f"{plain:,.0f} plain, {packed:,.0f} gzip", min(plain, packed) >= 300)
    yield _at_most("Scrape, gzip, median", scrape.gzip.median, 2, "ms")
    yield _at_most("50 clients, each once a second, p99", scrape.in_turn.p99, 15, "ms")
    if scrape.at_once:
        yield _at_most("50 clients, each again at once, p99", scrape.at_once[0].p99, 15, "ms")
    yield _at_most("Scrape beside a refresh of 10,000 users, p99", large.refresh.beside.p99, 50, "ms")
    ratio = baselines.theirs / baselines.ours
    same = "the same bytes" if baselines.same else "other bytes"
    text = "Encoder, times faster than generate_latest: at least 8, the same bytes"
    yield Target(text, f"{ratio:.1f}, {same}", ratio >= 8 and baselines.same)


def _at_most(text: str, found: float, limit: float, unit: str) -> Target:
    return Target(f"{text}: at most {limit:g} {unit}", f"{found:.3g} {unit}", found <= limit)
