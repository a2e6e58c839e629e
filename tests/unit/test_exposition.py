"""Samples into page bytes."""

import pytest

from exporter.exposition import encoder
from exporter.exposition.encoder import encode, header
from exporter.exposition.pieces import Pieces
from exporter.model import Family, Sample

PLAIN = Family("plain", "Help.")
TWO = Family("two", "Help of two.", ("a", "b"))


def pieces() -> Pieces:
    """Return pieces of the two families."""
    return Pieces((PLAIN, TWO))


def test_the_lines_of_a_family() -> None:
    """Labels in the order of the family; a family without labels has no braces."""
    assert encode(TWO, [(("x", "y"), 1), (("x", "z"), 0.5)]) == b'two{a="x",b="y"} 1.0\ntwo{a="x",b="z"} 0.5\n'
    assert encode(PLAIN, [((), 3)]) == b"plain 3.0\n"
    assert encode(PLAIN, []) == b""
    assert header(TWO) == b"# HELP two Help of two.\n# TYPE two gauge\n"


@pytest.mark.parametrize(
    ("value", "line"),
    [
        ('say "hi"', rb'two{a="say \"hi\"",b=""} 1.0'),
        ("back\\slash", rb'two{a="back\\slash",b=""} 1.0'),
        ("two\nlines", rb'two{a="two\nlines",b=""} 1.0'),
        ("\\n", rb'two{a="\\n",b=""} 1.0'),
        ("per %s cent", b'two{a="per %s cent",b=""} 1.0'),
        ("{}", b'two{a="{}",b=""} 1.0'),
        ("Ünï\u2028☃", 'two{a="Ünï\u2028☃",b=""} 1.0'.encode()),
    ],
)
def test_label_values_are_escaped(value: str, line: bytes) -> None:
    """Backslash, quote and line break; nothing else is special."""
    assert encode(TWO, [((value, ""), 1)]) == line + b"\n"


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0, b"0.0"),
        (-3, b"-3.0"),
        (1.41, b"1.41"),
        (999_999, b"999999.0"),
        (1_000_000, b"1e+06"),
        (12_000_000, b"1.2e+07"),
        (1_234_567.5, b"1.2345675e+06"),
        (1_795_305_600, b"1.7953056e+09"),
        (-1_234_567, b"-1234567.0"),
        (1e-7, b"1e-07"),
        (1e16, b"1e+16"),
        (2**53 + 1, b"9.007199254740992e+15"),
        (2**63, b"9.223372036854776e+18"),
    ],
)
def test_numbers_are_written_as_prometheus_writes_them(value: float, text: bytes) -> None:
    """As Go and prometheus-client do."""
    assert encode(PLAIN, [((), value)]) == b"plain " + text + b"\n"


@pytest.mark.parametrize(
    "samples",
    [
        [(("a", "b"), 1), (("x", "y"), 1), (("x", "y"), 2)],
        [(("x",), 1)],
        [(("x", "y", "z"), 1)],
    ],
)
def test_a_label_set_that_prometheus_would_drop_in_silence_is_an_error(samples: list[Sample]) -> None:
    """Twice the same, too few or too many values."""
    with pytest.raises(ValueError, match=r"^two: label values \('x',.*\) are not unique, or not 2$"):
        encode(TWO, samples)


class TestPieces:
    """The page in pieces."""

    def test_a_page_is_in_order_whatever_came_first(self) -> None:
        """Families in the order given, pieces by key; each family has one header."""
        held = pieces()
        held.put("b", {"two": [(("b", ""), 2)], "plain": [((), 1)]})
        held.put("a", {"two": [(("a", ""), 1)]})
        page = held.page()
        assert page.body == header(PLAIN) + b"plain 1.0\n" + header(TWO) + b'two{a="a",b=""} 1.0\ntwo{a="b",b=""} 2.0\n'
        assert page.series == 3
        assert held.series() == {"plain": 1, "two": 2}

    def test_a_family_without_samples_has_no_header(self) -> None:
        """An empty page is empty."""
        held = pieces()
        held.put("a", {"two": []})
        assert (held.page().body, held.page().series) == (b"", 0)

    def test_a_piece_replaces_itself_in_the_families_named(self) -> None:
        """And only there; nothing is left when it is empty."""
        held = pieces()
        held.put("a", {"two": [(("x", ""), 1)], "plain": [((), 1)]})
        held.put("a", {"two": [(("y", ""), 1)]})
        assert held.page().body == header(PLAIN) + b"plain 1.0\n" + header(TWO) + b'two{a="y",b=""} 1.0\n'
        held.put("a", {"two": []})
        assert held.page().body == header(PLAIN) + b"plain 1.0\n"
        assert held.rendered == 3

    def test_changes_are_put_and_removed_under_a_prefix(self) -> None:
        """None removes a piece, and one that is not there is no error; other prefixes stay as they are."""
        held = pieces()
        held.change("a", {"x": {"two": [(("x", ""), 1)], "plain": [((), 1)]}, "y": {"two": [(("y", ""), 2)]}})
        held.change("b", {"x": {"two": [(("z", ""), 3)]}})
        held.change("a", {"x": None, "z": None})
        assert held.page().body == header(TWO) + b'two{a="y",b=""} 2.0\ntwo{a="z",b=""} 3.0\n'

    def test_cleared_families_are_empty(self) -> None:
        """And no others."""
        held = pieces()
        held.put("a", {"two": [(("x", ""), 1)], "plain": [((), 1)]})
        held.clear([TWO])
        assert held.page().body == header(PLAIN) + b"plain 1.0\n"

    def test_a_family_that_is_not_declared_is_an_error(self) -> None:
        """The page shows nothing that has no help text."""
        with pytest.raises(KeyError):
            pieces().put("a", {"unknown": []})


def test_a_gzip_page_is_compressed_and_says_nothing_of_the_machine() -> None:
    """That it holds body and tail is a property; it has no file name and no time, so equal pages have equal bytes."""
    held = pieces()
    held.put("a", {"two": [((str(number), ""), number) for number in range(1000)]})
    page, tail = held.page(), b"tail 1.0\n" * 1000
    packed = page.gzip(tail)
    assert len(packed) < (len(page.body) + len(tail)) / 3
    assert packed[:10] == b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"


def test_cached_label_sets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    """Dates and users come and go, and the lines stay the same."""
    monkeypatch.setattr(encoder, "_MAX_LABEL_SETS", 2)
    family = Family("bounded", "Help.", ("a",))
    assert encode(family, [((name,), 1) for name in "abcab"[:3]]) == b"".join(
        b'bounded{a="%s"} 1.0\n' % name for name in (b"a", b"b", b"c")
    )
    assert len(encoder._label_sets(family)) == 1
