"""The table of families follows Prometheus's conventions and the contract of the project."""

import re

import pytest

from exporter.catalogue import DATA, DISTINCT, EXPORTER, FAMILIES, USERS
from exporter.model import Family

EVERY = pytest.mark.parametrize("family", FAMILIES, ids=lambda family: family.name)


def test_names_are_unique() -> None:
    """One family, one name."""
    names = [family.name for family in FAMILIES]
    assert len(names) == len(set(names))


@EVERY
def test_names_and_labels_are_legal(family: Family) -> None:
    """Names begin with the prefix; labels are words and no reserved ones."""
    assert re.fullmatch(r"anthropic_[a-z_]*[a-z]", family.name)
    for label in family.labels:
        assert re.fullmatch(r"[a-z][a-z_]*", label)
        assert label not in ("le", "quantile", "job", "instance")
    assert len(family.labels) == len(set(family.labels))


@EVERY
def test_a_help_text_is_one_plain_sentence_or_more(family: Family) -> None:
    """No quote, backslash or line break, so it needs no escaping in either format; it ends with a full stop."""
    assert not set(family.help) & set('"\\\n\r')
    assert family.help.endswith(".")


@pytest.mark.parametrize("family", DATA, ids=lambda family: family.name)
def test_data_are_gauges(family: Family) -> None:
    """A day is restated downwards too: so no counter, and no `_total`."""
    assert family.kind == "gauge"
    assert not family.name.endswith(("_total", "_count", "_sum", "_bucket"))


@pytest.mark.parametrize("family", EXPORTER, ids=lambda family: family.name)
def test_the_exporter_s_own_families_have_their_prefix(family: Family) -> None:
    """Counters end in `_total`, nothing else does."""
    assert family.name.startswith("anthropic_exporter_")
    assert (family.kind == "counter") == family.name.endswith("_total")


def test_what_may_not_be_summed_has_no_date_and_no_user() -> None:
    """The distinct-user families are one number per actor type; the families per user have no date."""
    assert {family.labels for family in DISTINCT} == {("actor_type",)}
    assert all(family.labels[:2] == ("user", "actor_type") and "date" not in family.labels for family in USERS)


@EVERY
def test_money_is_in_dollars(family: Family) -> None:
    """A family of money says its unit in its name; cents are nowhere."""
    assert "cent" not in family.name
    assert ("cost" in family.name) == family.name.endswith("_usd")
