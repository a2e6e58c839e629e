"""Look for known holes in what we depend on: pip-audit on a requirements file, with its three outcomes kept apart.

Exit code 1: a hole is known. 0: none is known, or nothing could be asked, which is said on standard error and, on
GitHub, as a warning of the run: a network that is away is no reason to fail, and none to be silent. 2: the file can not
be read, which no network excuses.

pip-audit alone would pass silently: a package that its service does not answer for is skipped, and the run still ends
with "No known vulnerabilities found" and exit code 0.
"""

# ruff: noqa: INP001, T201 - a script of its own, which prints

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PIP_AUDIT = (sys.executable, "-m", "pip_audit", "--disable-pip", "--progress-spinner=off", "--format=json")
FOUND, UNREADABLE = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Audit the file that the first argument names; the others go to pip-audit. Return the exit code."""
    file, *others = arguments or ("requirements.txt",)
    command = (*PIP_AUDIT, f"--requirement={file}", *others)
    rehearsal = _run((*command, "--dry-run"))  # asks nobody: what fails here is the file
    if rehearsal.returncode:
        print(f"{file} can not be audited: {_last_line(rehearsal.stderr)}", file=sys.stderr)
        return UNREADABLE
    asked = _run(command)
    try:
        packages = json.loads(asked.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _warn(f"nothing is known about {file}: {_last_line(asked.stderr)}")
    return judge(file, packages)


def judge(file: str, packages: list[dict[str, Any]]) -> int:
    """Print what pip-audit found out about a file's packages, and return the exit code."""
    holes = [(package, hole) for package in packages for hole in package.get("vulns", ())]
    for package, hole in holes:
        fixed = ", ".join(hole["fix_versions"]) or "no release yet"
        print(f"{package['name']} {package['version']}: {hole['id']}, fixed in {fixed}", file=sys.stderr)
    unknown = [package["name"] for package in packages if "skip_reason" in package]
    if unknown:
        _warn(f"{len(unknown)} of the {len(packages)} packages of {file} were not audited: {', '.join(unknown)}")
    if holes:
        return FOUND
    if not unknown:
        print(f"{file}: no hole is known in {len(packages)} packages")
    return 0


def _warn(text: str) -> int:
    print(f"WARNING: {text}", file=sys.stderr)
    if os.environ.get("GITHUB_ACTIONS"):
        print(f"::warning title=Audit::{text}")
    return 0


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason was given"])[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
