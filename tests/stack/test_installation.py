"""The locks install exactly what they name, even when every package has a newer release.

The index is a folder on this machine. It holds the locked release of every package and a newer one, both empty but with
the real package's requirements. So pip resolves as it may have to in a year, and nothing is downloaded.
"""

import base64
import hashlib
import importlib.metadata
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest
from packaging.requirements import Requirement

from tests.stack.repository import ROOT

pytestmark = [pytest.mark.integration, pytest.mark.timeout(300)]
NEWER = "9999.0"
LOCKS = ("requirements-build.txt", "requirements.txt", "requirements-dev.txt")


def locked(lock: str) -> dict[str, str]:
    """Return the line of each package that a lock names and this platform installs, without hashes."""
    lines = re.findall(r"^([A-Za-z0-9][^\\\n]*?) *\\?$", (ROOT / lock).read_text("utf-8"), re.MULTILINE)
    wanted = [Requirement(line) for line in lines]
    return {
        requirement.name: next(iter(requirement.specifier)).version
        for requirement in wanted
        if requirement.name != "pip"  # an empty one would replace the pip that is tested
        and (requirement.marker is None or requirement.marker.evaluate())
    }


def requirements_of(name: str) -> list[str]:
    """Return what the installed package requires, extras included."""
    return importlib.metadata.requires(name) or []


def write_wheel(folder: Path, name: str, version: str) -> str:
    """Write an empty wheel and return its SHA-256."""
    stem = f"{re.sub(r'[-_.]+', '_', name)}-{version}"
    extras = sorted(set(re.findall(r"extra == [\"']([^\"']+)", " ".join(requirements_of(name)))))
    metadata = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    metadata += [f"Provides-Extra: {extra}" for extra in extras]
    metadata += [f"Requires-Dist: {requirement}" for requirement in requirements_of(name)]
    files = {"METADATA": "\n".join(metadata) + "\n", "WHEEL": "Wheel-Version: 1.0\nTag: py3-none-any\n"}
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as wheel:
        record = [f"{stem}.dist-info/RECORD,,"]
        for file, text in files.items():
            digest = base64.urlsafe_b64encode(hashlib.sha256(text.encode()).digest()).rstrip(b"=").decode()
            record.append(f"{stem}.dist-info/{file},sha256={digest},{len(text)}")
            wheel.writestr(f"{stem}.dist-info/{file}", text)
        wheel.writestr(f"{stem}.dist-info/RECORD", "\n".join(record) + "\n")
    return hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.fixture(scope="module")
def index(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with the index, and with locks of the same packages whose hashes are the index's."""
    folder = tmp_path_factory.mktemp("index")
    hashes: dict[str, str] = {}
    for lock in LOCKS:
        for name, version in locked(lock).items():
            if name not in hashes:
                hashes[name] = write_wheel(folder, name, version)
                write_wheel(folder, name, NEWER)
        lines = [f"{name}=={version} --hash=sha256:{hashes[name]}" for name, version in locked(lock).items()]
        (folder / lock).write_text("\n".join(lines) + "\n")
    return folder


def install(python: Path, index: Path, *locks: str) -> subprocess.CompletedProcess[str]:
    """Install locks from the index into an environment."""
    return subprocess.run(
        [ROOT / "tools/install-locked", python, *(index / lock for lock in locks)],
        env={
            "PATH": "/usr/bin:/bin",
            "PIP_NO_INDEX": "1",
            "PIP_FIND_LINKS": str(index),
            "PIP_CONFIG_FILE": "/dev/null",
        },
        capture_output=True,
        text=True,
        check=False,
    )


def test_newer_releases_change_nothing(tmp_path: Path, index: Path) -> None:
    """The environment to run and the one to develop get exactly the locked releases; an incomplete lock is refused."""
    subprocess.run([sys.executable, "-m", "venv", tmp_path], check=True)  # with the pip that comes with Python
    python = tmp_path / "bin/python"
    incomplete = re.sub(r"^anyio==.*\n", "", (index / "requirements.txt").read_text(), flags=re.MULTILINE)
    (index / "incomplete.txt").write_text(incomplete)
    refused = install(python, index, "incomplete.txt")
    assert refused.returncode != 0
    assert "requires anyio, which is not installed" in refused.stdout
    (site,) = tmp_path.glob("lib/python3*/site-packages")
    wanted: dict[str, str] = {}
    for locks in (LOCKS[:2], LOCKS[2:]):
        done = install(python, index, *locks)
        assert done.returncode == 0, done.stdout + done.stderr
        wanted |= {name: version for lock in locks for name, version in locked(lock).items()}
        found = {path.metadata["Name"]: path.version for path in importlib.metadata.distributions(path=[str(site)])}
        assert {name: found.get(name) for name in wanted} == wanted
        assert NEWER not in found.values()
