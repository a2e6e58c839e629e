"""Command line flags in Prometheus's style, one for each setting that is not a secret."""

import argparse
from collections.abc import Collection

from exporter.settings import Settings, described, flag_of, options_of

GROUPS = ("api", "report", "users", "storage", "web", "log")


def add(parser: argparse.ArgumentParser, groups: Collection[str] = GROUPS) -> None:
    """Add the flags of these groups, each group under its own title, and name the secrets below them."""
    titles = {group: parser.add_argument_group(f"{group} flags") for group in GROUPS if group in groups}
    for name, field in Settings.model_fields.items():
        flag = flag_of(field)
        if flag and flag.group in groups:
            default = field.get_default()
            titles[flag.group].add_argument(
                f"--{flag}",
                dest=name,
                default=argparse.SUPPRESS,  # so that a flag before the command is not overwritten
                metavar="|".join(options_of(field)) or "VALUE",
                help=_help(name, field.description or "", default),
            )
    secrets = [row.name for row in described() if not row.flag]
    parser.epilog = (
        "Each flag is also an environment variable, or a line in a file .env; a flag is stronger. "
        f"Secrets have no flag: {' and '.join(secrets)}."
    )


def _help(name: str, description: str, default: object) -> str:
    text = f"{description} Environment: {name.upper()}." + ("" if default is None else f" Default: {default}.")
    return text.replace("%", "%%")


def given(options: argparse.Namespace) -> dict[str, str]:
    """Return what was given on the command line, by the name of the setting's field."""
    return {name: text for name, text in vars(options).items() if name in Settings.model_fields}
