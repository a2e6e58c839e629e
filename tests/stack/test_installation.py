"""The locks install what they name, whatever the index has released since.

The index is a folder on this machine. It holds, for every locked package, the locked release and a newer one, both
empty but with the real package's requirements. So pip resolves as it would tomorrow, and nothing is downloaded.
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

from tests.stack.dockerfile import ROOT

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


def install(folder: Path, index: Path, *locks: str) -> subprocess.CompletedProcess[str]:
    """Install locks into a new environment with the pip that comes with Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return subprocess.run(
        [ROOT / "tools/install-locked", folder / "bin/python", *(index / lock for lock in locks)],
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


@pytest.mark.parametrize("locks", [LOCKS[:2], LOCKS], ids=["run", "dev"])
def test_newer_releases_change_nothing(tmp_path: Path, index: Path, locks: tuple[str, ...]) -> None:
    """Each environment installs, is complete, and holds exactly the locked releases."""
    done = install(tmp_path / "venv", index, *locks)
    assert done.returncode == 0, done.stdout + done.stderr
    (site,) = (tmp_path / "venv").glob("lib/python3*/site-packages")
    found = {path.metadata["Name"]: path.version for path in importlib.metadata.distributions(path=[str(site)])}
    wanted = {name: version for lock in locks for name, version in locked(lock).items()}
    assert {name: found.get(name) for name in wanted} == wanted
    assert NEWER not in found.values()


def test_a_lock_that_lacks_a_package_is_refused(tmp_path: Path, index: Path) -> None:
    """The check can fail: without anyio in the lock, httpx misses a requirement, and the script says which."""
    broken = tmp_path / "requirements.txt"
    broken.write_text(re.sub(r"^anyio==.*\n", "", (index / "requirements.txt").read_text(), flags=re.MULTILINE))
    done = install(tmp_path / "venv", index, str(broken))
    assert done.returncode != 0
    assert "anyio" in done.stdout
