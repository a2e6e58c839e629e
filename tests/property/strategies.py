"""Strategies: records and results as the API may send them, with names that are trouble and counts at the bounds."""

from datetime import UTC, datetime
from decimal import Decimal

from hypothesis import strategies as st

from exporter.reports.usage_rows import Actor
from tests.bodies import cost_rows, message, message_rows, model, record, result, usage_rows

text = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
"""Any string that UTF-8 can hold: quotes, line breaks, NUL, emoji."""
names = st.sampled_from(
    [
        "a",
        "",
        "none",
        "default",
        "other",
        "ana@example.test",
        'say "hi"',
        "back\\slash",
        "two\nlines",
        "\0",
        "Ünï\u2028☃",
    ]
)
"""A few names, so that they meet each other."""
counts = st.sampled_from([0, 1, 2, 17, 10**6, 2**53 + 1, 2**63 - 1])
amounts = (
    st.decimals(-(10**9), 10**9, allow_nan=False, allow_infinity=False, places=6)
    | st.integers(-(10**17), 10**17).map(Decimal)
    | st.just(Decimal("0.12345678901234567890123456789"))
).map("{:f}".format)
actors = st.builds(Actor, st.sampled_from(["user", "api_key"]) | names, st.sampled_from(["ana", "bo"]) | names)
models = st.builds(
    lambda cents, tokens, name: model(cents, tokens=tokens, name=name),
    amounts,
    st.integers(0, 2**60),
    st.sampled_from(["opus", "haiku"]) | names,
)
records = st.builds(
    record,
    actors,
    counts,
    lines=st.tuples(counts, counts),
    commits=counts,
    pull_requests=counts,
    tools=st.dictionaries(names, st.tuples(counts, counts), max_size=2),
    models=st.lists(models, max_size=2),
)
results = st.builds(
    result,
    amounts,
    workspace_id=st.none() | names,
    model=st.none() | names,
    cost_type=st.sampled_from(["tokens", "web_search"]) | names,
    token_type=st.none() | names,
)
messages_results = st.builds(
    lambda counts, searches, **labels: message(
        uncached_input_tokens=counts[0],
        output_tokens=counts[1],
        cache_read_input_tokens=counts[2],
        cache_creation={"ephemeral_5m_input_tokens": counts[3], "ephemeral_1h_input_tokens": counts[4]},
        server_tool_use={"web_search_requests": searches},
        **labels,
    ),
    st.tuples(counts, counts, counts, counts, counts),
    counts,
    api_key_id=st.none() | names,
    workspace_id=st.none() | names,
    model=st.none() | names,
    service_tier=st.none() | names,
)
usage_bodies = st.lists(records, max_size=4)
"""The records of a day."""
cost_bodies = st.lists(results, max_size=6)
"""The results of a day."""
messages_bodies = st.lists(messages_results, max_size=6)
"""The results of a day."""
usage_days = usage_bodies.map(lambda found: usage_rows(*found))
"""The rows of a day."""
cost_days = cost_bodies.map(lambda found: cost_rows(*found))
messages_days = messages_bodies.map(lambda found: message_rows(*found))
ages = st.integers(0, 120)
moments = st.datetimes(datetime(2026, 8, 1), datetime(2026, 11, 25), timezones=st.just(UTC))  # noqa: DTZ001 - zones come with `timezones`
