"""Metrics about the exporter itself, in a registry of their own."""

import platform
from collections.abc import Callable, Sequence

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, disable_created_metrics
from prometheus_client.exposition import choose_encoder
from prometheus_client.gc_collector import GCCollector
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from exporter import __version__
from exporter.errors import REASONS, Reason
from exporter.model import Family

FAMILIES = (
    Family(
        "anthropic_exporter_build_info",
        "Always 1; the exporter's version and its Python.",
        ("version", "python"),
    ),
    Family(
        "anthropic_exporter_api_requests_total",
        "Requests sent to the Admin API, by report or listing.",
        ("report",),
        "counter",
    ),
    Family(
        "anthropic_exporter_api_request_failures_total",
        "Requests to the Admin API that gave no usable answer.",
        ("report", "reason"),
        "counter",
    ),
    Family(
        "anthropic_exporter_api_request_duration_seconds",
        "Time from sending a request to the Admin API until its whole body was read.",
        ("report",),
        "histogram",
    ),
    Family(
        "anthropic_exporter_rate_limit_wait_seconds_total",
        "Time that requests waited for EXPORTER_REQUESTS_PER_MINUTE.",
        (),
        "counter",
    ),
    Family(
        "anthropic_exporter_rate_limit_requests_per_minute",
        "Requests a minute that are allowed now: EXPORTER_REQUESTS_PER_MINUTE, or less for a while after HTTP 429.",
    ),
    Family(
        "anthropic_exporter_report_failing",
        "1 for the reason for which the last attempt at this report failed, else 0.",
        ("report", "reason"),
    ),
    Family(
        "anthropic_exporter_report_paused_until_timestamp_seconds",
        "When this report may be fetched again after a failure; 0 when it is not paused.",
        ("report",),
    ),
    Family("anthropic_exporter_refresh_duration_seconds", "Duration of the last refresh."),
    Family(
        "anthropic_exporter_refresh_interval_seconds",
        "Age at which a scrape refreshes the page: EXPORTER_CACHE_TTL, or more where a refresh needs many requests.",
    ),
    Family("anthropic_exporter_page_series", "Series on the data part of the page."),
    Family("anthropic_exporter_page_bytes", "Size of the data part of the page, not compressed."),
    Family("anthropic_exporter_page_timestamp_seconds", "When the data part of the page was rendered."),
    Family(
        "anthropic_exporter_store_failures_total",
        "Writes to the data folder that failed; the page is then served from memory.",
        (),
        "counter",
    ),
    Family(
        "anthropic_exporter_web_auth_failures_total",
        "Requests refused by basic authentication.",
        ("reason",),
        "counter",
    ),
    Family(
        "anthropic_exporter_config_last_reload_successful",
        "1 when the key and the web configuration in use are those of the files, as last read; else 0.",
    ),
    Family(
        "anthropic_exporter_config_last_reload_success_timestamp_seconds",
        "When the key and the web configuration were last read without error.",
    ),
    Family(
        "anthropic_exporter_web_config_reload_failures_total",
        "Changed web configurations, certificates or keys that could not be loaded; the old ones stay in use.",
        (),
        "counter",
    ),
)
AUTH_REASONS = ("missing", "malformed", "wrong", "throttled", "busy")
"""The values of `web.toolkit.basic_auth.Failure`, which this layer does not import (a test compares them)."""
_FAMILIES = {family.name: family for family in FAMILIES}


