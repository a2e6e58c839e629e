"""Decode response bodies into typed values. Knows JSON, and no report.

Unknown fields are skipped, so that additions to the API do no harm. A missing or ill-typed field raises
`ApiShapeChanged` with a message that names the field and never holds a value. Amounts are parsed from the JSON text
itself: none passes through a binary float.
"""

from decimal import Context, Decimal
from typing import Annotated, Generic, Literal, TypeVar

import msgspec
from msgspec import Meta, Struct

from exporter.errors import ApiShapeChanged

T = TypeVar("T")
Count = Annotated[int, Meta(ge=0, le=2**63 - 1)]
Text = Annotated[str, Meta(max_length=4096)]
Usd = Literal["USD"]
"""Amounts of another currency are refused: they cannot be added."""
_FINEST = Decimal("1e-30")
_MONEY = Context(prec=48, traps=[])
"""Bounds of an amount: 30 decimals and 18 digits before them. `model.EXACT` adds millions of such amounts exactly."""


class Money(Struct, gc=False):
    """An amount in cents. One that the sums could not hold exactly is refused: msgspec accepts `NaN` as a Decimal."""

    amount: Decimal
    currency: Usd

    def __post_init__(self) -> None:
        """Raise ValueError, which names the amount's place in the body."""
        _check(self.amount)


class ListedMoney(Money, gc=False):
    """An amount in cents, and what it would be without discounts."""

    list_amount: Decimal

    def __post_init__(self) -> None:
        """Raise ValueError, as for any amount."""
        _check(self.amount)
        _check(self.list_amount)


def _check(cents: Decimal) -> None:
    if not cents.is_finite() or _MONEY.quantize(cents, _FINEST) != cents:  # NaN where there are too many digits
        raise ValueError("not an amount of money")


class Decoder(Generic[T]):
    """Decodes bodies into one type."""

    def __init__(self, of: type[T]) -> None:
        self._decoder = msgspec.json.Decoder(of)

    def __call__(self, body: bytes | msgspec.Raw, where: str = "") -> T:
        """Return the value. `where` is the path of a part of a body. Raises ApiShapeChanged."""
        try:
            return self._decoder.decode(body)
        except msgspec.ValidationError as error:
            raise ApiShapeChanged(_explained(str(error), where)) from None
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            raise ApiShapeChanged(f"{where or 'the body'} is {_kind(bytes(body))}") from None


def _explained(message: str, where: str) -> str:
    """Return a message of msgspec, such as ``Expected `int`, got `str` - at `$.data[0].date` ``, with the field first.

    Its path holds no key of an open map. Only a value that should be a constant is quoted: it is cut off.
    """
    problem, at, path = message.rpartition(" - at `$")
    if not at:
        problem, path = path, ""
    field = (where + path.rstrip("`")).lstrip(".") or "the body"
    problem, _, _ = problem.partition(" '")
    return f"{field}: {problem}"


def _kind(body: bytes) -> str:
    start = body.lstrip()[:1]
    return "empty" if not start else "HTML" if start == b"<" else "not JSON, or cut off"
