"""The package structure: imports go down the layers only, and each outside library is imported in one place."""

import ast
import socket
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

PACKAGE = Path(__file__).parent.parent / "exporter"
MODULES = {
    ".".join(path.relative_to(PACKAGE).with_suffix("").parts): path
    for path in sorted(PACKAGE.rglob("*.py"))
    if not path.stem.startswith("__") and "demo" not in path.parts
}
DEMO = {path.stem: path for path in (PACKAGE / "demo").glob("*.py")}

LAYERS = (
    {"cli"},
    {"compare"},
    {"check", "export"},
    {"service"},
    {"reload"},
    {"web"},
    {"web.toolkit"},
    {"refresh"},
    {"days"},
    {"reports", "exposition"},
    {"api"},
    {"telemetry"},
    {"flags", "misspelt"},
    {"assets", "clock", "logs", "memory", "model", "notify", "palette", "settings"},
    {"values"},
    {"errors"},
)
"""Packages and top-level modules, highest first: each imports only from lower layers and from itself."""
EXCEPTIONS: set[tuple[str, str]] = set()
"""Imports that the layers do not allow."""
FENCES = {
    "aiolimiter": {"api.budget"},
    "apscheduler": {"service"},
    "bcrypt": {"web.toolkit.basic_auth"},
    "httpx": {"api.transport"},
    "jinja2": {"web.page"},
    "msgspec": {
        *("api.bodies", "api.paging", "api.refusals", "days.kept_page", "days.kept_sums", "reports"),
        *("web.api", "web.export", "web.range_users", "web.report", "web.reporting"),
    },
    "prometheus_client": {"telemetry"},
    "pydantic": {"settings", "web.toolkit.schema", "web.toolkit.config"},
    "pydantic_core": {"web.toolkit.config"},
    "pydantic_settings": {"misspelt", "settings"},
    "sqlite3": {"days.database", "days.snapshot", "days.store"},
    "starlette": {
        "web.api",
        "web.app",
        "web.reload",
        "web.site",
        "web.toolkit.basic_auth",
        "web.toolkit.limits",
        "service",
    },
    "structlog": {
        *(
            "logs",
            "days.database",
            "days.store",
            "days.shown",
            "refresh.fetcher",
            "refresh.progress",
            "refresh.publisher",
            "refresh.refresher",
            "refresh.series_warning",
            "service",
            "reload",
            "cli",
        ),
        *("web.toolkit.tls", "web.toolkit.config"),
    },
    "uvicorn": {"service", "web.toolkit.http_protocol"},
    "uvloop": {"cli"},
    "yaml": {"web.toolkit.config"},
}
"""The modules and packages that import each outside library, and sqlite3."""
DEMO_LIBRARIES = {"starlette", "uvicorn"}
FENCED_STANDARD = {"sqlite3"}
CLOCKS = {"clock", "service", "cli"}
"""The modules that may ask the system for the date."""
PURE = (
    "errors",
    "model",
    "settings",
    "values",
    "api.refusals",
    "days.kept_page",
    "days.kept_sums",
    "refresh.plan",
    "refresh.health",
    "refresh.pace",
    "reports",
    "exposition",
    "palette",
    "web.api_tokens",
    "web.backfill",
    "web.queries",
    "web.range_users",
    "web.report",
    "web.token_tables",
)
"""Modules and packages without clock, disk, network or threads."""


def imports(path: Path) -> Iterator[str]:
    """Return the dotted names of the modules that a file imports; from the package itself, the module's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            name = node.module or ""
            modules = [f"{name}.{alias.name}" for alias in node.names]
            yield from modules if (PACKAGE.parent / name.replace(".", "/")).is_dir() else [name]


def inside(path: Path) -> set[str]:
    """Return the modules of the package that a file imports."""
    return {name.removeprefix("exporter.") for name in imports(path) if name.startswith("exporter.")} - {"__version__"}


def outside(path: Path) -> set[str]:
    """Return the libraries that a file imports, and what of the standard library has a fence."""
    tops = {name.partition(".")[0] for name in imports(path)} - {"exporter"}
    return {top for top in tops if top in FENCED_STANDARD or top not in sys.stdlib_module_names}


def layer(module: str) -> int:
    """Return the number of the layer that a module or its package belongs to."""
    return min(
        (number for number, names in enumerate(LAYERS) if module in names or module.rpartition(".")[0] in names),
        default=-1,
    )


def package(module: str) -> str:
    """Return the package of a module, or the module itself at the top level."""
    return module.rpartition(".")[0] or module


def test_every_module_has_a_layer() -> None:
    """A new package is given a place on purpose."""
    assert [module for module in MODULES if layer(module) < 0] == []


def test_imports_go_down() -> None:
    """From higher layers to lower ones; each exception is listed, and none in vain."""
    upwards = {
        (module, name)
        for module, path in MODULES.items()
        for name in inside(path)
        if name.partition(".")[0] != "demo" and package(name) != package(module) and layer(name) <= layer(module)
    }
    assert upwards == EXCEPTIONS
    assert len(EXCEPTIONS) <= 5


def test_only_the_command_line_imports_the_demo() -> None:
    """The simulated organisation is no part of a running exporter."""
    users = {module for module, path in MODULES.items() if any(name.startswith("demo") for name in inside(path))}
    assert users == {"cli"}


def test_each_library_is_imported_where_it_belongs() -> None:
    """And nowhere else, so that another can take its place in one module."""
    found = defaultdict(set)
    for module, path in MODULES.items():
        for library in outside(path):
            found[library].add(module if module in FENCES.get(library, ()) else package(module))
    assert dict(found) == FENCES


@pytest.mark.parametrize("module", DEMO)
def test_the_simulated_organisation_stands_beside(module: str) -> None:
    """It shares no code with the exporter that it is the truth of."""
    assert all(name == "demo" or name.startswith("demo.") for name in inside(DEMO[module]))
    assert outside(DEMO[module]) <= DEMO_LIBRARIES


@pytest.mark.parametrize("module", MODULES)
def test_time_is_an_argument(module: str) -> None:
    """Only the edge to the system asks for the date; nobody sleeps, least of all in a scrape."""
    called = {
        f"{node.func.value.id}.{node.func.attr}"
        for node in ast.walk(ast.parse(MODULES[module].read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Attribute) and isinstance(node.func.value, ast.Name)
    }
    assert not called & {"time.sleep", "asyncio.sleep", "date.today", "datetime.today", "datetime.utcnow", "time.time"}
    assert "datetime.now" not in called or module in CLOCKS


@pytest.mark.parametrize("module", [m for m in MODULES if m in PURE or package(m) in PURE])
def test_the_core_is_pure(module: str) -> None:
    """No clock, no network, no thread; of files, settings reads its own."""
    impure = {"asyncio", "concurrent", "random", "secrets", "socket", "subprocess", "threading", "time", "urllib"}
    allowed = {"settings": {"pathlib", "os"}, "values": {"pathlib", "urllib"}}.get(module, set())
    tops = {name.partition(".")[0] for name in imports(MODULES[module])}
    assert not (tops & (impure | {"os", "pathlib", "io", "logging"})) - allowed


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_no_test_reaches_beyond_this_machine() -> None:
    """The test run itself has a fence: a connection to elsewhere is an error, and no time-out."""
    with socket.socket() as outward, pytest.raises(SocketConnectBlockedError):
        outward.connect(("192.0.2.1", 80))
