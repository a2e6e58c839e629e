"""The page says what it was given: to prometheus-client's parser, and in prometheus-client's own bytes."""

import gzip
from collections.abc import Iterable, Iterator

from hypothesis import given
from hypothesis import strategies as st
from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text
from prometheus_client.registry import Collector

from exporter.exposition.encoder import encode, header
from exporter.exposition.encoder import text as text_of
from exporter.exposition.page import restored
from exporter.exposition.pieces import Pieces
from exporter.model import Family, Sample
from tests.property.strategies import text

FAMILIES = (
    Family("family_none", "Help without labels."),
    Family("family_one", "Help of one label.", ("user",)),
    Family("family_two", "Help of two labels.", ("date", "model")),
)
numbers = st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False)
hostile = text | st.text(st.sampled_from('\\"\n{}=,#% a'), max_size=8)
no_newline_issue = hostile.filter(lambda value: not set(value) & set("\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"))
"""Without the characters at which the parser, and not Prometheus, splits lines."""


def samples_of(family: Family, values: st.SearchStrategy[str]) -> st.SearchStrategy[list[Sample]]:
    """Return lists of samples of a family, each label set once."""
    labels = st.tuples(*[values] * len(family.labels))
    return st.dictionaries(labels, numbers, max_size=4).map(lambda found: list(found.items()))


def pages(values: st.SearchStrategy[str]) -> st.SearchStrategy[dict[str, list[Sample]]]:
    """Return samples of all families by name."""
    return st.fixed_dictionaries({family.name: samples_of(family, values) for family in FAMILIES})


class Peer(Collector):
    """The same families as prometheus-client holds them."""

    def __init__(self, samples: dict[str, list[Sample]]) -> None:
        self._samples = samples

    def collect(self) -> Iterator[Metric]:
        """Return the families that have samples."""
        for family in FAMILIES:
            metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for labels, number in self._samples[family.name]:
                metric.add_metric(labels, number)
            if metric.samples:
                yield metric


def body(samples: dict[str, list[Sample]]) -> bytes:
    """Return the page of one piece."""
    pieces = Pieces(FAMILIES)
    pieces.put("x", samples)
    return pieces.page().body


def parsed(families: Iterable[Metric]) -> dict[str, dict[tuple[str, ...], float]]:
    """Return values by family and label values, in the order of the family's labels."""
    order = {family.name: family.labels for family in FAMILIES}
    return {
        one.name: {tuple(sample.labels[label] for label in order[one.name]): sample.value for sample in one.samples}
        for one in families
    }


@given(pages(no_newline_issue))
def test_the_parser_finds_what_was_put(samples: dict[str, list[Sample]]) -> None:
    """In both formats: every label value, every number to the nearest float."""
    expected = {
        name: {tuple(labels): float(number) for labels, number in found} for name, found in samples.items() if found
    }
    page = body(samples).decode()
    assert parsed(parse_text(page)) == expected
    assert parsed(parse_openmetrics(page + "# EOF\n")) == expected


@given(pages(hostile))
def test_the_bytes_are_those_of_prometheus_client(samples: dict[str, list[Sample]]) -> None:
    """Line by line, though the encoder is our own: it is fast, and no other format.

    prometheus-client sorts labels by name in none of the two.
    """
    registry = CollectorRegistry()
    registry.register(Peer(samples))
    assert body(samples).split(b"\n") == generate_latest(registry).split(b"\n")


@given(pages(hostile), pages(hostile), st.binary(max_size=2000))
def test_a_gzip_member_holds_numbers_health_and_tail(
    samples: dict[str, list[Sample]], of_health: dict[str, list[Sample]], tail: bytes
) -> None:
    """One member, with the checksum and the length of all; the same from numbers that were kept."""
    pieces, health = Pieces(FAMILIES), text_of(FAMILIES, of_health)
    pieces.put("x", samples)
    page = pieces.page(health)
    assert page.body == pieces.page().body + health
    assert gzip.decompress(page.gzip(tail)) == page.body + tail
    assert page.series == sum(map(len, [*samples.values(), *of_health.values()]))
    assert restored(page.numbers, health) == page


@given(st.lists(st.tuples(st.sampled_from("abc"), st.none() | pages(hostile)), max_size=6))
def test_pieces_after_any_changes_are_fresh_pieces_of_what_they_hold(
    changes: list[tuple[str, dict[str, list[Sample]] | None]],
) -> None:
    """Put, replaced and removed in any order: the page is as if it had never been different."""
    changed, held = Pieces(FAMILIES), dict[str, dict[str, list[Sample]]]()
    for key, samples in changes:
        changed.change("x", {key: samples})
        if samples is None:
            held.pop(key, None)
        else:
            held[key] = samples
    fresh = Pieces(FAMILIES)
    for key, samples in held.items():
        fresh.put(f"x {key}", samples)
    assert changed.page() == fresh.page()


@given(st.data(), st.sampled_from(FAMILIES))
def test_every_line_is_one_sample(data: st.DataObject, family: Family) -> None:
    """No label value breaks out of its line or forges another."""
    samples = data.draw(samples_of(family, hostile))
    lines = encode(family, samples).split(b"\n")
    assert lines.pop() == b""
    assert len(lines) == len(samples)
    assert all(line.startswith((family.name + ("{" if family.labels else " ")).encode()) for line in lines)
    assert header(family).count(b"\n") == 2
