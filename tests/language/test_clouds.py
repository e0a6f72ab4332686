"""Azure publishes many definitions twice under one id, once for each cloud; both may be in one library."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable
from typing import Any

import pytest

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Cloud, PolicyDefinition, Reference
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import cloud_of, parse_documents
from policyengine.model.diagnostic import Diagnostic

ID = "/providers/Microsoft.Authorization/policyDefinitions/0001"
Build = Callable[[Iterable[tuple[str, Any]]], tuple[PolicyLibrary, tuple[Diagnostic, ...]]]


@pytest.fixture
def build(aliases: AliasCatalogue) -> Build:
    """From paths and documents."""

    def read(files: Iterable[tuple[str, Any]]) -> tuple[PolicyLibrary, tuple[Diagnostic, ...]]:
        parsed = [parse_documents(json.dumps(document), path, aliases) for path, document in files]
        assert [d.message for file in parsed for d in file.diagnostics] == []
        return PolicyLibrary.build(document for file in parsed for document in file.documents)

    return read


def definition(version: str, *parameters: str) -> Any:
    rule = {"if": {"field": "type", "equals": "x"}, "then": {"effect": "audit"}}
    declared = {name: {"type": "String", "defaultValue": ""} for name in parameters}
    properties = {"policyType": "BuiltIn", "version": version, "policyRule": rule, "parameters": declared}
    return {"id": ID, "name": "0001", "properties": properties}


def initiative(version: str | None = None, policy_type: str = "BuiltIn", **parameters: str) -> Any:
    member = {"policyDefinitionId": ID, "parameters": {name: {"value": v} for name, v in parameters.items()}}
    if version is not None:
        member["definitionVersion"] = version
    return {"name": "set", "properties": {"policyType": policy_type, "policyDefinitions": [member]}}


def told(diagnostics: Iterable[Diagnostic]) -> list[tuple[str, bool]]:
    return [(d.code, d.is_error) for d in diagnostics]


@pytest.mark.parametrize(
    ("path", "cloud"),
    [
        ("definitions/government/resource-manager/x.json", Cloud.GOVERNMENT),
        ("policyDefinitions/Azure Government/Kubernetes/x.json", Cloud.GOVERNMENT),
        ("C:\\policies\\Government\\x.json", Cloud.GOVERNMENT),
        ("definitions/public/x.json", Cloud.PUBLIC),
        ("government.json", Cloud.PUBLIC),
        ("policies/governments/x.json", Cloud.PUBLIC),
        ("x.yaml", Cloud.PUBLIC),
    ],
)
def test_the_folder_tells_the_cloud(path: str, cloud: Cloud) -> None:
    assert cloud_of(path) is cloud


def test_a_loader_may_say_the_cloud(aliases: AliasCatalogue) -> None:
    (document,) = parse_documents(json.dumps(definition("1.0.0")), "x.json", aliases, cloud=Cloud.GOVERNMENT).documents

    assert isinstance(document, PolicyDefinition)
    assert document.cloud is Cloud.GOVERNMENT


def test_each_cloud_has_its_own_and_government_falls_back_to_public(build: Build) -> None:
    library, diagnostics = build(
        [("public/a.json", definition("1.0.0")), ("government/a.json", definition("3.0.0", "extra"))]
    )

    def version(pattern: str | None, cloud: Cloud) -> str | None:
        found = library.definition(Reference(ID, pattern), cloud)
        return found.version if found else None

    assert diagnostics == ()
    assert (version(None, Cloud.PUBLIC), version(None, Cloud.GOVERNMENT)) == ("1.0.0", "3.0.0")
    assert version("1.*.*", Cloud.GOVERNMENT) == "1.0.0"
    assert version("3.*.*", Cloud.PUBLIC) is None


def test_the_same_version_in_both_clouds_is_no_duplicate_and_twice_in_one_is(build: Build) -> None:
    one = definition("1.0.0")

    assert build([("public/a.json", one), ("government/a.json", one)])[1] == ()
    assert told(build([("government/a.json", one), ("government/b.json", one)])[1]) == [("duplicate-name", True)]


def test_members_are_looked_for_in_the_initiatives_cloud(build: Build) -> None:
    library, diagnostics = build(
        [
            ("public/a.json", definition("1.0.0")),
            ("government/a.json", definition("1.0.0", "extra")),
            ("government/set.json", initiative("1.*.*", extra="x")),
        ]
    )
    (found,) = library.initiatives
    chosen = library.definition_of(found, found.members[0])

    assert diagnostics == ()
    assert chosen is not None
    assert chosen.cloud is Cloud.GOVERNMENT


def test_what_is_in_the_other_cloud_only_is_missing_and_said_to_be_there(build: Build) -> None:
    _, (problem,) = build([("government/a.json", definition("1.0.0")), ("set.json", initiative("1.*.*", "Custom"))])

    assert problem.code == "missing-reference"
    assert problem.help == "versions at hand: `1.0.0` in the government cloud"


def test_a_published_initiative_takes_the_highest_when_its_version_is_out_of_print(build: Build) -> None:
    library, diagnostics = build(
        [("a.json", definition("7.0.0")), ("b.json", definition("6.0.0")), ("set.json", initiative("5.*.*", gone="x"))]
    )
    (found,) = library.initiatives
    chosen = library.definition_of(found, found.members[0])

    assert told(diagnostics) == [("unknown-parameter", False), ("version-out-of-print", False)]
    assert chosen is not None
    assert chosen.version == "7.0.0"


def test_an_initiative_of_ones_own_has_to_be_right(build: Build) -> None:
    files = [("a.json", definition("7.0.0")), ("set.json", initiative("5.*.*", "Custom", gone="x"))]

    assert told(build(files)[1]) == [("missing-reference", True)]
