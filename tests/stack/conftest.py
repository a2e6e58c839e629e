"""The image, built once for all tests of the stack."""

import shutil
from pathlib import Path

import pytest

from tests.stack.sandbox import Image, build


@pytest.fixture(scope="session")
def image(tmp_path_factory: pytest.TempPathFactory) -> Image:
    """Build the Dockerfile without Docker."""
    if not shutil.which("bwrap"):
        pytest.fail("bubblewrap is missing: tools/system-packages installs it")
    return build(tmp_path_factory.mktemp("image"))


@pytest.fixture
def data(tmp_path: Path) -> Path:
    """Return an empty data folder: the only one that the container may write."""
    folder = tmp_path / "data"
    folder.mkdir(mode=0o700)
    return folder