class Telemetry:
    """The exporter's own metrics. Series with known labels exist from the start, at zero.

    `reports` are the values of the label `report`.
    """

    def __init__(self, reports: Sequence[str]) -> None:
        self._reports = reports
        self.registry = CollectorRegistry()
        for collector in (ProcessCollector, PlatformCollector, GCCollector):
            collector(registry=self.registry)
        self._gauge("build_info").labels(__version__, platform.python_version()).set(1)
        self._requests = self._counter("api_requests_total")
        self._failures = self._counter("api_request_failures_total")
        self._seconds = Histogram(
            *self._names("api_request_duration_seconds"),
            registry=self.registry,
            buckets=(0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60),
        )
        self._waited = self._counter("rate_limit_wait_seconds_total")
        self._limit = self._gauge("rate_limit_requests_per_minute")
        self._failing = self._gauge("report_failing")
        self._paused = self._gauge("report_paused_until_timestamp_seconds")
        self._refresh = self._gauge("refresh_duration_seconds")
        self._interval = self._gauge("refresh_interval_seconds")
        self._series = self._gauge("page_series")
        self._bytes = self._gauge("page_bytes")
        self._rendered = self._gauge("page_timestamp_seconds")
        self._store_failures = self._counter("store_failures_total")
        self._auth_failures = self._counter("web_auth_failures_total")
        self._reload_worked = self._gauge("config_last_reload_successful")
        self._reload_worked_at = self._gauge("config_last_reload_success_timestamp_seconds")
        self._reload_failures = self._counter("web_config_reload_failures_total")
        self._sent = self._unusable = 0
        self._start_at_zero()

    def _names(self, name: str) -> tuple[str, str, tuple[str, ...]]:
        family = _FAMILIES[f"anthropic_exporter_{name}"]
        return family.name, family.help, family.labels

    def _gauge(self, name: str) -> Gauge:
        return Gauge(*self._names(name), registry=self.registry)

    def _counter(self, name: str) -> Counter:
        return Counter(*self._names(name), registry=self.registry)

    def _start_at_zero(self) -> None:
        for report in self._reports:
            self._requests.labels(report)
            self._seconds.labels(report)
            self._paused.labels(report)
            for known in REASONS:
                self._failures.labels(report, known)
                self._failing.labels(report, known)
        for reason in AUTH_REASONS:
            self._auth_failures.labels(reason)

    def requested(self, report: str) -> None:
        """Count a request that is being sent."""
        self._sent += 1
        self._requests.labels(report).inc()

    def answered(self, report: str, seconds: float) -> None:
        """Note how long a request took, however it ended."""
        self._seconds.labels(report).observe(seconds)

    def failed(self, report: str, reason: Reason) -> None:
        """Count a request that gave no usable answer."""
        self._unusable += 1
        self._failures.labels(report, reason).inc()

    def requests(self) -> tuple[int, int]:
        """Return how many requests were sent since the start, and how many of them gave no usable answer."""
        return self._sent, self._unusable

    def waited(self, seconds: float) -> None:
        """Count time that a request waited for the rate limit."""
        self._waited.inc(seconds)

    def limited(self, allowed: Callable[[], float]) -> None:
        """Show at each scrape how many requests a minute are allowed."""
        self._limit.set_function(allowed)

    def reported(self, report: str, reason: Reason | None, paused_until: float) -> None:
        """Note why a report fails, None if it works, and until when it is paused (0 if it is not)."""
        for known in REASONS:
            self._failing.labels(report, known).set(known == reason)
        self._paused.labels(report).set(paused_until)

    def refreshed(self, seconds: float) -> None:
        """Note how long a refresh took."""
        self._refresh.set(seconds)

    def spaced(self, seconds: float) -> None:
        """Note the age at which a scrape refreshes the page."""
        self._interval.set(seconds)

    def published(self, *, series: int, size: int, at: float) -> None:
        """Note what is on the data part of the page."""
        self._series.set(series)
        self._bytes.set(size)
        self._rendered.set(at)

    def store_failed(self) -> None:
        """Count a write to the data folder that failed."""
        self._store_failures.inc()

    def auth_failed(self, reason: str) -> None:
        """Count a request that basic authentication refused."""
        self._auth_failures.labels(reason).inc()

    def reload_failed(self) -> None:
        """Count a changed file that could not be loaded."""
        self._reload_failures.inc()

    def reloaded(self, at: float, *, successful: bool) -> None:
        """Note whether the key and the web configuration could be read again."""
        self._reload_worked.set(successful)
        if successful:
            self._reload_worked_at.set(at)

    def encoder(self, accept: str) -> tuple[Callable[[CollectorRegistry], bytes], str]:
        """Return the encoder and the content type for an Accept header: the text format, or OpenMetrics on request."""
        return choose_encoder(accept)


disable_created_metrics()  # type: ignore[no-untyped-call]  # *_created series would double the counters without use
