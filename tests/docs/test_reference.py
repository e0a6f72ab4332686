"""Each table of the program has its rows in the reference, each row of the reference its entry in the program."""

from __future__ import annotations

import ast
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import typer

import policyengine
from policyengine.arm.choice import CREDENTIALS
from policyengine.cli.context import Output
from policyengine.cli.exit_codes import ExitCode
from policyengine.cli.main import app
from policyengine.effects import EFFECTS
from policyengine.emulator.faults import Fault
from policyengine.emulator.routes.control import HANDLERS
from policyengine.emulator.settings import Settings as EmulatorSettings
from policyengine.emulator.simulation import Simulation
from policyengine.expressions.context import Where
from policyengine.expressions.functions import FUNCTIONS
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.inventory import SOURCES
from policyengine.inventory.related_types import EXTENSION_LISTINGS
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import RULES
from policyengine.language.details import EFFECTS as LANGUAGE_EFFECTS
from policyengine.language.documents import Parameter
from policyengine.language.library import PolicyLibrary
from policyengine.language.metadata import METADATA_KEYS, SEVERITIES
from policyengine.language.operators import OPERATORS
from policyengine.language.parser import parse_documents
from policyengine.language.problems import CODES
from policyengine.model.clouds import CLOUDS
from policyengine.model.resource import AKS
from policyengine.model.states import ComplianceState
from policyengine.model.values import UNDEFINED, canonical_json
from policyengine.remediation.steps import TRANSITIONS, Preflight
from policyengine.reports import FORMATS, LISTS
from policyengine.store.tables import ClusterRow
from policyengine.workflows.load import load
from policyengine.workflows.settings import Settings

if TYPE_CHECKING:
    from tests.docs.conftest import Page, Row

    Read = Callable[[str], Page]

PACKAGE = Path(policyengine.__file__).parent
A_CODE = re.compile(r"[a-z]+(-[a-z]+)+")


@pytest.fixture(scope="module")
def library() -> PolicyLibrary:
    return load(["library:"]).library


def firsts(rows: list[Row]) -> set[str]:
    """Every word between backticks in the first cells."""
    return {code for row in rows for code in row.codes()}


# The language


def test_every_operator_has_its_row_with_its_negation(page: Read) -> None:
    rows = page("docs/language.md").section("Operators").rows
    documented = {
        (name, negation) for row in rows for name in row.codes() for negation in row.codes("Negation") or [""]
    }

    assert documented == {(o.name, o.twin or "") for o in OPERATORS.values() if not o.negated}


def test_every_function_has_its_row_with_where_it_may_be_used(page: Read) -> None:
    rows = page("docs/language.md").section("Functions").rows
    documented = {row.codes()[0].partition("(")[0]: (row["Rule"], row["Template"]) for row in rows}

    assert documented == {
        function.name: tuple("yes" if where in function.where else "no" for where in (Where.RULE, Where.TEMPLATE))
        for function in FUNCTIONS.values()
    }


def test_every_documented_jmespath_function_can_be_called_as_written(page: Read) -> None:
    calls = firsts(page("docs/language.md").section("JMESPath").table("Function"))

    assert {compile_jmespath(call).text for call in calls} == calls


def test_every_effect_has_its_row_and_says_whether_it_is_acted_on(page: Read) -> None:
    rows = page("docs/language.md").section("Effects").rows

    assert firsts(rows) == set(LANGUAGE_EFFECTS)
    assert firsts([row for row in rows if row["Acted on"] == "yes"]) == set(EFFECTS)


def test_every_compliance_state_has_its_row(page: Read) -> None:
    assert firsts(page("docs/language.md").section("States").rows) == {state.value for state in ComplianceState}


# Diagnostics


def first_arguments(*callees: str) -> Iterator[str]:
    """Every code that the package gives to one of ``callees``, as first argument or as ``code=``."""
    for call in calls():
        if getattr(call.func, "attr", getattr(call.func, "id", "")) in callees:
            for given in (*call.args[:1], *(keyword.value for keyword in call.keywords if keyword.arg == "code")):
                if isinstance(given, ast.Constant) and A_CODE.fullmatch(str(given.value)):
                    yield str(given.value)


