"""The house of four floors: imports go down only, and each outside library has its modules."""

import ast
import socket
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from pytest_socket import SocketConnectBlockedError

PACKAGE = Path(__file__).parent.parent / "exporter"
MODULES = {path.stem: path for path in PACKAGE.glob("*.py") if not path.stem.startswith("__")}
DEMO = {path.stem: path for path in (PACKAGE / "demo").glob("*.py")}

FLOORS = (
    {"errors", "model", "settings", "catalogue"},  # words
    {"shapes", "wire", "plan", "answers", "standing", "sums", "snapshot", "headlines", "exposition"},  # pure
    {  # edges
        *("telemetry", "client", "database", "store", "logs", "web"),
        *("webschema", "webconfig", "bucket", "guard", "auth", "tls", "connection"),
    },
    {"ports", "ledger", "refresh", "check", "service", "cli"},  # shell
)
SAME_FLOOR = {
    ("catalogue", "model"),
    ("settings", "errors"),
    ("answers", "plan"),
    ("answers", "wire"),
    ("wire", "shapes"),
    ("standing", "plan"),
    ("snapshot", "sums"),
    ("headlines", "sums"),
    ("client", "telemetry"),
    ("web", "telemetry"),
    ("store", "database"),
    ("webconfig", "webschema"),
    ("tls", "webconfig"),
    ("tls", "webschema"),
    ("guard", "bucket"),
    ("guard", "webschema"),
    ("auth", "bucket"),
    ("auth", "webschema"),
    ("refresh", "ledger"),
    ("refresh", "ports"),
    ("service", "ports"),
    ("service", "ledger"),
    ("service", "refresh"),
    ("cli", "check"),
    ("cli", "service"),
}
FENCES = {
    "aiolimiter": {"client"},
    "apscheduler": {"service"},
    "bcrypt": {"auth"},
    "httpx": {"client"},
    "jinja2": {"web"},
    "prometheus_client": {"telemetry"},
    "pydantic": {"shapes", "wire", "settings", "webschema", "webconfig"},
    "pydantic_core": {"webconfig"},
    "pydantic_settings": {"settings"},
    "sqlite3": {"database", "store"},
    "starlette": {"web", "auth", "guard", "service"},
    "structlog": {"logs", "database", "refresh", "service", "cli", "tls", "webconfig"},
    "typing_extensions": {"shapes"},
    "uvicorn": {"service", "connection"},
    "uvloop": {"cli"},
    "yaml": {"webconfig"},
}
DEMO_LIBRARIES = {"starlette", "uvicorn"}
FENCED_STANDARD = {"sqlite3"}
CLOCKS = {"client", "service", "cli"}
"""Who may ask the system what time of day it is; everybody else is told."""


def imports(path: Path) -> Iterator[str]:
    """Return the dotted names of the modules that a file imports; from the package itself, the module's name."""
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, "relative imports hide where a name comes from"
            name = node.module or ""
            yield from [f"exporter.{alias.name}" for alias in node.names] if name == "exporter" else [name]


def inside(path: Path) -> set[str]:
    """Return the modules of the package that a file imports."""
    return {name.removeprefix("exporter.") for name in imports(path) if name.startswith("exporter.")} - {"__version__"}


def outside(path: Path) -> set[str]:
    """Return the libraries that a file imports, and what of the standard library has a fence."""
    tops = {name.partition(".")[0] for name in imports(path)} - {"exporter"}
    return {top for top in tops if top in FENCED_STANDARD or top not in sys.stdlib_module_names}


def floor(module: str) -> int:
    """Return the number of a module's floor."""
    return next(number for number, names in enumerate(FLOORS) if module in names)


def test_every_module_has_a_floor() -> None:
    """A new one is put somewhere on purpose."""
    assert sorted(name for names in FLOORS for name in names) == sorted(MODULES)


@pytest.mark.parametrize("module", MODULES)
def test_imports_go_down(module: str) -> None:
    """To a lower floor, or to one of the neighbours that are listed. The simulated organisation is `cli`'s alone."""
    for name in inside(MODULES[module]):
        if name.partition(".")[0] == "demo":
            assert module == "cli", name
        else:
            assert floor(name) < floor(module) or (module, name) in SAME_FLOOR, name


def test_no_neighbour_is_listed_in_vain() -> None:
    """What is not imported any more is taken off the list; and nobody is a neighbour of himself."""
    real = {
        (module, name)
        for module, path in MODULES.items()
        for name in inside(path)
        if name in MODULES and floor(name) == floor(module)
    }
    assert real == SAME_FLOOR


def test_each_library_is_imported_where_it_belongs() -> None:
    """And nowhere else, so that another can take its place in one module."""
    found = defaultdict(set)
    for module, path in MODULES.items():
        for library in outside(path):
            found[library].add(module)
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


@pytest.mark.parametrize("module", sorted(FLOORS[0] | FLOORS[1]))
def test_the_lower_floors_are_pure(module: str) -> None:
    """No clock, no network, no thread; of files, settings reads its own."""
    impure = {"asyncio", "concurrent", "random", "secrets", "socket", "subprocess", "threading", "time", "urllib"}
    allowed = {"urllib", "pathlib", "os"} if module == "settings" else set()
    tops = {name.partition(".")[0] for name in imports(MODULES[module])}
    assert not (tops & (impure | {"os", "pathlib", "io", "logging"})) - allowed


@pytest.mark.filterwarnings("ignore:A test tried to use socket")
def test_no_test_reaches_beyond_this_machine() -> None:
    """The test run itself has a fence: a connection to elsewhere is an error, and no time-out."""
    with socket.socket() as outward, pytest.raises(SocketConnectBlockedError):
        outward.connect(("192.0.2.1", 80))
