"""Mutation testing of the core modules: change one thing, run the module's own tests, report what they did not notice.

    python tools/mutants.py --sample 200                # 200 mutants of all modules in MODULES
    python tools/mutants.py --module tls --module plan  # every mutant of two modules
    python tools/mutants.py --sample 50 --seed 7        # another sample, the same in each run

The tests run in a temporary copy of the working tree. Each mutant has its own process, forked from one that has loaded
the libraries. A mutant that takes several times as long as the unchanged module is stopped, and counts as killed.
A survivor means a missing test, superfluous code, or an equivalent mutant, which no caller can tell from the original.
"""

# ruff: noqa: INP001, T201 - a script of its own, which prints

import argparse
import ast
import multiprocessing
import os
import random
import resource
import shutil
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from queue import SimpleQueue
from typing import Final, NamedTuple

ROOT: Final = Path(__file__).parents[1]
TOOLKIT: Final = "exporter/web/toolkit"
MODULES: Final[dict[str, tuple[str, ...]]] = {
    f"{TOOLKIT}/basic_auth.py": ("tests/unit/test_basic_auth.py",),
    f"{TOOLKIT}/config.py": ("tests/unit/test_config.py", "tests/unit/test_schema.py"),
    f"{TOOLKIT}/schema.py": ("tests/unit/test_schema.py", "tests/unit/test_tls.py", "tests/unit/test_basic_auth.py"),
    f"{TOOLKIT}/tls.py": ("tests/unit/test_tls.py",),
    f"{TOOLKIT}/token_bucket.py": ("tests/unit/test_token_bucket.py",),
    f"{TOOLKIT}/limits.py": ("tests/unit/test_limits.py",),
    f"{TOOLKIT}/http_protocol.py": ("tests/unit/test_http_protocol.py",),
    "exporter/web/app.py": ("tests/unit/test_app.py",),
    "exporter/logs.py": ("tests/unit/test_logs.py",),
    "exporter/settings.py": ("tests/unit/test_settings.py", "tests/test_docs.py"),
    "exporter/refresh/publisher.py": ("tests/unit/test_refresher.py",),
    "exporter/refresh/refresher.py": ("tests/unit/test_refresher.py",),
    "exporter/refresh/fetcher.py": ("tests/unit/test_fetcher.py", "tests/unit/test_refresher.py"),
    "exporter/refresh/health.py": ("tests/unit/test_health.py",),
    "exporter/refresh/plan.py": ("tests/unit/test_plan.py", "tests/property/test_plan.py"),
    "exporter/days/database.py": ("tests/unit/test_database.py", "tests/unit/test_store.py"),
    "exporter/days/kept_page.py": ("tests/unit/test_kept_page.py",),
    "exporter/days/ledger.py": ("tests/unit/test_ledger.py", "tests/unit/test_kept_page.py", "tests/golden"),
    "exporter/days/shown.py": ("tests/unit/test_ledger.py", "tests/golden"),
    "exporter/days/store.py": ("tests/unit/test_store.py", "tests/property/test_store.py"),
    "exporter/reports/buckets.py": ("tests/unit/test_cost.py", "tests/unit/test_claude_code.py"),
    "exporter/reports/claude_code.py": (
        "tests/unit/test_claude_code.py",
        "tests/unit/test_reports.py",
        "tests/property/test_sums.py",
    ),
    "exporter/reports/names.py": ("tests/unit/test_claude_code.py", "tests/unit/test_reports.py"),
    "exporter/reports/cost.py": ("tests/unit/test_cost.py", "tests/golden"),
    "exporter/reports/directory.py": ("tests/unit/test_reports.py", "tests/golden"),
    "exporter/reports/health.py": ("tests/unit/test_reports.py", "tests/golden"),
    "exporter/reports/report.py": ("tests/unit/test_reports.py",),
    "exporter/reports/sums.py": ("tests/unit/test_sums.py", "tests/unit/test_cost.py", "tests/property/test_sums.py"),
    "exporter/reports/usage_days.py": ("tests/unit/test_claude_code.py", "tests/golden"),
    "exporter/reports/usage_rows.py": ("tests/unit/test_claude_code.py",),
    "exporter/reports/users.py": ("tests/unit/test_users.py", "tests/property/test_sums.py", "tests/golden"),
    "exporter/reports/user_sums.py": ("tests/unit/test_users.py", "tests/property/test_sums.py", "tests/golden"),
    "exporter/api/bodies.py": ("tests/unit/test_bodies.py",),
    "exporter/api/paging.py": ("tests/unit/test_paging.py",),
    "exporter/api/refusals.py": ("tests/unit/test_refusals.py",),
    "exporter/api/transport.py": ("tests/contract/test_transport.py",),
    "exporter/exposition/encoder.py": ("tests/unit/test_exposition.py", "tests/property/test_exposition.py"),
    "exporter/exposition/page.py": ("tests/unit/test_exposition.py", "tests/property/test_exposition.py"),
    "exporter/exposition/pieces.py": ("tests/unit/test_exposition.py", "tests/golden"),
}
"""Each module, and the fast tests that must notice a change in it."""

