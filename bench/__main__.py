"""`python -m bench`: measure, print, and write docs/explanation/performance.md.

With `--large`, 100 to 100,000 users and another part of the document. With `--quick`, only print.
"""

import argparse
import contextlib
import json
import subprocess
import sys
import tempfile
from pathlib import Path

from bench import load, process, report, sampling
from bench.bodies import Size
from bench.measure import Result, measured
from bench.targets import Baselines, targets

DOCUMENT = process.ROOT / "docs" / "explanation" / "performance.md"
USERS = (Size(100), Size(1_000), Size(10_000))
EVERY_NAME = Size(10_000, every_name=True)
LARGE = (*USERS, Size(100_000))
GROWTH = (Size(1_000, 30), Size(1_000, 365), Size(1_000, 90, copies=4))
"""More days and more models, to compare with Size(1_000)."""


def main() -> None:
    """Run the benchmark."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="100 and 1,000 users, few runs, no document")
    parser.add_argument("--large", action="store_true", help="100 to 100,000 users, few runs")
    options = parser.parse_args()
    if options.large:
        text = run_large(LARGE, runs=3)
    else:
        quick = options.quick
        text = run(USERS[:2] if quick else USERS, () if quick else GROWTH, runs=2 if quick else 5)
    print(text)
    if not options.quick:
        report.document(DOCUMENT, text, "bench-large" if options.large else "bench")


def run(sizes: tuple[Size, ...], growth: tuple[Size, ...], runs: int) -> str:
    """Measure the sizes, the growth and the baselines, and return the tables."""
    results = [_told(size, runs) for size in sizes]
    grown = [_told(size, runs, scrapes=False) for size in growth]
    named = [_told(EVERY_NAME, runs)] if growth else []
    baselines = _baselines(results[-1].page, runs)
    verdicts = report.verdicts(targets({result.size: result for result in [*results, *named]}, baselines))
    profile = sampling.profile(sizes[-1], runs) if growth else None
    scrape = results[-1].scrape
    parts = [
        f"{report.machine()} Medians of {runs} runs.",
        verdicts,
        report.table([*results, *named]),
        "The baselines, on the samples of the largest page:",
        report.against(baselines, scrape.series if scrape else 0),
    ]
    if grown:
        parts += ["How it grows with days and with models:", report.table([*grown, *_middle(results)])]
    if profile:
        parts += [f"The warm refresh of {sizes[-1].label} under py-spy:", profile]
    return "\n\n".join(parts)


def run_large(sizes: tuple[Size, ...], runs: int) -> str:
    """Measure the sizes without scrapes, and return the targets of the largest and the table."""
    results = [_told(size, runs, scrapes=False) for size in sizes]
    verdicts = report.verdicts(targets({result.size: result for result in results[-1:]}, None))
    return f"{report.machine()} Medians of {runs} runs.\n\n{verdicts}\n\n{report.table(results)}"


def _middle(results: list[Result]) -> list[Result]:
    return [result._replace(scrape=None) for result in results if result.size.people == 1_000]


def _told(size: Size, runs: int, *, scrapes: bool = True) -> Result:
    print(f"measuring {size.label}", file=sys.stderr, flush=True)
    return measured(size, runs, scrapes=scrapes)


def _baselines(page: bytes, runs: int) -> Baselines:
    print("measuring the baselines", file=sys.stderr, flush=True)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "page.txt"
        path.write_bytes(page)
        command = [sys.executable, "-m", "bench.baseline", "encoders", str(path), str(runs)]
        output = subprocess.run(command, cwd=process.ROOT, capture_output=True, text=True, check=True).stdout
        with process.module("bench.baseline", "gauges", path) as url:
            plain, packed = (
                load.one_client(url, 2 * runs, compressed=packed, keep_alive=False) for packed in (False, True)
            )
    return Baselines(**json.loads(output), gauges_plain=plain, gauges_gzip=packed)


if __name__ == "__main__":
    with contextlib.suppress(KeyboardInterrupt):
        main()