@cache
def calls() -> tuple[ast.Call, ...]:
    trees = (ast.parse(path.read_text(encoding="utf-8")) for path in PACKAGE.rglob("*.py"))
    return tuple(node for tree in trees for node in ast.walk(tree) if isinstance(node, ast.Call))


def test_every_diagnostic_code_has_its_row(page: Read) -> None:
    diagnostics = page("docs/diagnostics.md")
    documented = firsts(diagnostics.table("Code")) - firsts(diagnostics.section("Reasons of findings").rows)
    raised = {*first_arguments("Diagnostic", "error", "warning", "fail"), *RULES}

    assert raised | set(CODES) <= firsts(diagnostics.table("Code"))
    assert documented <= raised | set(CODES)


def test_every_reason_has_its_row(page: Read) -> None:
    documented = page("docs/diagnostics.md").section("Reasons of findings").rows

    assert firsts(documented) == set(first_arguments("Reason")) | {"matched", "exempt", "unstated"}


# Files


def test_every_key_of_metadata_and_every_severity_is_named(page: Read) -> None:
    text = page("docs/authoring.md").section("Documents").text

    assert [word for word in (*METADATA_KEYS, *SEVERITIES) if f"`{word}`" not in text] == []


def test_what_is_said_not_to_be_supported_gives_that_error(page: Read) -> None:
    rows = page("docs/authoring.md").section("What gives `not-supported-yet`").rows
    aliases = AliasCatalogue.packaged()

    for row in rows:
        (where,) = row.codes()
        for entry in row.codes("Keys and values"):
            text = document_with(where, entry)
            codes = {d.code for d in parse_documents(text, "policy.yaml", aliases).diagnostics}

            assert "not-supported-yet" in codes, f"{where}: {entry}"


def document_with(where: str, entry: str) -> str:
    """A document that has nothing but ``entry`` at ``where``, such as ``Assignment.spec.schedule``."""
    kind, *path = where.split(".")
    key, _, value = entry.partition(": ")
    inner = f"{{{key}: {value or '{}'}}}"
    for name in reversed(path):
        inner = f"{{{name.removesuffix('[]')}: {f'[{inner}]' if name.endswith('[]') else inner}}}"
    return f"apiVersion: policyengine/v1\nkind: {kind}\nmetadata: {{name: x}}\n{inner[1:-1]}\n"


# The command line


COMMAND: Any = typer.main.get_command(app)


def options_of(command: Any) -> set[str]:
    """Long and short names of every option, those of subcommands included."""
    own = {name for p in command.params for name in (*p.opts, *p.secondary_opts) if name.startswith("-")}
    return own.union(*(options_of(inner) for inner in getattr(command, "commands", {}).values()))


def test_every_command_has_its_row(page: Read) -> None:
    assert firsts(page("docs/command-line.md").section("Commands").table("Command")) == set(COMMAND.commands)


@pytest.mark.parametrize("name", [name for name, command in COMMAND.commands.items() if hasattr(command, "commands")])
def test_every_subcommand_is_named_in_the_row_of_its_command(page: Read, name: str) -> None:
    rows = page("docs/command-line.md").section("Commands").table("Command")
    (row,) = (row for row in rows if row.codes() == [name])

    assert set(COMMAND.commands[name].commands) == set(row.codes("What it does"))


def test_every_subcommand_of_the_emulator_is_explained(page: Read) -> None:
    rows = page("docs/emulator.md").section("Steering it").rows

    assert {code.split()[0] for code in firsts(rows)} == set(COMMAND.commands["emulator"].commands)


@pytest.mark.parametrize("name", [name for name, command in COMMAND.commands.items() if options_of(command)])
def test_every_option_of_a_command_has_its_row(page: Read, name: str) -> None:
    rows = page("docs/command-line.md").section(name).table("Option")

    assert {code.split()[0] for code in firsts(rows)} == options_of(COMMAND.commands[name])


