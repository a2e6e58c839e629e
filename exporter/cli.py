"""The command `anthropic-exporter`: serve, demo, check. Settings come from the environment."""

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import textwrap
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import structlog
import uvloop

from exporter import __version__, check, export, logs, reports, service, settings
from exporter.clock import SYSTEM_CLOCK
from exporter.days.store import Store
from exporter.errors import ExporterError, SettingsError
from exporter.export import Wanted
from exporter.settings import ListenAddress, Settings
from exporter.telemetry import Telemetry
from exporter.web.export import FORMATS

WRONG_SETTINGS = 2
log = structlog.get_logger()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 when it could not do its work, 2 for a wrong setting or usage."""
    os.umask(0o077)
    options = _parser().parse_args(arguments)
    command: Callable[[argparse.Namespace], int] = options.run
    try:
        return command(options)
    except SettingsError as error:
        for line in str(error).splitlines():
            print(f"anthropic-exporter: {line}", file=sys.stderr)
        return WRONG_SETTINGS
    except ExporterError as error:
        print(f"anthropic-exporter: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _serve(_: argparse.Namespace) -> int:
    config = _loaded()
    config.admin_key()
    store = Store(config.exporter_data_dir)
    try:
        _run(service.serve(config, store))
    finally:
        store.close()
    return 0


def _demo(_: argparse.Namespace) -> int:
    """Run the exporter against the simulated organisation: no key, nothing on disk, no request beyond this machine."""
    from exporter.demo.api import create_api  # noqa: PLC0415 - only this command pays for the simulation
    from exporter.demo.organization import Organization  # noqa: PLC0415
    from exporter.demo.server import serve_in_thread  # noqa: PLC0415

    key = f"sk-ant-admin01-{secrets.token_hex(16)}"
    organization = Organization(datetime.now(UTC).date())
    with serve_in_thread(create_api(organization, now=lambda: datetime.now(UTC), key=key)) as base_url:
        config = _demo_settings(base_url, key)
        _configure_logs(config)
        store = Store(None)
        try:
            _run(service.serve(config, store, simulated=True, started=_invite))
        finally:
            store.close()
    return 0


def _demo_settings(base_url: str, key: str) -> Settings:
    """Return the environment's settings, with the simulated API and a loopback address unless another one is set."""
    config = Settings(  # arguments take precedence over the environment
        _env_file=None,
        anthropic_base_url=base_url,
        anthropic_admin_key=key,
        anthropic_admin_key_file=None,
        exporter_requests_per_minute=100_000,
    )
    if "exporter_listen_address" in config.model_fields_set:
        return config
    return config.model_copy(update={"exporter_listen_address": ListenAddress("127.0.0.1:10918")})


def _check(_: argparse.Namespace) -> int:
    config = _loaded()
    try:
        config.admin_key()
    except SettingsError as error:
        print(f"FAIL  {error}")
        return 1

    async def run() -> bool:
        transport = service.make_transport(config, Telemetry(reports.NAMES))
        try:
            return await check.check(transport, datetime.now(UTC).date(), print)
        finally:
            await transport.close()

    return 0 if asyncio.run(run()) else 1


def _export(options: argparse.Namespace) -> int:
    wanted = Wanted(options.name, options.first, options.last, options.format, options.output)
    export.export(_loaded(), wanted, SYSTEM_CLOCK.now().date())
    return 0


def _loaded() -> Settings:
    config = settings.load()
    _configure_logs(config)
    for warning in settings.unknown_names():
        log.warning(warning)
    return config


def _configure_logs(config: Settings) -> None:
    def secret() -> str:
        try:
            return config.admin_key()
        except SettingsError:
            return ""

    logs.configure(config.exporter_log_level, config.exporter_log_format, secret)


def _run(main_coroutine: Coroutine[None, None, None]) -> None:
    uvloop.run(main_coroutine)


def _invite(address: str) -> None:
    lines = (
        f"The simulated organisation is at {address}/",
        f"Metrics for Prometheus: {address}/metrics",
        "Stop with Ctrl-C.",
    )
    print("\n" + "\n".join(f"  {line}" for line in lines) + "\n", flush=True)


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="anthropic-exporter",
        description="Prometheus exporter for what Claude and Claude Code cost an organisation, and who uses them.",
        epilog=_settings_help(),
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("--version", action="version", version=f"anthropic-exporter {__version__}")
    parser.set_defaults(run=_serve)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND")
    for name, run, text in (
        ("serve", _serve, "serve the metrics (the default)"),
        ("demo", _demo, "serve those of a simulated organisation: no key needed, no file left behind"),
        ("check", _check, "try the key once against each report and say what works"),
    ):
        commands.add_parser(name, help=text, description=text).set_defaults(run=run)
    _add_export(commands.add_parser("export", help="write stored days as a file", description=export.__doc__))
    return parser


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=export.NAMES, help="which file; openmetrics is for importing the past")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DATE", help="first UTC day")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DATE", help="last UTC day")
    parser.add_argument("--format", choices=sorted(FORMATS), default="csv", help="csv (the default) or jsonl")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write here instead of to standard output")
    parser.set_defaults(run=_export)


def _settings_help() -> str:
    width = min(shutil.get_terminal_size().columns, 100) - 6
    lines = ["settings (environment variables, or a file .env):"]
    for name, default, meaning in settings.described():
        lines.append(f"  {name}" + (f" (default {default})" if default else ""))
        lines += textwrap.wrap(meaning, width, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)