PRELOAD: Final = ["pytest", "hypothesis", "httpx", "pydantic_settings", "respx", "structlog", "trustme", "uvicorn"]
IGNORED: Final = (".git", ".venv", "node_modules", "__pycache__", ".*_cache", ".hypothesis", "dist", "build")
MEMORY_BYTES: Final = 4 << 30
COMPARISONS: Final[dict[type[ast.cmpop], type[ast.cmpop]]] = {
    ast.Lt: ast.LtE,
    ast.LtE: ast.Lt,
    ast.Gt: ast.GtE,
    ast.GtE: ast.Gt,
    ast.Eq: ast.NotEq,
    ast.NotEq: ast.Eq,
    ast.Is: ast.IsNot,
    ast.IsNot: ast.Is,
    ast.In: ast.NotIn,
    ast.NotIn: ast.In,
}
OPERATORS: Final[dict[type[ast.operator], type[ast.operator]]] = {
    ast.Add: ast.Sub,
    ast.Sub: ast.Add,
    ast.Mult: ast.Div,
    ast.Div: ast.Mult,
}
NOT_MUTATED: Final = {"annotation", "returns", "decorator_list", "bases"}
"""Fields of the syntax tree that hold types and declarations."""


class Mutant(NamedTuple):
    """One changed module: where, what, and its whole source."""

    module: str
    line: int
    change: str
    source: str


def mutants(module: str, source: str) -> Iterator[Mutant]:
    """Yield every mutant of a module's source."""
    tree = ast.parse(source)
    for parent, field, index, node in _nodes(tree):
        for replacement in _replacements(node):
            _put(parent, field, index, replacement)
            change = f"{_shown(node)}  ->  {_shown(replacement)}"
            yield Mutant(module, getattr(node, "lineno", 0), change, ast.unparse(ast.fix_missing_locations(tree)))
            _put(parent, field, index, node)


def _nodes(parent: ast.AST) -> Iterator[tuple[ast.AST, str, int | None, ast.AST]]:
    """Yield each node that may be mutated, with its place in its parent."""
    for field, value in ast.iter_fields(parent):
        if field in NOT_MUTATED:
            continue
        for index, node in enumerate(value) if isinstance(value, list) else [(None, value)]:
            if not isinstance(node, ast.AST) or _is_declaration(node):
                continue
            yield parent, field, index, node
            yield from _nodes(node)


def _is_declaration(node: ast.AST) -> bool:
    """Return whether a node is a docstring, a Literal type or a type variable."""
    if isinstance(node, ast.Expr):
        return isinstance(node.value, ast.Constant)
    if isinstance(node, ast.Subscript):
        return isinstance(node.value, ast.Name) and node.value.id == "Literal"
    return isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "TypeVar"


def _put(parent: ast.AST, field: str, index: int | None, node: ast.AST) -> None:
    if index is None:
        setattr(parent, field, node)
    else:
        getattr(parent, field)[index] = node


def _replacements(node: ast.AST) -> Iterator[ast.AST]:
    """Yield what a node is replaced by, one mutant each."""
    yield from _other_values(node)
    yield from _other_conditions(node)
    yield from _other_statements(node)


def _other_values(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Constant(bool() as value):
            yield ast.Constant(not value)
        case ast.Constant(int() | float() as value):
            yield ast.Constant(value + 1)
        case ast.Constant(str() | bytes() as value) if value:
            yield ast.Constant(type(value)())
        case ast.BinOp(left, operator, right) if type(operator) in OPERATORS:
            yield ast.BinOp(left, OPERATORS[type(operator)](), right)


def _other_conditions(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Compare(left, [operator, *more], comparators):
            yield ast.Compare(left, [COMPARISONS[type(operator)](), *more], comparators)
        case ast.BoolOp(operator, values):
            yield ast.BoolOp(ast.Or() if isinstance(operator, ast.And) else ast.And(), values)
        case ast.UnaryOp(ast.Not(), operand):
            yield operand
        case ast.If(ast.Name() | ast.Attribute() | ast.Call() | ast.NamedExpr() as test, body, orelse):
            yield ast.If(ast.UnaryOp(ast.Not(), test), body, orelse)
        case ast.IfExp(ast.Name() | ast.Attribute() | ast.Call() | ast.NamedExpr() as test, body, orelse):
            yield ast.IfExp(ast.UnaryOp(ast.Not(), test), body, orelse)


def _other_statements(node: ast.AST) -> Iterator[ast.AST]:
    match node:
        case ast.Expr() | ast.Raise() | ast.Delete() | ast.Assign([ast.Attribute() | ast.Subscript()]):
            yield ast.Pass()
        case ast.AugAssign(target, operator, value):
            yield ast.Pass()
            if type(operator) in OPERATORS:
                yield ast.AugAssign(target, OPERATORS[type(operator)](), value)
        case ast.Return(value) if value is not None and ast.unparse(value) not in {"None", "False"}:
            yield ast.Return(ast.Constant(None))
        case ast.Break():
            yield ast.Continue()
        case ast.Continue():
            yield ast.Break()


def _shown(node: ast.AST) -> str:
    text = " ".join(ast.unparse(node).split())
    return text if len(text) <= 70 else f"{text[:67]}..."  # noqa: PLR2004 - two of them and a path fit on a line


def run_tests(folder: str, tests: Sequence[str]) -> None:
    """Run tests in `folder` and end this process with pytest's exit code."""
    import pytest  # noqa: PLC0415 - loaded by the fork server

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY_BYTES, MEMORY_BYTES))
    os.chdir(folder)
    sys.path.insert(0, folder)
    sys.dont_write_bytecode = True
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    os.dup2(nowhere, 2)
    code = pytest.main(["-x", "-q", "--assert=plain", "-p", "no:randomly", f"--basetemp={folder}/.basetemp", *tests])
    import exporter  # noqa: PLC0415 - after the tests, so that it is theirs

    if not str(exporter.__file__).startswith(folder):
        code = 99
    os._exit(code)  # does not wait for threads that a mutant left running


