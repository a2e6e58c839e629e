"""The history of a database: samples with their times, written as text that Prometheus and VictoriaMetrics read."""

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime

_SAMPLE = re.compile(r"(\w+)(?:\{(.*)\})? (\S+)")


@dataclass
class History:
    """Series with their labels as text, each with a value and the times at which it was seen."""

    samples: list[tuple[str, str, list[datetime]]] = field(default_factory=list)

    def scrape(self, page: str, times: list[datetime], **labels: str) -> None:
        """Add the scrapes of a page, of which the last also adds that the target was up."""
        ours = ",".join(f'{name}="{value}"' for name, value in labels.items())
        for line in page.splitlines():
            if not line.startswith("#"):
                match = _SAMPLE.fullmatch(line)
                assert match, line
                name, theirs, value = match.groups()
                self.samples.append((f"{name}{{{','.join(filter(None, (ours, theirs)))}}}", value, times))
        self.up(1, times, **labels)

    def up(self, value: int, times: list[datetime], **labels: str) -> None:
        """Add that a target answered (1), or did not (0)."""
        ours = ",".join(f'{name}="{one}"' for name, one in labels.items())
        self.add(f"up{{{ours}}}", value, times)

    def add(self, series: str, value: int, times: list[datetime]) -> None:
        """Add a series, given as PromQL writes it."""
        self.samples.append((series, str(value), times))

    def lines(self, unit: int) -> Iterator[str]:
        """Yield a line for each sample; `unit` is 1 for times in seconds (OpenMetrics), 1000 for milliseconds."""
        for series, value, times in self.samples:
            for time in times:
                seconds = time.timestamp()
                yield f"{series} {value} {round(seconds * unit) if unit > 1 else seconds}"

    def text(self, unit: int) -> str:
        """Return all samples as text."""
        ending: Iterable[str] = ("# EOF", "") if unit == 1 else ("",)
        return "\n".join((*self.lines(unit), *ending))
