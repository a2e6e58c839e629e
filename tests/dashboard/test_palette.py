"""The colours of models: different for every colour vision, and visible on both backgrounds."""

import itertools
import math
from collections.abc import Iterator, Sequence

import pytest

from exporter import palette
from exporter.palette import colour

COLOURS = sorted({colour for _, colour in palette.RULES})
BACKGROUNDS = {"light": "#ffffff", "dark": "#181b1f"}
"""Of Grafana's panels."""

VISIONS = {
    "normal": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}
"""How linear RGB is seen: Machado, Oliveira and Fernandes (2009), severity 1."""
_TO_CONES = (
    (0.4122214708, 0.5363325363, 0.0514459929),
    (0.2119034982, 0.6806995451, 0.1073969566),
    (0.0883024619, 0.2817188376, 0.6299787005),
)
_TO_LAB = (
    (0.2104542553, 0.7936177850, -0.0040720468),
    (1.9779984951, -2.4285922050, 0.4505937099),
    (0.0259040371, 0.7827717662, -0.8086757660),
)
FAR = 0.1
"""A distance in OKLab at which patches side by side are told apart at a glance; 0.02 is just noticeable."""


def linear(text: str) -> list[float]:
    """Return the linear red, green and blue of `#rrggbb`."""
    parts = [int(text[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    return [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]


def times(matrix: Sequence[Sequence[float]], vector: Sequence[float]) -> list[float]:
    """Return the product of a matrix and a vector."""
    return [sum(a * b for a, b in zip(row, vector, strict=True)) for row in matrix]


def seen(text: str, vision: str) -> list[float]:
    """Return a colour in OKLab, as it is seen with a vision."""
    shown = [min(max(part, 0), 1) for part in times(VISIONS[vision], linear(text))]
    return times(_TO_LAB, [part ** (1 / 3) for part in times(_TO_CONES, shown)])


def contrast(one: str, other: str) -> float:
    """Return the contrast of two colours as WCAG defines it, from 1 to 21."""
    low, high = sorted(sum(times([[0.2126, 0.7152, 0.0722]], linear(text))) + 0.05 for text in (one, other))
    return high / low


def too_near(vision: str) -> Iterator[tuple[str, str]]:
    """Yield the pairs of colours that somebody with this vision may confuse."""
    for one, other in itertools.combinations(COLOURS, 2):
        if math.dist(seen(one, vision), seen(other, vision)) < FAR:
            yield one, other


@pytest.mark.parametrize("vision", VISIONS)
def test_colours_differ(vision: str) -> None:
    """No two colours of the table look alike, with any vision."""
    assert list(too_near(vision)) == []


@pytest.mark.parametrize("background", BACKGROUNDS)
def test_colours_show_on_a_background(background: str) -> None:
    """Every colour stands out from the background of a panel."""
    assert [one for one in COLOURS if contrast(one, BACKGROUNDS[background]) < 2] == []


def test_none_is_grey() -> None:
    """What belongs to no model has no hue."""
    assert len(set(linear(colour("none")))) == 1


@pytest.mark.parametrize(
    ("model", "like"),
    [
        ("claude-opus-5-20260801", "claude-opus-5"),
        ("claude-opus-4-6", "claude-3-opus-20240229"),
        ("claude-sonnet-4-20250514", "claude-sonnet-6"),
        ("claude-mythos-6", "claude-mythos-7"),
        ("something-new", "gpt"),
    ],
)
def test_a_model_that_is_not_in_the_table(model: str, like: str) -> None:
    """It has its family's colour, with a release date its own; of an unknown family the one for others."""
    assert colour(model) == colour(like)
    assert colour(model) != colour("none")


def test_the_table_has_different_colours() -> None:
    """Every model and family of the table has a colour of its own."""
    named = [*palette.MODELS.values(), *palette.FAMILIES.values(), palette.NONE, palette.OTHER]
    assert len(named) == len(set(named)) == len(COLOURS)