def test_every_global_option_has_its_row(page: Read) -> None:
    rows = page("docs/command-line.md").section("Global options").table("Option")

    assert {code.split()[0] for code in firsts(rows)} == {
        name for p in COMMAND.params for name in (*p.opts, *p.secondary_opts)
    }


def test_every_output_format_has_its_row(page: Read) -> None:
    assert firsts(page("docs/command-line.md").section("Output formats").rows) == {o.value for o in Output}


def test_every_report_format_has_its_row(page: Read) -> None:
    assert firsts(page("docs/command-line.md").section("Reports").rows) == FORMATS.keys() | LISTS.keys()


def test_every_exit_code_has_its_row(page: Read) -> None:
    rows = page("docs/command-line.md").section("Exit codes").rows

    assert [int(row["Code"]) for row in rows] == sorted(ExitCode)


def test_every_setting_has_its_row_with_its_default(page: Read) -> None:
    rows = page("docs/command-line.md").section("Settings").table("Key")
    documented = {row.codes()[0]: row["Default"].strip("`[]") for row in rows}

    assert documented == dict(leaves(Settings().model_dump(by_alias=True)))


def test_every_credential_has_its_row_in_the_order_of_auto(page: Read) -> None:
    rows = page("docs/azure.md").section("Signing in").table("`arm.credential`")

    assert [row.codes()[0] for row in rows] == list(CREDENTIALS)


def test_every_cloud_has_its_row(page: Read) -> None:
    rows = page("docs/azure.md").section("Clouds").table("`arm.cloud`")
    documented = {row.codes()[0]: (row.codes("Resource Manager")[0], row.codes("Tokens from")[0]) for row in rows}

    assert documented == {name: (cloud.endpoint, cloud.authority) for name, cloud in CLOUDS.items()}


def leaves(settings: Mapping[str, Any], path: str = "") -> Iterator[tuple[str, str]]:
    for key, value in settings.items():
        if isinstance(value, Mapping):
            yield from leaves(value, f"{path}{key}.")
        else:
            shown = ", ".join(value) if isinstance(value, list) else f"{value:g}" if isinstance(value, float) else value
            yield f"{path}{key}", str(shown).lower() if isinstance(shown, bool) else str(shown)


def test_every_inventory_source_has_its_row(page: Read) -> None:
    rows = page("docs/command-line.md").section("Inventory sources").rows

    assert {code.partition(":")[0] for code in firsts(rows)} == set(SOURCES)


# Plans


def test_every_type_that_hangs_on_clusters_is_said_to_be_read(page: Read) -> None:
    rows = page("docs/azure.md").section("What policies look for").table("Type")
    named = [code for row in rows for code in row.codes() if f"{AKS}/" not in code]
    assert sorted(named) == sorted(EXTENSION_LISTINGS)


def test_the_states_of_a_step_and_what_may_follow_are_those_of_the_program(page: Read) -> None:
    rows = page("docs/plans.md").section("States of a step").rows
    documented = {row.codes()[0]: set(row.codes("May be followed by")) for row in rows}

    assert documented == {state.value: {after.value for after in allowed} for state, allowed in TRANSITIONS.items()}


def test_every_preflight_has_its_row(page: Read) -> None:
    assert firsts(page("docs/plans.md").section("Preflight").rows) == {preflight.value for preflight in Preflight}


# The emulator


def test_every_request_of_the_control_api_has_its_row(page: Read) -> None:
    documented = firsts(page("docs/emulator.md").section("Control API").rows)

    assert documented == {f"{method} /_emulator/{noun}" for method, noun in HANDLERS}


def test_every_switch_of_the_emulator_has_its_row(page: Read) -> None:
    assert firsts(page("docs/emulator.md").section("Switches").rows) == {f.name for f in fields(EmulatorSettings)}


