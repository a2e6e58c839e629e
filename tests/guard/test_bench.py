"""The bench's baselines: what the figures are compared with."""

from pathlib import Path

import pytest
from prometheus_client import CollectorRegistry, generate_latest

from bench import baseline

GOLDEN = Path(__file__).parent.parent / "golden"


@pytest.mark.parametrize("page", ["one_day", "folded"])
def test_the_baselines_serve_the_same_samples(page: str) -> None:
    """Labelled Gauges and our encoder serve every family of a page, those without labels included."""
    samples = baseline.read(GOLDEN / f"{page}.prom")
    assert () in {family.labels for family in samples}
    registry = CollectorRegistry(auto_describe=False)
    registry.register(baseline.Gauges(samples))
    served = (sorted(text.splitlines()) for text in (generate_latest(registry), baseline.ours(samples)))
    assert next(served) == next(served)
