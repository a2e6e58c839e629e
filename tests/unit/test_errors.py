"""The exception tree."""

from typing import get_args

import pytest

from exporter import errors
from exporter.errors import REASONS, ApiError, ExporterError, Reason

CLASSES = [value for value in vars(errors).values() if isinstance(value, type) and issubclass(value, ExporterError)]


def depth(kind: type) -> int:
    """Return how many levels below `ExporterError` a class is."""
    return len(kind.__mro__) - len(ExporterError.__mro__)


def test_the_tree_drawn_in_the_docstring_is_the_tree_of_the_code() -> None:
    """The docstring names every class, indented by its level below `ExporterError`."""
    drawn = [line for line in (errors.__doc__ or "").splitlines() if line.split(" ")[-1] or "  " in line]
    tree = {line.split()[0]: (len(line) - len(line.lstrip())) // 2 for line in drawn if line.strip()}
    assert {kind.__name__: depth(kind) for kind in CLASSES}.items() <= tree.items()


def test_every_reason_is_in_the_closed_list() -> None:
    """The `reason` label has no other values than `REASONS`, and each is used by a class."""
    assert get_args(Reason) == REASONS
    assert {kind.reason for kind in CLASSES if issubclass(kind, ApiError)} == set(REASONS)


@pytest.mark.parametrize("pause", [None, 0.0, 17.0])
def test_an_api_error_keeps_its_message_and_its_pause(pause: float | None) -> None:
    """The pause is what the API asked for, or None."""
    error = ApiError("what happened", pause=pause)
    assert (str(error), error.pause) == ("what happened", pause)