def test_every_key_of_a_simulation_and_of_a_fault_has_its_row(page: Read) -> None:
    rows = page("docs/emulator.md").section("Fleet files").rows
    known = {f.name.removesuffix("_s") for kind in (Simulation, Fault) for f in fields(kind)}

    assert firsts(rows) == {re.sub(r"_(\w)", lambda match: match[1].upper(), name) for name in known}


def test_every_statement_has_its_row_and_those_with_tests_are_emulated(page: Read) -> None:
    rows = page("docs/emulator.md").section("Fidelity").rows
    emulated = {row.first: row["Emulated"].startswith(("yes", "in part")) for row in rows if "Emulated" in row.cells}
    files = sorted((Path(__file__).parents[1] / "emulator").glob("test_gitops_*.py"))
    tests = "".join(file.read_text(encoding="utf-8") for file in files)

    assert [row.first for row in rows] == [f"G{number}" for number in range(1, len(rows) + 1)]
    assert [f"G{n}" for n in set(re.findall(r"def test_g(\d+)_", tests)) if not emulated[f"G{n}"]] == []


# The database


def test_every_table_has_its_row_with_its_columns(page: Read) -> None:
    rows = page("docs/store.md").section("Tables").rows
    documented = {row.codes()[0]: row.codes("Columns") for row in rows}

    assert documented == {
        name: [column.name for column in table.columns] for name, table in ClusterRow.metadata.tables.items()
    }


# The library


def test_every_shipped_definition_has_its_row_and_says_whether_it_writes(page: Read, library: PolicyLibrary) -> None:
    rows = page("docs/policies.md").section("Definitions").table("Definition")
    documented = {row.codes()[0]: row["Writes"].startswith("yes") for row in rows if "Writes" in row.cells}

    assert documented == {
        d.name: d.then.modification is not None
        or (d.then.details is not None and d.then.details.deployment is not None)
        for d in library.definitions
    }


def test_every_parameter_of_a_shipped_definition_has_its_row(page: Read, library: PolicyLibrary) -> None:
    rows = filled(page("docs/policies.md").section("Parameters").rows)

    assert {parameter(row) for row in rows} == {
        (d.name, *described(p)) for d in library.definitions for p in d.parameters.values()
    }


def test_every_parameter_of_a_shipped_initiative_has_its_row(page: Read, library: PolicyLibrary) -> None:
    rows = filled(page("docs/policies.md").section("Parameters of initiatives").rows)

    assert {parameter(row) for row in rows} == {
        (i.name, *described(p)) for i in library.initiatives for p in i.parameters.values()
    }


def test_every_shipped_initiative_has_its_row_with_its_members(page: Read, library: PolicyLibrary) -> None:
    rows = filled([row for row in page("docs/policies.md").section("Initiatives").rows if "Member" in row.cells])

    assert {(row.first, row["Member"], row["Definition"], *row.codes("After")) for row in rows} == {
        (f"`{i.name}`", f"`{m.reference_id}`", f"`{m.reference.name}`", *m.depends_on)
        for i in library.initiatives
        for m in i.members
    }


def filled(rows: list[Row]) -> list[Row]:
    """The rows, an empty first cell repeating the one above."""
    found: list[Row] = []
    for row in rows:
        first = next(iter(row.cells))
        found.append(replace(row, cells={**row.cells, first: row.first or found[-1].first}))
    return found


def parameter(row: Row) -> tuple[str, ...]:
    """(owner, parameter, type, default, allowed values…)."""
    type = re.split(r"[ :;]", row["Type"])[0]
    allowed = row.codes("Type") if row["Type"].startswith("String: `") else []
    return (row.codes()[0], row.codes("Parameter")[0], type, row["Default"].strip("`"), *allowed)


def described(parameter: Parameter) -> tuple[str, ...]:
    default = parameter.default
    if default is UNDEFINED:
        shown = "required"
    elif isinstance(default, list):
        shown = f"[{', '.join(canonical_json(item) for item in default)}]"
    else:
        shown = str(default)
    return (parameter.name, parameter.type, shown, *(parameter.allowed_values or ()))
