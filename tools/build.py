"""Build the source distribution and the wheel, with the same bytes on every machine. Needs git and setuptools.

Usage: python tools/build.py [DIR]. Only tracked files get in. SOURCE_DATE_EPOCH is the time of every file; the default
is that of the last commit.
"""

# ruff: noqa: INP001 - a script

import gzip
import os
import re
import shutil
import subprocess
import sys
import tarfile
import tempfile
from pathlib import Path

ROOT = Path(__file__).parents[1]
REPOSITORY = "https://github.com/anthropic-exporter/anthropic-exporter"
PICTURES = "https://raw.githubusercontent.com/anthropic-exporter/anthropic-exporter"
_BACKEND = "from setuptools import build_meta; import sys; build_meta.{}(sys.argv[1])"


def main() -> int:
    """Build into the folder of the command line, or dist/."""
    target = Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "dist").resolve()
    target.mkdir(parents=True, exist_ok=True)
    os.umask(0o022)  # the wheel records the mode of each file
    os.environ.setdefault("SOURCE_DATE_EPOCH", _git("log", "-1", "--format=%ct").strip())
    with tempfile.TemporaryDirectory() as name:
        tree = Path(name, "tree")
        _copy_tracked_files(tree)
        _make_links_absolute(tree)
        _run_backend("build_sdist", tree, Path(name))
        (sdist,) = Path(name).glob("*.tar.gz")
        with tarfile.open(sdist) as archive:
            archive.extractall(name, filter="data")
        source = Path(name, sdist.name.removesuffix(".tar.gz"))
        _write_archive(source, target / sdist.name)
        _run_backend("build_wheel", source, target)
    return 0


def _git(*arguments: str) -> str:
    return subprocess.run(["git", "-C", ROOT, *arguments], check=True, capture_output=True, text=True).stdout  # noqa: S603, S607


def _copy_tracked_files(tree: Path) -> None:
    for name in filter(None, _git("ls-files", "-z").split("\0")):
        source, target = ROOT / name, tree / name
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(source, target, follow_symlinks=False)
        if not source.is_symlink():
            target.chmod(0o755 if os.access(source, os.X_OK) else 0o644)  # as git, whatever the umask was


def _make_links_absolute(tree: Path) -> None:
    """Make the readme's links absolute, because the package index shows it without the repository."""
    (version,) = re.findall(r'__version__ = "(.+)"', (tree / "exporter/__init__.py").read_text("utf-8"))
    readme = tree / "README.md"
    text = re.sub(r"(!\[[^\]]*\]\()(?!\w+:)", rf"\1{PICTURES}/v{version}/", readme.read_text("utf-8"))
    readme.write_text(re.sub(r"(?<=\]\()(?!\w+:|#)", f"{REPOSITORY}/blob/v{version}/", text), "utf-8")


def _run_backend(hook: str, tree: Path, target: Path) -> None:
    subprocess.run([sys.executable, "-c", _BACKEND.format(hook), target], cwd=tree, check=True, capture_output=True)  # noqa: S603


def _write_archive(source: Path, target: Path) -> None:
    """Write the archive again, because setuptools records the owner, the order and the time of its build."""
    epoch = int(os.environ["SOURCE_DATE_EPOCH"])

    def uniform(entry: tarfile.TarInfo) -> tarfile.TarInfo:
        entry.uid = entry.gid = 0
        entry.uname = entry.gname = ""
        entry.mtime = epoch
        entry.mode = 0o755 if entry.isdir() or entry.mode & 0o100 else 0o644
        return entry

    with (
        target.open("wb") as file,
        gzip.GzipFile("", "wb", fileobj=file, mtime=epoch) as packed,
        tarfile.open(fileobj=packed, mode="w", format=tarfile.PAX_FORMAT) as archive,
    ):
        archive.add(source, source.name, filter=uniform)  # sorted by name


if __name__ == "__main__":
    sys.exit(main())
