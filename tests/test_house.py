"""The floors of the house: a file imports from lower floors only, and never in a circle."""

import ast
from graphlib import TopologicalSorter
from pathlib import Path

import pytest

SOURCES = Path(__file__).parent.parent / "src"
FLOORS = (
    {"v1", "settings"},
    {"core"},
    {"domain"},
    {"store", "devices", "connectors"},
    {"service"},
    {"host"},
    {"api"},
    {"cli"},
)
FLOOR_OF = {name: number for number, floor in enumerate(FLOORS) for name in floor}
FILES = sorted(path for path in (SOURCES / "swipegate").rglob("*.py") if "v1" not in path.parts)


def module_of(path: Path) -> str:
    parts = path.relative_to(SOURCES).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


def imports_of(path: Path) -> set[str]:
    """Full names of what a file imports from this package, names of a module's members included."""
    found: set[str] = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name for name in found if name.startswith("swipegate.")}


@pytest.mark.parametrize("path", FILES, ids=module_of)
def test_imports_go_down(path: Path) -> None:
    own = module_of(path).split(".")
    if len(own) == 1:
        assert not imports_of(path)
        return
    for name in imports_of(path):
        other = name.split(".")[1]
        lower = FLOOR_OF[other] < FLOOR_OF[own[1]]
        assert lower or other == own[1], f"{'.'.join(own)} imports {name}"


def test_nothing_imports_in_a_circle() -> None:
    modules = {module_of(path): path for path in FILES}
    graph = {}
    for module, path in modules.items():
        names = imports_of(path)
        used = {name if name in modules else name.rpartition(".")[0] for name in names}
        # a package's own __init__ is there before its members are
        graph[module] = {name for name in used & set(modules) if not module.startswith(f"{name}.")} - {module}
    assert list(TopologicalSorter(graph).static_order())
