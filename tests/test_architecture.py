"""The house has an order: which room may import which. The table is the design, written out."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from pathlib import Path

import pytest

import policyengine

PACKAGE = Path(policyengine.__file__).parent

FOUNDATION = {"errors", "clock", "model"}
LANGUAGE = FOUNDATION | {"text", "expressions", "language"}
CORE = LANGUAGE | {"evaluation", "effects", "compliance"}

MAY_IMPORT: dict[str, set[str]] = {
    "errors": {"model"},  # for annotations only
    "clock": set(),
    "model": {"errors"},
    "text": FOUNDATION,
    "expressions": FOUNDATION | {"text"},
    "language": FOUNDATION | {"text", "expressions"},
    "evaluation": LANGUAGE,
    "effects": LANGUAGE | {"evaluation"},
    "compliance": LANGUAGE | {"evaluation", "effects"},
    "templates": FOUNDATION | {"text", "expressions"},
    "remediation": CORE | {"templates"},
    "reports": CORE,
    "testing": CORE | {"templates", "remediation"},
    "store": CORE | {"templates", "remediation"},
    "arm": FOUNDATION | {"text"},
    "inventory": FOUNDATION | {"text", "arm"},
    "execution": CORE | {"templates", "remediation", "store", "arm", "inventory"},
    "emulator": FOUNDATION | {"text", "expressions", "templates"},
    "workflows": CORE | {"templates", "remediation", "reports", "testing", "store", "arm", "inventory", "execution"},
    "scheduler": FOUNDATION | {"language", "workflows", "store"},
    "web": FOUNDATION | {"workflows"},
    "cli": CORE | {"remediation", "reports", "testing", "execution", "store", "workflows", "scheduler", "web"},
    "api": CORE | {"clock"},
}
EXCEPTIONS = {
    # the demo, policy tests that apply a plan, and the emulator command are where both sides of the wire meet
    "policyengine.workflows.demo": {"emulator"},
    "policyengine.workflows.after_apply": {"emulator"},
    "policyengine.cli.emulator_serve": {"emulator"},
}

PURE = {"model", "text", "expressions", "language", "evaluation", "effects", "compliance", "templates"} | {
    "remediation",
    "reports",
    "testing",
}
IMPURE_MODULES = {
    "os",
    "random",
    "secrets",
    "asyncio",
    "socket",
    "time",
    "subprocess",
    "tempfile",
    "shutil",
    "threading",
}

DOORS: dict[str, set[str]] = {
    "httpx": {"policyengine.arm"},
    "httpx_aiohttp": {"policyengine.arm"},
    "aiohttp": {"policyengine.arm"},
    "azure": {"policyengine.arm.azure_identity"},
    "apscheduler": {"policyengine.scheduler"},
    "yaml": {"policyengine.text"},
    "jmespath": {"policyengine.expressions.jmespath"},
    "jsonschema": {"policyengine.language.parameter_schema"},
    "referencing": {"policyengine.language.parameter_schema"},
    "sqlmodel": {"policyengine.store"},
    "sqlalchemy": {"policyengine.store"},
    "alembic": {"policyengine.store"},
    "distributed": {"policyengine.workflows.executors"},
    "typer": {"policyengine.cli"},
    "rich": {"policyengine.cli"},
    "jinja2": {"policyengine.reports"},
    "cryptography": {"policyengine.emulator.crypto"},
}


def modules() -> Iterator[tuple[str, ast.Module]]:
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        if relative.parts[0] == "_data":
            continue
        parts = relative.with_suffix("").parts
        name = ".".join(("policyengine", *(p for p in parts if p != "__init__")))
        yield name, ast.parse(path.read_text(encoding="utf-8"))


def imports(tree: ast.Module) -> Iterator[str]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            if node.module == "policyengine":
                yield from (f"policyengine.{alias.name}" for alias in node.names)
            else:
                yield node.module


MODULES = list(modules())


ABOVE_ALL = {None, "__main__"}  # the package's face and its `python -m`


def room(module: str) -> str | None:
    parts = module.split(".")
    return parts[1] if parts[0] == "policyengine" and len(parts) > 1 else None


@pytest.mark.parametrize(("name", "tree"), MODULES, ids=[name for name, _ in MODULES])
def test_a_room_imports_only_rooms_below_it(name: str, tree: ast.Module) -> None:
    own = room(name)
    if own is None or own in ABOVE_ALL:
        return
    allowed = MAY_IMPORT[own] | {own} | EXCEPTIONS.get(name, set())
    reached = {r for module in imports(tree) if (r := room(module)) is not None and not r.startswith("__")}

    assert reached <= allowed, f"{name} imports {sorted(reached - allowed)}"


@pytest.mark.parametrize(("name", "tree"), MODULES, ids=[name for name, _ in MODULES])
def test_a_pure_room_has_no_way_to_the_world(name: str, tree: ast.Module) -> None:
    if room(name) in PURE:
        tops = {module.split(".")[0] for module in imports(tree)}

        assert not tops & IMPURE_MODULES, f"{name} imports {sorted(tops & IMPURE_MODULES)}"


@pytest.mark.parametrize(("name", "tree"), MODULES, ids=[name for name, _ in MODULES])
def test_a_foreign_package_comes_in_by_its_door(name: str, tree: ast.Module) -> None:
    for module in imports(tree):
        doors = DOORS.get(module.split(".")[0])

        assert doors is None or any(name == d or name.startswith(d + ".") for d in doors), f"{name} imports {module}"


def test_the_table_names_every_room_there_is() -> None:
    rooms = {room(name) for name, _ in MODULES} - ABOVE_ALL

    assert rooms == set(MAY_IMPORT)
