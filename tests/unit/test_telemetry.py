"""What the exporter counts about itself."""

import pytest
from prometheus_client.parser import text_string_to_metric_families

from exporter.errors import REASONS
from exporter.telemetry import AUTH_REASONS, FAMILIES, Telemetry

OWN = "anthropic_exporter_"
REPORTS = ("claude_code", "cost")
LABELS = ("report", "reason", "le")
Samples = dict[tuple[str, tuple[str, ...]], float]


def samples(telemetry: Telemetry) -> Samples:
    """Return the exporter's own samples by short name and the values of LABELS."""
    encode, _ = telemetry.encoder("")
    return {
        (sample.name.removeprefix(OWN), tuple(sample.labels[name] for name in LABELS if name in sample.labels)): (
            sample.value
        )
        for family in text_string_to_metric_families(encode(telemetry.registry).decode())
        for sample in family.samples
        if sample.name.startswith(OWN)
    }


def changed(telemetry: Telemetry, before: Samples) -> Samples:
    """Return the samples that are others than before."""
    return {key: value for key, value in samples(telemetry).items() if before.get(key) != value}


def test_it_shows_its_families_and_no_others() -> None:
    """Names, types, help texts and labels are taken from there."""
    telemetry = Telemetry(REPORTS)
    shown = {one.name: one for one in telemetry.registry.collect() if one.name.startswith(OWN)}
    assert {family.name.removesuffix("_total") for family in FAMILIES} == set(shown)
    for family in FAMILIES:
        metric = shown[family.name.removesuffix("_total")]
        assert (metric.documentation, metric.type) == (family.help, family.kind)
        for sample in metric.samples:
            assert tuple(label for label in sample.labels if label != "le") == family.labels


def test_closed_label_sets_are_there_from_the_start_at_zero() -> None:
    """An alert on a counter that appears with its first failure would miss that failure."""
    shown = samples(Telemetry(REPORTS))
    for report in REPORTS:
        assert shown["api_requests_total", (report,)] == 0
        for reason in REASONS:
            assert shown["api_request_failures_total", (report, reason)] == 0
            assert shown["report_failing", (report, reason)] == 0
    assert {shown["web_auth_failures_total", (reason,)] for reason in AUTH_REASONS} == {0}
    assert not [name for name, _ in shown if name.endswith("_created")]


def test_each_event_changes_its_own_samples() -> None:
    """And no other's."""
    telemetry = Telemetry(REPORTS)
    before = samples(telemetry)
    telemetry.requested("cost")
    telemetry.failed("cost", "timeout")
    telemetry.waited(1.5)
    telemetry.refreshed(2.5)
    telemetry.spaced(300.0)
    telemetry.limited(lambda: 30)
    telemetry.published(series=10, size=1000, at=1.5e9)
    telemetry.store_failed()
    telemetry.auth_failed("wrong")
    telemetry.reload_failed()
    telemetry.reloaded(1.6e9, successful=True)
    assert changed(telemetry, before) == {
        ("api_requests_total", ("cost",)): 1,
        ("api_request_failures_total", ("cost", "timeout")): 1,
        ("rate_limit_wait_seconds_total", ()): 1.5,
        ("refresh_duration_seconds", ()): 2.5,
        ("refresh_interval_seconds", ()): 300,
        ("rate_limit_requests_per_minute", ()): 30,
        ("page_series", ()): 10,
        ("page_bytes", ()): 1000,
        ("page_timestamp_seconds", ()): 1.5e9,
        ("store_failures_total", ()): 1,
        ("web_auth_failures_total", ("wrong",)): 1,
        ("web_config_reload_failures_total", ()): 1,
        ("config_last_reload_successful", ()): 1,
        ("config_last_reload_success_timestamp_seconds", ()): 1.6e9,
    }


def test_the_duration_of_a_request_is_a_histogram() -> None:
    """Its sum and its count are there."""
    telemetry = Telemetry(REPORTS)
    telemetry.answered("claude_code", 0.75)
    shown = samples(telemetry)
    assert shown["api_request_duration_seconds_sum", ("claude_code",)] == 0.75
    assert shown["api_request_duration_seconds_bucket", ("claude_code", "0.5")] == 0
    assert shown["api_request_duration_seconds_bucket", ("claude_code", "1.0")] == 1


def test_a_report_fails_for_one_reason_at_a_time() -> None:
    """The reason that was is 0 again, and so are all when it works."""
    telemetry = Telemetry(REPORTS)
    before = samples(telemetry)
    telemetry.reported("cost", "timeout", 100.0)
    telemetry.reported("cost", "throttled", 200.0)
    assert changed(telemetry, before) == {
        ("report_failing", ("cost", "throttled")): 1,
        ("report_paused_until_timestamp_seconds", ("cost",)): 200,
    }
    telemetry.reported("cost", None, 0)
    assert changed(telemetry, before) == {}


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        ("", "text/plain; version=0.0.4; charset=utf-8"),
        ("text/html", "text/plain; version=0.0.4; charset=utf-8"),
        ("application/openmetrics-text;version=1.0.0", "application/openmetrics-text; version=1.0.0; charset=utf-8"),
    ],
)
def test_the_format_is_the_one_asked_for(accept: str, content_type: str) -> None:
    """OpenMetrics when it is named, else the text format."""
    found = Telemetry(REPORTS).encoder(accept)[1]
    assert found.startswith(content_type.rpartition(";")[0])


def test_two_of_them_share_nothing() -> None:
    """No global registry: each process, and each test, has its own."""
    one, other = Telemetry(REPORTS), Telemetry(REPORTS)
    one.requested("cost")
    assert samples(other)["api_requests_total", ("cost",)] == 0
