"""The picture of the page in the documentation. `python -m tests.page.drawing docs/pictures` needs pngquant."""

import argparse
import subprocess
import tempfile
from pathlib import Path

from playwright.sync_api import FloatRect

from exporter.demo.organization import Organization
from tests.page.browser import chromium, opened
from tests.page.stage import stage
from tests.support import DAY, TODAY

WIDTH = 1400


def main() -> None:
    """Draw 30 days of the simulated organisation, down to the table of users."""
    parser = argparse.ArgumentParser(description=main.__doc__)
    parser.add_argument("pictures", type=Path)
    output = parser.parse_args().pictures / "page.png"
    with (
        tempfile.TemporaryDirectory() as folder,
        stage(Organization(TODAY)) as made,
        chromium() as browser,
        opened(browser, made.url, width=WIDTH) as shown,
    ):
        made.fill()
        shown.open(f"?from={TODAY - 29 * DAY}&to={TODAY}")
        end = shown.page.evaluate("document.getElementById('note').getBoundingClientRect().bottom")
        picture = Path(folder) / "page.png"
        shown.page.screenshot(path=picture, full_page=True, clip=FloatRect(x=0, y=0, width=WIDTH, height=end + 12))
        subprocess.run(["pngquant", "--force", "--speed=1", f"--output={output}", "128", str(picture)], check=True)


if __name__ == "__main__":
    main()
