"""The command `anthropic-exporter`: serve, demo, check, config, export, rules, dashboards."""

import argparse
import asyncio
import json
import os
import secrets
import signal
import sys
from collections.abc import Callable, Coroutine, Mapping, Sequence
from datetime import UTC, date, datetime
from pathlib import Path

import structlog
import uvloop

from exporter import __version__, assets, check, compare, export, flags, logs, misspelt, service, settings
from exporter.check import Finding
from exporter.clock import SYSTEM_CLOCK
from exporter.days.store import Store
from exporter.errors import ExporterError, SettingsError
from exporter.export import Wanted
from exporter.settings import Settings
from exporter.values import ListenAddress
from exporter.web.export import FORMATS

WRONG_SETTINGS = 2
CHECK_HELP = (
    "try everything that serve needs, and say what works; "
    "the exit code is 0, 1 (API or data folder) or 2 (settings), as that of serve"
)
COMPARE_HELP = "also show the last 30 complete days from both sources of the bill and of the tokens, side by side"
DEMO_GROUPS = ("report", "users", "web", "log")
EXPORT_GROUPS = ("users", "storage", "log")
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
        return 128 + signal.SIGINT
    except BrokenPipeError:  # the reader of standard output, such as `head`, has seen enough
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())  # Python flushes it once more at its end
        return 128 + signal.SIGPIPE


def _serve(options: argparse.Namespace) -> int:
    signal.signal(signal.SIGHUP, signal.SIG_IGN)  # until `service` handles it: it must not end a start
    config = _loaded(options)
    config.admin_key()
    store = Store(config.exporter_data_dir)
    log.info("settings", **{name: text for name, text in settings.shown(config).items() if text})
    try:
        _run(service.serve(config, store))
    finally:
        store.close()
    return 0


def _demo(options: argparse.Namespace) -> int:
    """Run the exporter against the simulated organisation: no key, nothing on disk, no request beyond this machine."""
    from exporter.demo.api import create_api  # noqa: PLC0415 - only this command pays for the simulation
    from exporter.demo.organization import Organization  # noqa: PLC0415
    from exporter.demo.server import serve_in_thread  # noqa: PLC0415

    key = f"sk-ant-admin01-{secrets.token_hex(16)}"
    organization = Organization(datetime.now(UTC).date())
    with serve_in_thread(create_api(organization, now=lambda: datetime.now(UTC), key=key)) as base_url:
        config = _demo_settings(base_url, key, flags.given(options))
        _configure_logs(config)
        store = Store(None)
        try:
            _run(service.serve(config, store, simulated=True, started=_invite))
        finally:
            store.close()
    return 0


def _demo_settings(base_url: str, key: str, given: Mapping[str, str]) -> Settings:
    """Return the settings with the simulated API, and a loopback address unless another one is set."""
    demo = {"anthropic_base_url": base_url, "exporter_requests_per_minute": "100000"}
    config = settings.load(None, {**given, **demo}, key=key)
    if "exporter_listen_address" in config.model_fields_set:
        return config
    return config.model_copy(update={"exporter_listen_address": ListenAddress("127.0.0.1:10918")})


def _config(options: argparse.Namespace) -> int:
    """Print a line for each setting: its value and where it comes from."""
    given = flags.given(options)
    rows = list(settings.effective(_loaded(options), given))
    names, values = max(len(row.name) for row in rows), max(len(row.value) for row in rows)
    for name, value, source in rows:
        print(f"{name:{names}}  {value:{values}}  {source}")
    return 0


def _check(options: argparse.Namespace) -> int:
    try:
        config = _loaded(options)
    except SettingsError as error:
        if not options.json:
            raise
        findings = [Finding("FAIL", "settings", line, WRONG_SETTINGS) for line in str(error).splitlines()]
    else:
        say = (lambda _: None) if options.json else print
        findings = asyncio.run(_findings(config, say, compared=options.compare))
    code = max(finding.exit_code for finding in findings)
    if options.json:
        checks = [{"state": one.state.lower(), "what": one.what, "detail": one.detail} for one in findings]
        print(json.dumps({"passed": code == 0, "exit_code": code, "checks": checks}, indent=2))
    else:
        print("Not all checks passed: see above." if code else "All checks passed.")
    return code


async def _findings(config: Settings, say: Callable[[Finding], None], *, compared: bool) -> list[Finding]:
    """Return all findings of `check`; each is said when it is found."""
    findings, today = [], datetime.now(UTC).date()
    for found in [check.check, compare.compare] if compared else [check.check]:
        async for finding in found(config, today):
            findings.append(finding)
            say(finding)
    return findings


def _export(options: argparse.Namespace) -> int:
    wanted = Wanted(options.name, options.first, options.last, options.format, options.output)
    export.export(_loaded(options), wanted, SYSTEM_CLOCK.now().date())
    return 0


def _assets(options: argparse.Namespace) -> int:
    for path in assets.write(options.name, options.output):
        print(path)
    return 0


def _loaded(options: argparse.Namespace) -> Settings:
    config = settings.load(flags=flags.given(options))
    _configure_logs(config)
    for warning in misspelt.warnings():
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
        usage="%(prog)s [FLAGS] [COMMAND]",
        allow_abbrev=False,
    )
    parser.add_argument("--version", action="version", version=f"anthropic-exporter {__version__}")
    parser.set_defaults(run=_serve)
    flags.add(parser)
    commands = parser.add_subparsers(title="commands", metavar="COMMAND", prog="anthropic-exporter")
    for name, run, groups, text in (
        ("serve", _serve, flags.GROUPS, "serve the metrics (the default)"),
        ("demo", _demo, DEMO_GROUPS, "serve those of a simulated organisation: no key needed, no file left behind"),
        ("check", _check, flags.GROUPS, CHECK_HELP),
        ("config", _config, flags.GROUPS, "print the settings in use and where each comes from"),
        ("export", _export, EXPORT_GROUPS, "write stored days as a file"),
    ):
        command = commands.add_parser(name, help=text, description=text, allow_abbrev=False)
        command.set_defaults(run=run)
        if name == "export":
            _add_export(command)
        if name == "check":
            command.add_argument("--json", action="store_true", help="print the findings as JSON, for scripts")
            command.add_argument("--compare", action="store_true", help=COMPARE_HELP)
        flags.add(command, groups)
    for name in assets.NAMES:
        text = f"write the {name} that come with this version into a folder"
        command = commands.add_parser(name, help=text, description=text)
        command.add_argument("--output", type=Path, metavar="DIR", required=True, help="where to write them")
        command.set_defaults(run=_assets, name=name)
    return parser


def _add_export(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("name", choices=export.NAMES, help="which file; openmetrics is for importing the past")
    parser.add_argument("--from", dest="first", type=date.fromisoformat, metavar="DATE", help="first UTC day")
    parser.add_argument("--to", dest="last", type=date.fromisoformat, metavar="DATE", help="last UTC day")
    parser.add_argument("--format", choices=sorted(FORMATS), default="csv", help="csv (the default) or jsonl")
    parser.add_argument("--output", type=Path, metavar="FILE", help="write here instead of to standard output")
