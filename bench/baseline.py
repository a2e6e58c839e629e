"""The baselines, on the same samples: `generate_latest`, and labelled Gauges cleared and set at each scrape.

`python -m bench.baseline encoders PAGE RUNS` prints the times of the encoders as JSON. `python -m bench.baseline gauges
PAGE` serves with prometheus_client's own server, and prints its address.
"""

import gc
import json
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import median

from prometheus_client import CollectorRegistry, Gauge, generate_latest, start_http_server
from prometheus_client.core import GaugeMetricFamily
from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

from exporter import reports
from exporter.exposition import encoder as exposition
from exporter.model import Family, Sample

Samples = dict[Family, list[Sample]]


def read(page: Path) -> Samples:
    """Return the samples of a page's data families, in the order of the page.

    The labels of each family are sorted, since `generate_latest` sorts them: so the bytes can be compared.
    """
    found: Samples = {}
    families = {family.name: family._replace(labels=tuple(sorted(family.labels))) for family in reports.FAMILIES}
    for metric in text_string_to_metric_families(page.read_text(encoding="utf-8")):
        if family := families.get(metric.name):
            whole = not metric.name.endswith("_usd")
            found[family] = [
                (tuple(map(one.labels.__getitem__, family.labels)), int(one.value) if whole else one.value)
                for one in metric.samples
            ]
    return found


class Ready:
    """A collector whose metrics are prepared, so that only the encoder is measured."""

    def __init__(self, samples: Samples) -> None:
        self._metrics = []
        for family, of_family in samples.items():
            metric = GaugeMetricFamily(family.name, family.help, labels=family.labels)
            for values, number in of_family:
                metric.add_metric(values, number)
            self._metrics.append(metric)

    def collect(self) -> Iterator[Metric]:
        """Return the metrics."""
        return iter(self._metrics)


class Gauges:
    """The usual design: labelled Gauges that are cleared and set again at each scrape."""

    def __init__(self, samples: Samples) -> None:
        self._samples = samples
        self._gauges = {family: Gauge(family.name, family.help, family.labels, registry=None) for family in samples}

    def collect(self) -> Iterator[Metric]:
        """Clear and set every gauge, and return the metrics."""
        for family, of_family in self._samples.items():
            gauge = self._gauges[family]
            if family.labels:
                gauge.clear()
            for values, number in of_family:
                (gauge.labels(*values) if values else gauge).set(number)
            yield from gauge.collect()


def ours(samples: Samples) -> bytes:
    """Return the page."""
    return b"".join(exposition.header(family) + exposition.encode(family, rows) for family, rows in samples.items())


def compare(samples: Samples, runs: int) -> dict[str, float | bool]:
    """Return the median seconds of both encoders and whether their bytes are the same."""
    registry = CollectorRegistry()
    registry.register(Ready(samples))
    gc.freeze()  # as the exporter does, because the samples are long-lived
    return {
        "ours": _median(lambda: ours(samples), runs),
        "theirs": _median(lambda: generate_latest(registry), runs),
        "same": ours(samples) == generate_latest(registry),
    }


def _median(work: Callable[[], object], runs: int) -> float:
    seconds = []
    for _ in range(runs):
        begun = time.process_time()
        work()
        seconds.append(time.process_time() - begun)
    return median(seconds)


def main() -> None:
    """Serve the labelled Gauges."""
    samples = read(Path(sys.argv[2]))
    if sys.argv[1] == "encoders":
        print(json.dumps(compare(samples, int(sys.argv[3]))))
        return
    registry = CollectorRegistry(auto_describe=False)
    registry.register(Gauges(samples))
    server, _ = start_http_server(0, "127.0.0.1", registry)
    print(f"http://127.0.0.1:{server.server_port}", flush=True)
    threading.Event().wait()


if __name__ == "__main__":
    main()
