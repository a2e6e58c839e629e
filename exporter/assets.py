"""The alert rules and dashboards that come with the package: `anthropic-exporter rules|dashboards --output DIR`."""

from collections.abc import Iterator
from importlib.resources import files
from pathlib import Path

from exporter.errors import SettingsError

NAMES = ("rules", "dashboards")


def write(name: str, folder: Path) -> Iterator[Path]:
    """Write the files called `name` into a folder, and yield the path of each one.

    The folder is created if it is missing. Files of the same name are replaced, others are left alone. Raises
    SettingsError if a file cannot be written.
    """
    for source in sorted(files("exporter").joinpath("share", name).iterdir(), key=lambda file: file.name):
        target = folder / source.name
        try:
            folder.mkdir(parents=True, exist_ok=True)
            target.write_bytes(source.read_bytes())
            # For Prometheus and Grafana, which run as other users. They contain nothing secret.
            target.chmod(0o644)
        except OSError as error:
            raise SettingsError(f"--output: {target} cannot be written: {error.strerror}") from None
        yield target
