"""Samples as lines of the Prometheus text format, which are also valid OpenMetrics for gauges.

Format: https://prometheus.io/docs/instrumenting/exposition_formats/.
"""

from collections import Counter
from collections.abc import Collection, Iterable, Mapping
from functools import cache

from exporter.model import Family, Sample

_ESCAPES = str.maketrans({"\\": r"\\", '"': r"\"", "\n": r"\n"})
_MAX_PLAIN = 6
_BIG = 10**_MAX_PLAIN
"""From here on Go prints an exponent."""
_EXACT = 10**15
"""Below it, the digits of a whole number are those of the float."""
_EXPONENTS = tuple(f"e+{digits - 1:02}" for digits in range(17))
"""By the number of digits."""
_MAX_LABEL_SETS = 20_000
"""Label sets of one family whose text is cached: dates and users come and go."""


def header(family: Family) -> bytes:
    """Return the HELP and TYPE lines of a family, whose help contains no quote, backslash or line break (tested)."""
    return f"# HELP {family.name} {family.help}\n# TYPE {family.name} {family.kind}\n".encode()


def text(families: Iterable[Family], samples: Mapping[str, Collection[Sample]]) -> bytes:
    """Return the headers and lines of samples by family. A family without samples has no header."""
    shown = (family for family in families if samples[family.name])
    return b"".join(header(family) + encode(family, samples[family.name]) for family in shown)


def encode(family: Family, samples: Iterable[Sample]) -> bytes:
    """Return the lines of a family's samples.

    Raises ValueError for a label set that occurs twice or has the wrong number of values: Prometheus would silently
    drop such lines.
    """
    return "".join(lines(family, list(samples))).encode()


def lines(family: Family, samples: list[Sample]) -> list[str]:
    """Return a line for each sample. Raises ValueError as `encode` does."""
    if len({values for values, _ in samples}) < len(samples):
        raise ValueError(_problem(family, [values for values, _ in samples]))
    before = _label_sets(family)
    return [
        f"{before[values]}{number}.0\n"
        if type(number) is int and -_BIG < number < _BIG
        else f"{before[values]}{_number(number)}\n"
        for values, number in samples
    ]


class _LabelSets(dict[tuple[str, ...], str]):
    """The text before the number, by label values. It is cached, because the same label sets come in every page."""

    def __init__(self, family: Family) -> None:
        super().__init__()
        self._family = family
        labels = ",".join(f'{label}="%s"' for label in family.labels)
        self._line = f"{family.name}{{{labels}}} " if labels else f"{family.name} "

    def __missing__(self, values: tuple[str, ...]) -> str:
        """Render a label set. Raises ValueError for the wrong number of values."""
        if len(values) != len(self._family.labels):
            raise ValueError(_problem(self._family, [values]))
        if len(self) >= _MAX_LABEL_SETS:
            self.clear()
        text = self[values] = self._line % tuple(value.translate(_ESCAPES) for value in values)
        return text


@cache
def _label_sets(family: Family) -> _LabelSets:
    return _LabelSets(family)


def _number(value: float) -> str:
    return repr(float(value)) if -_BIG < value < _BIG else _big(value)


def _big(value: float) -> str:
    """Return a number of a million or more as Go and prometheus-client print it: 1.234567e+06."""
    if type(value) is int and 0 < value < _EXACT:
        digits = str(value)  # the common case: counts of tokens
        mantissa = digits.rstrip("0")
        fraction = f".{mantissa[1:]}" if len(mantissa) > 1 else ""
        return f"{mantissa[0]}{fraction}{_EXPONENTS[len(digits)]}"
    text = repr(float(value))
    point = text.find(".")
    if value > 0 and point > _MAX_PLAIN:
        mantissa = f"{text[0]}.{text[1:point]}{text[point + 1 :]}".rstrip("0.")
        return f"{mantissa}e+{point - 1:02}"
    return text


def _problem(family: Family, keys: list[tuple[str, ...]]) -> str:
    arity = len(family.labels)
    counts = Counter(keys)
    values = next(values for values in keys if len(values) != arity or counts[values] > 1)
    return f"{family.name}: label values {values} are not unique, or not {arity}"
