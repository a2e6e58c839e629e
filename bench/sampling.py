"""A py-spy profile of the warm refresh."""

import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from bench import process
from bench.bodies import Size
from bench.load import Connection
from bench.process import exporter

RATE = 250
SHOWN = 14
_WORK = re.compile(r"exporter/(wire|sums|snapshot|exposition|ledger|store|client|refresh)\.py")


def profile(size: Size, refreshes: int) -> str | None:
    """Return a table of functions by their share of the samples of warm refreshes, or None if py-spy is missing."""
    tool = shutil.which("py-spy", path=str(Path(sys.executable).parent)) or shutil.which("py-spy")
    if not tool:
        return None
    with process.api(size) as api_url, tempfile.TemporaryDirectory(prefix="anthropic-exporter-bench-") as name:
        folder = Path(name)
        with exporter(api_url, folder, size, "1") as running:
            running.until_full()
            running.until_quiet()
            raw = folder / "samples.txt"
            command = [tool, "record", "--pid", str(running.pid), "--format", "raw", "--function", "--gil"]
            options = ["--rate", str(RATE), "--output", str(raw)]
            with subprocess.Popen([*command, *options], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as spy:
                for number in range(1, refreshes + 1):
                    process.show_variant(api_url, number)
                    time.sleep(1.1)
                    Connection(running.url).scrape(compressed=True)
                    running.until_quiet()
                spy.send_signal(2)  # an interrupt ends the recording
            return table(raw.read_text(encoding="utf-8")) if raw.exists() else None


def table(raw: str) -> str:
    """Return the functions with the largest shares, without and with their callees."""
    alone, whole, total = Counter[str](), Counter[str](), 0
    for line in raw.splitlines():
        stack, _, number = line.rpartition(" ")
        frames = [_short(frame) for frame in stack.split(";")]
        total += int(number)
        alone[frames[-1]] += int(number)
        for frame in set(frames):
            whole[frame] += int(number)
    rows = [
        f"| `{name}` | {alone[name] / total:.0%} | {whole[name] / total:.0%} |" for name, _ in alone.most_common(SHOWN)
    ]
    callers = [name for name, _ in whole.most_common() if _WORK.match(name) and alone[name] / total <= 0.01]
    rows += [f"| `{name}` | {alone[name] / total:.0%} | {whole[name] / total:.0%} |" for name in callers[:8]]
    return "\n".join(
        [
            f"{total} samples with the interpreter lock held.",
            "",
            "| function | itself | with callees |",
            "|---|--:|--:|",
            *rows,
        ]
    )


def _short(frame: str) -> str:
    """Return `exporter/sums.py day_sums` for py-spy's `day_sums (exporter/sums.py)`."""
    found = re.fullmatch(r"(.+) \((.+)\)", frame)
    return f"{'/'.join(found[2].split('/')[-2:])} {found[1]}" if found else frame
