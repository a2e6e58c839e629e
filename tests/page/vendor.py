"""Copy Chart.js from its npm package to `exporter/web/static/vendor`, with its licence, version and hash."""

import hashlib
import json
import shutil
from pathlib import Path

HERE = Path(__file__).parent
PACKAGE = HERE / "node_modules" / "chart.js"
VENDOR = HERE.parents[1] / "exporter" / "web" / "static" / "vendor"
SCRIPT = "chart.umd.min.js"


def main() -> None:
    """Copy the script and its licence, and write what they are."""
    VENDOR.mkdir(exist_ok=True)
    shutil.copyfile(PACKAGE / "dist" / SCRIPT, VENDOR / SCRIPT)
    shutil.copyfile(PACKAGE / "LICENSE.md", VENDOR / "chart.js.LICENSE.md")
    package = json.loads((PACKAGE / "package.json").read_text())
    about = {
        "file": SCRIPT,
        "package": f"npm:{package['name']}@{package['version']}",
        "license": package["license"],
        "sha256": hashlib.sha256((VENDOR / SCRIPT).read_bytes()).hexdigest(),
    }
    (VENDOR / "chart.js.json").write_text(json.dumps(about, indent=2) + "\n")


if __name__ == "__main__":
    main()