class Workers:
    """Copies of the working tree in which mutants are tested, one at a time in each."""

    def __init__(self, folder: Path, count: int) -> None:
        self._context = multiprocessing.get_context("forkserver")
        self._context.set_forkserver_preload(PRELOAD)
        self._free: SimpleQueue[Path] = SimpleQueue()
        for number in range(count):
            copy = folder / str(number)
            shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(*IGNORED), symlinks=True)
            self._free.put(copy)

    def exit_code(self, mutant: Mutant, limit: float) -> int | None:
        """Return pytest's exit code with the mutant in place, or None when it takes longer than `limit` seconds."""
        copy = self._free.get()
        original = (copy / mutant.module).read_text()
        (copy / mutant.module).write_text(mutant.source)
        try:
            process = self._context.Process(target=run_tests, args=(str(copy), MODULES[mutant.module]))
            process.start()
            process.join(limit)
            if process.is_alive():
                process.kill()
                process.join()
                return None
            return process.exitcode
        finally:
            (copy / mutant.module).write_text(original)
            self._free.put(copy)

    def limit(self, module: str) -> float:
        """Return how many seconds a mutant of `module` may take. Raises SystemExit if the unchanged module fails."""
        begun = time.monotonic()
        code = self.exit_code(Mutant(module, 0, "", (ROOT / module).read_text()), 300)
        if code != 0:
            raise SystemExit(f"{module}: its tests must pass unchanged, but pytest ended with {code}")
        return 5 + 4 * (time.monotonic() - begun)


def main() -> None:
    """Test the mutants asked for and print killed and survived ones by module."""
    parser = argparse.ArgumentParser(description="Mutation testing of the core modules.")
    names = [Path(module).stem for module in MODULES]
    parser.add_argument(
        "--module", action="append", choices=names, help="test this module, may be repeated; default: all"
    )
    parser.add_argument("--sample", type=int, help="test this many mutants only; default: all")
    parser.add_argument("--seed", default="0", help="which sample; the same seed gives the same mutants")
    parser.add_argument("--jobs", type=int, default=2, help="mutants tested at the same time")
    options = parser.parse_args()
    modules = [module for module in MODULES if Path(module).stem in (options.module or names)]
    chosen = [mutant for module in modules for mutant in mutants(module, (ROOT / module).read_text())]
    if options.sample is not None:
        chosen = random.Random(options.seed).sample(chosen, min(options.sample, len(chosen)))  # noqa: S311 - no secret
    with tempfile.TemporaryDirectory(prefix="mutants-") as folder, ThreadPoolExecutor(options.jobs) as pool:
        os.environ["HYPOTHESIS_STORAGE_DIRECTORY"] = f"{folder}/hypothesis"
        workers = Workers(Path(folder), options.jobs)
        limits = {module: workers.limit(module) for module in sorted({mutant.module for mutant in chosen})}
        codes = pool.map(lambda mutant: workers.exit_code(mutant, limits[mutant.module]), chosen)
        _report(zip(chosen, codes, strict=True))


def _report(results: Iterator[tuple[Mutant, int | None]]) -> None:
    tested, survived, hung = Counter[str](), Counter[str](), Counter[str]()
    for mutant, code in results:
        for module in (mutant.module, "all"):
            tested[module] += 1
            survived[module] += code == 0
            hung[module] += code is None
        if code == 0:
            print(f"survived  {mutant.module}:{mutant.line}  {mutant.change}", flush=True)
    print(f"\n{'module':40} {'mutants':>8} {'killed':>8} {'survived':>9} {'timed out':>10}")
    for module in sorted(tested, key=lambda module: (module == "all", module)):
        count, killed = tested[module], 1 - survived[module] / tested[module]
        print(f"{module:40} {count:8} {killed:8.1%} {survived[module]:9} {hung[module]:10}")


if __name__ == "__main__":
    main()
