"""The command `anthropic-exporter`: serve, demo, check. Settings come from the environment."""

import argparse
import asyncio
import os
import secrets
import shutil
import sys
import textwrap
from collections.abc import Callable, Coroutine, Sequence
from datetime import UTC, datetime

import structlog
import uvloop

from exporter import __version__, check, logs, reports, service, settings
from exporter.days.store import Store
from exporter.errors import ExporterError, SettingsError
from exporter.settings import ListenAddress, Settings
from exporter.telemetry import Telemetry

WRONG_SETTINGS = 2
log = structlog.get_logger()


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a command and return its exit code: 0, 1 when it could not do its work, 2 for a wrong setting or usage."""
    os.umask(0o077)
    command: Callable[[], int] = _parser().parse_args(arguments).run
    try:
        return command()
    except SettingsError as error:
        for line in str(error).splitlines():
            print(f"anthropic-exporter: {line}", file=sys.stderr)
        return WRONG_SETTINGS
    except ExporterError as error:
        print(f"anthropic-exporter: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130


def _serve() -> int:
    config = _loaded()
    config.admin_key()
    store = Store(config.exporter_data_dir)
    try:
        _run(service.serve(config, store))
    finally:
        store.close()
    return 0


def _demo() -> int:
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
            _run(service.serve(config, store, started=_invite))
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


def _check() -> int:
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
    return parser


def _settings_help() -> str:
    width = min(shutil.get_terminal_size().columns, 100) - 6
    lines = ["settings (environment variables, or a file .env):"]
    for name, default, meaning in settings.described():
        lines.append(f"  {name}" + (f" (default {default})" if default else ""))
        lines += textwrap.wrap(meaning, width, initial_indent="      ", subsequent_indent="      ")
    return "\n".join(lines)
