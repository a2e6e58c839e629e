"""Models and what they cost: list prices for estimates, contract prices for the bill. Integers throughout.

The unit of a billed amount is a *grain*, one hundred-millionth of a cent: every contract price is a whole number of
grains per token, so that amounts are sums of integers and are exact.
"""

from decimal import Decimal
from typing import NamedTuple

OPUS, SONNET, HAIKU, NEWCOMER = "claude-opus-5", "claude-sonnet-5", "claude-haiku-4-5", "claude-opus-5-5"

GRAIN_EXPONENT = -8
_GRAINS_PER_LIST_CENT = 100  # one token at one list cent per million tokens: 1e-6 cents
_DISCOUNT_PERCENT = 12
_TENTHS_OF_CENT = 10_000_000

UNCACHED, OUTPUT, CACHE_READ = "uncached_input_tokens", "output_tokens", "cache_read_input_tokens"
CACHE_1H = "cache_creation.ephemeral_1h_input_tokens"
CACHE_5M = "cache_creation.ephemeral_5m_input_tokens"

UNIT_GRAINS = {
    "web_search": 10 * _TENTHS_OF_CENT,  # a search
    "code_execution": 5 * _TENTHS_OF_CENT,  # a tenth of a container hour
    "session_usage": 8 * _TENTHS_OF_CENT,  # a tenth of a session hour
}


class ListPrice(NamedTuple):
    """US cents per million tokens, as on a price list."""

    uncached: int
    output: int
    cache_read: int
    cache_1h: int
    cache_5m: int


LIST_PRICES = {
    OPUS: ListPrice(500, 2500, 50, 1000, 625),
    NEWCOMER: ListPrice(500, 2500, 50, 1000, 625),
    SONNET: ListPrice(300, 1500, 30, 600, 375),
    HAIKU: ListPrice(100, 500, 10, 200, 125),
}
TOKEN_TYPES = (UNCACHED, OUTPUT, CACHE_READ, CACHE_1H, CACHE_5M)


def estimated_cents(model: str, tokens: tuple[int, int, int, int], decimals: int) -> int | float:
    """Return the list price of (input, output, cache_read, cache_creation) tokens in cents.

    With `decimals` 0 it is a whole number of cents, as the API shows mostly; with 2 it is the float nearest to a
    decimal with two places, whose `repr` is that decimal. Cache writes count at the five-minute price.
    """
    price = LIST_PRICES[model]
    exact = (
        tokens[0] * price.uncached
        + tokens[1] * price.output
        + tokens[2] * price.cache_read
        + tokens[3] * price.cache_5m
    )
    if not decimals:
        return (exact + 500_000) // 1_000_000
    return ((exact + 5_000) // 10_000) / 100


def token_grains(model: str, token_type: str, tier: str) -> int:
    """Return what one token is billed at, in grains: list price less the contract's discount; batch is half price."""
    cents = LIST_PRICES[model][TOKEN_TYPES.index(token_type)]
    full = cents * (100 - _DISCOUNT_PERCENT) * _GRAINS_PER_LIST_CENT // 100
    return full // 2 if tier == "batch" else full


def list_grains(model: str, token_type: str, tier: str) -> int:
    """Return what one token would be billed at without the contract's discount, in grains."""
    full = LIST_PRICES[model][TOKEN_TYPES.index(token_type)] * _GRAINS_PER_LIST_CENT
    return full // 2 if tier == "batch" else full


def cents_text(grains: int, factor: Decimal = Decimal(1)) -> str:
    """Return grains, times a factor, as the API's decimal string of cents, without trailing zeros."""
    return format((Decimal(grains).scaleb(GRAIN_EXPONENT) * factor).normalize(), "f")
