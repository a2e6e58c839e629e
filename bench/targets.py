"""The targets, and whether a run meets them."""

from collections.abc import Iterator, Mapping
from typing import NamedTuple

from bench.bodies import Size
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


class Limits(NamedTuple):
    """The targets of one size: MB of resident memory, seconds to start, CPU seconds to refresh and to fill."""

    size: Size
    peak_mb: float
    start: float | None = None
    refresh: float | None = None
    fill: float | None = None


LIMITS = (
    Limits(Size(100), peak_mb=75, start=0.5),  # the libraries alone are 57 MB: see performance.md
    Limits(Size(10_000), peak_mb=250, start=1.0, refresh=1.0, fill=45),
    Limits(Size(10_000, every_name=True), peak_mb=250),
    Limits(Size(100_000), peak_mb=600, start=3, refresh=8),
)


def targets(by_size: Mapping[Size, Result], baselines: Baselines | None) -> Iterator[Target]:
    """Return the targets that the measured sizes can decide."""
    large = by_size.get(Size(10_000))
    if large and large.scrape and baselines:
        yield from _of_scrapes(large, baselines)
    for limits in LIMITS:
        if found := by_size.get(limits.size):
            yield from _of_size(found, limits)


def _of_size(found: Result, limits: Limits) -> Iterator[Target]:
    who = found.size.label
    yield _at_most(f"Peak of resident memory, {who}", found.peak_mb, limits.peak_mb, "MB")
    if limits.start:
        yield _at_most(f"Start to full page, {who}", found.start.seconds, limits.start, "s")
    if limits.refresh:
        yield _at_most(f"Warm refresh, {who}", found.refresh.cpu, limits.refresh, "s of CPU")
    if limits.fill:
        yield _at_most(f"Cold fill, {who}", found.fill.cpu, limits.fill, "s of CPU")


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
    yield _at_most("Scrape beside a refresh of 10,000 users, p99", large.refresh.beside.p99, 15, "ms")
    same = "the same bytes" if baselines.same else "other bytes"
    text = f"Encoder, all {scrape.series:,} series: at most 50 ms of CPU, the bytes of generate_latest"
    found = f"{1000 * baselines.ours:.0f} ms, {baselines.theirs / baselines.ours:.1f} times as fast, {same}"
    yield Target(text, found, baselines.ours <= 0.05 and baselines.same)


def _at_most(text: str, found: float, limit: float, unit: str) -> Target:
    return Target(f"{text}: at most {limit:g} {unit}", f"{found:.3g} {unit}", found <= limit)
