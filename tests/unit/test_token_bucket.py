"""The token bucket."""

import pytest

from exporter.web.toolkit.token_bucket import TokenBucket


def test_a_bucket_holds_at_most_its_burst() -> None:
    """A long pause yields `burst` tokens, not more; a token that was given back can be taken again."""
    now = 0.0
    bucket = TokenBucket(0.1, 3, lambda: now)
    now = 1000.0
    assert [bucket.take() for _ in range(3)] == [0.0] * 3
    assert bucket.take() == pytest.approx(0.1)
    bucket.give_back()
    assert bucket.take() == 0.0
    assert bucket.take() > 0


def test_rounding_costs_no_token() -> None:
    """After exactly one interval a token is there, although 0.1 has no exact float."""
    now = 0.0
    bucket = TokenBucket(0.1, 1, lambda: now)
    for step in range(1000):
        now = step * 0.1
        assert bucket.take() == 0.0
        assert bucket.take() == pytest.approx(0.1)
