"""Audit a requirements file with pip-audit.

Exit code 0: no vulnerability is known, or the service did not answer. The latter prints a warning, on GitHub one of the
workflow run, and does not fail, because an outage says nothing about the packages. 1: a vulnerability is known. 2: the
file cannot be read.

pip-audit alone is not enough: it skips a package that its service does not know, reports "No known vulnerabilities
found", and exits with 0.
"""

# ruff: noqa: INP001, T201 - a script, which prints

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from typing import Any

PIP_AUDIT = (sys.executable, "-m", "pip_audit", "--disable-pip", "--progress-spinner=off", "--format=json")
VULNERABLE, UNREADABLE = 1, 2


def main(arguments: Sequence[str]) -> int:
    """Audit the file named by the first argument, pass the others to pip-audit, and return the exit code."""
    file, *others = arguments or ("requirements.txt",)
    command = (*PIP_AUDIT, f"--requirement={file}", *others)
    dry_run = _run((*command, "--dry-run"))  # makes no request, so a failure is one of the file
    if dry_run.returncode:
        print(f"{file} cannot be audited: {_last_line(dry_run.stderr)}", file=sys.stderr)
        return UNREADABLE
    done = _run(command)
    try:
        packages = json.loads(done.stdout)["dependencies"]
    except (ValueError, KeyError):
        return _warn(f"no answer about {file}: {_last_line(done.stderr)}")
    return judge(file, packages)


def judge(file: str, packages: list[dict[str, Any]]) -> int:
    """Print what pip-audit found out about a file's packages, and return the exit code."""
    known = [(package, found) for package in packages for found in package.get("vulns", ())]
    for package, found in known:
        fixed = ", ".join(found["fix_versions"]) or "no release yet"
        print(f"{package['name']} {package['version']}: {found['id']}, fixed in {fixed}", file=sys.stderr)
    skipped = [package["name"] for package in packages if "skip_reason" in package]
    if skipped:
        _warn(f"{file}: {len(skipped)} of {len(packages)} packages were not audited: {', '.join(skipped)}")
    if known:
        return VULNERABLE
    if not skipped:
        print(f"{file}: no known vulnerability in {len(packages)} packages")
    return 0


def _warn(text: str) -> int:
    print(f"WARNING: {text}", file=sys.stderr)
    if os.environ.get("GITHUB_ACTIONS"):
        print(f"::warning title=Audit::{text}")
    return 0


def _run(command: Sequence[str]) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own arguments


def _last_line(text: str) -> str:
    return (text.strip().splitlines() or ["no reason given"])[-1]


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
