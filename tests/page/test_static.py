"""The files of the page: what is vendored is what npm published, and nothing is inline or of another host."""

import hashlib
import json
import re
from pathlib import Path

import pytest

STATIC = Path(__file__).parents[2] / "exporter" / "web" / "static"
VENDOR = STATIC / "vendor"
PACKAGES = Path(__file__).parent / "node_modules"
TEMPLATE = (STATIC.parent / "templates" / "page.html").read_text("utf-8")


def test_the_vendored_script_is_the_one_that_is_named() -> None:
    """Version, hash and licence beside it are those of the file, and the tests' own package has the same version."""
    about = json.loads((VENDOR / "chart.js.json").read_text("utf-8"))
    script = (VENDOR / about["file"]).read_bytes()
    assert hashlib.sha256(script).hexdigest() == about["sha256"]
    assert f"Chart.js v{about['package'].rpartition('@')[2]}".encode() in script[:200]
    wanted = json.loads((Path(__file__).parent / "package.json").read_text("utf-8"))["devDependencies"]["chart.js"]
    assert about["package"] == f"npm:chart.js@{wanted}"
    assert (VENDOR / "chart.js.LICENSE.md").read_text("utf-8").startswith("The MIT License")


@pytest.mark.skipif(not PACKAGES.is_dir(), reason="needs `make tests/page/node_modules/.ready`")
def test_the_vendored_script_is_npms() -> None:
    """Byte by byte."""
    assert (VENDOR / "chart.umd.min.js").read_bytes() == (PACKAGES / "chart.js/dist/chart.umd.min.js").read_bytes()


def test_nothing_is_inline() -> None:
    """The policy would refuse it; and links of the page are relative, since a proxy may add a prefix."""
    assert not re.findall(r"<style|style=|\son\w+=|<script(?![^>]*\ssrc=)|javascript:", TEMPLATE)
    links = re.findall(r'(?:href|src|action)="([^"{]+)', TEMPLATE)
    assert [link for link in links if link.startswith("/") or "://" in link] == [
        "https://github.com/anthropic-exporter/anthropic-exporter"
    ]


@pytest.mark.parametrize("path", sorted(STATIC.glob("*.js")), ids=lambda path: path.name)
def test_scripts_name_no_host(path: Path) -> None:
    """And are short enough to be read."""
    text = path.read_text("utf-8")
    assert "://" not in text
    assert len(text.splitlines()) < 200
