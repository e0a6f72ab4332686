"""Operations on a document. Policy language §6.1, §6.2."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from policyengine.effects import EFFECTS
from policyengine.effects.append import Append
from policyengine.effects.base import Amendment
from policyengine.effects.changes import overwrites, patch_between
from policyengine.effects.modify import Modify
from policyengine.errors import ExpressionError
from policyengine.evaluation import Context, Subject
from policyengine.language.aliases import Alias, AliasCatalogue, TypeAliases
from policyengine.language.documents import PolicyDefinition
from policyengine.model.resource import Cluster, Resource

ARC = "Microsoft.Kubernetes/connectedClusters"
AKS = "Microsoft.ContainerService/managedClusters"
AKS_ID = f"/subscriptions/s1/resourceGroups/web/providers/{AKS}/web-1"
POOL = f"{AKS}/agentPoolProfiles"
RANGES = f"{AKS}/apiServerAccessProfile.authorizedIPRanges"

Define = Callable[[str], PolicyDefinition]
MakeContext = Callable[..., Context]


@pytest.fixture
def patched(definition: Define, context: MakeContext) -> Callable[..., Mapping[str, Any]]:
    """``patched(operations, document, **parameters)``: the merge patch of a modify on an AKS cluster."""

    def patched(operations: Any, document: Mapping[str, Any] | None = None, **parameters: Any) -> Mapping[str, Any]:
        rule = {
            "parameters": {name: {"type": "String"} for name in parameters},
            "policyRule": {
                "if": {"field": "type", "equals": AKS},
                "then": {"effect": "modify", "details": {"roleDefinitionIds": ["x"], "operations": operations}},
            },
        }
        effect = EFFECTS["modify"](definition(json.dumps(rule)))
        assert isinstance(effect, Modify)
        on = Cluster(Resource.from_document({"id": AKS_ID, "name": "web-1", **(document or {})}))
        remedy = effect.remedy(on, context(on, **parameters))
        assert isinstance(remedy, Amendment)
        return remedy.patch

    return patched


def operation(kind: str, field: str, *value: Any, **more: Any) -> dict[str, Any]:
    return {"operation": kind, "field": field, **({"value": value[0]} if value else {}), **more}


TAGS = {"tags": {"Owner": "ada", "env": "prod"}}


@pytest.mark.parametrize(
    ("kind", "value", "document", "patch"),
    [
        ("add", ["bob"], {}, {"tags": {"owner": "bob"}}),
        ("add", ["bob"], TAGS, {}),
        ("addOrReplace", ["bob"], {}, {"tags": {"owner": "bob"}}),
        ("addOrReplace", ["bob"], TAGS, {"tags": {"Owner": "bob"}}),
        ("ADDORREPLACE", ["ada"], TAGS, {}),
        ("remove", [], TAGS, {"tags": {"Owner": None}}),
        ("Remove", [], {}, {}),
    ],
)
def test_a_tag(patched: Any, kind: str, value: Any, document: Any, patch: Any) -> None:
    assert patched([operation(kind, "tags['owner']", *value)], document) == patch


def properties(**members: Any) -> dict[str, Any]:
    return {"properties": members}


@pytest.mark.parametrize(
    ("kind", "field", "value", "document", "patch"),
    [
        ("add", "disableLocalAccounts", True, properties(), properties(disableLocalAccounts=True)),
        ("add", "disableLocalAccounts", True, {}, properties(disableLocalAccounts=True)),
        ("add", "disableLocalAccounts", True, properties(disableLocalAccounts=False), {}),
        (
            "addOrReplace",
            "disableLocalAccounts",
            True,
            properties(disableLocalAccounts=False),
            properties(disableLocalAccounts=True),
        ),
        (
            "addOrReplace",
            "apiServerAccessProfile.enablePrivateCluster",
            True,
            properties(apiServerAccessProfile={"enablePrivateCluster": False, "other": 1}),
            properties(apiServerAccessProfile={"enablePrivateCluster": True}),
        ),
        # "A nested property whose parent is absent from the payload is skipped"
        ("addOrReplace", "apiServerAccessProfile.enablePrivateCluster", True, properties(), {}),
    ],
)
def test_a_property(patched: Any, kind: str, field: str, value: Any, document: Any, patch: Any) -> None:
    assert patched([operation(kind, f"{AKS}/{field}", value)], document) == patch


def ranges(*members: str) -> dict[str, Any]:
    return properties(apiServerAccessProfile={"authorizedIPRanges": list(members)})


@pytest.mark.parametrize(
    ("kind", "field", "value", "document", "patch"),
    [
        ("add", RANGES, ["b"], ranges("a"), {}),
        ("add", RANGES, ["b"], properties(apiServerAccessProfile={}), ranges("b")),
        ("addOrReplace", RANGES, ["b"], ranges("a"), ranges("b")),
        ("add", f"{RANGES}[*]", "b", ranges("a"), ranges("a", "b")),
        ("add", f"{RANGES}[*]", "b", properties(apiServerAccessProfile={}), ranges("b")),
        ("addOrReplace", f"{RANGES}[*]", "b", ranges("a", "c"), ranges("b")),
        ("addOrReplace", f"{RANGES}[*]", "b", ranges("b"), {}),
    ],
)
def test_an_array(patched: Any, kind: str, field: str, value: Any, document: Any, patch: Any) -> None:
    assert patched([operation(kind, field, value)], document) == patch


@pytest.mark.parametrize(
    ("kind", "expected"),
    [("add", [True, False]), ("addOrReplace", [True, True])],
)
def test_a_property_of_each_member(patched: Any, kind: str, expected: list[bool]) -> None:
    pools = properties(agentPoolProfiles=[{"name": "a"}, {"name": "b", "enableEncryptionAtHost": False}])

    patch = patched([operation(kind, f"{POOL}[*].enableEncryptionAtHost", True)], pools)

    assert [pool["enableEncryptionAtHost"] for pool in patch["properties"]["agentPoolProfiles"]] == expected
    assert [pool["name"] for pool in patch["properties"]["agentPoolProfiles"]] == ["a", "b"]


def test_members_of_an_absent_array_have_no_properties(patched: Any) -> None:
    assert patched([operation("addOrReplace", f"{POOL}[*].enableEncryptionAtHost", True)], properties()) == {}


def test_names_and_values_are_expressions(patched: Any) -> None:
    name, value = "[concat('tags[', parameters('tag'), ']')]", "[concat(field('name'), '-', parameters('tag'))]"

    assert patched([operation("add", name, value)], tag="site") == {"tags": {"site": "web-1-site"}}


@pytest.mark.parametrize(("version", "patch"), [("2020-01-01", {"tags": {"a": "b"}}), ("2099-01-01", {})])
def test_a_false_condition_leaves_out_that_operation_only(patched: Any, version: str, patch: Any) -> None:
    condition = f"[greaterOrEquals(requestContext().apiVersion, '{version}')]"

    assert patched([operation("add", "tags.a", "b", condition=condition)]) == patch


def test_operations_see_what_those_before_them_did(patched: Any) -> None:
    operations = [operation("remove", "tags.env"), operation("add", "tags.env", "test")]

    assert patched(operations, TAGS) == {"tags": {"env": "test"}}


def test_a_field_of_another_type_is_left_alone(patched: Any) -> None:
    assert patched([operation("addOrReplace", f"{ARC}/privateLinkState", "Disabled")]) == {}


@pytest.mark.parametrize(
    ("broken", "words"),
    [
        (operation("add", "tags.a", "[parameters('x').none]"), "has no result"),
        (operation("add", "[createArray('tags.a')]", "b"), "must be text"),
        (operation("remove", "[concat('loc', 'ation')]"), "`location` is none"),
        (operation("add", "tags.a", "b", condition="[concat('a', 'b')]"), "must be true or false"),
    ],
)
def test_what_cannot_be_evaluated_says_so(patched: Any, broken: Any, words: str) -> None:
    with pytest.raises(ExpressionError, match=words):
        patched([broken], x="{}")


@pytest.mark.parametrize(
    ("field", "value", "document", "denies"),
    [
        ("tags.owner", "bob", {}, False),
        ("tags.owner", "ada", TAGS, False),
        ("tags.owner", "bob", TAGS, True),
        (RANGES, ["b"], ranges("a"), True),
        (RANGES, ["b"], properties(), False),
        (f"{RANGES}[*]", "b", ranges("a"), False),
    ],
)
def test_an_append_over_something_else_is_a_deny(
    definition: Define, context: MakeContext, field: str, value: Any, document: Any, denies: bool
) -> None:
    rule = {
        "if": {"field": "type", "equals": AKS},
        "then": {"effect": "append", "details": [{"field": field, "value": value}]},
    }
    effect = EFFECTS["append"](definition(json.dumps(rule)))
    assert isinstance(effect, Append)
    on = Cluster(Resource.from_document({"id": AKS_ID, **document}))
    (change,) = effect.changes(Subject.of(on.resource, context(on)))

    assert overwrites(change, on.resource.document) is denies


def test_a_patch_says_null_for_what_is_gone() -> None:
    assert patch_between({"a": {"b": 1, "c": 2}, "d": [1]}, {"a": {"b": 1}, "d": [2]}) == {"a": {"c": None}, "d": [2]}


@pytest.mark.parametrize(
    ("said", "version", "patch"),
    [
        (None, None, {"properties": {"disableLocalAccounts": True}}),
        (True, None, {"properties": {"disableLocalAccounts": True}}),
        (False, None, {}),
        (False, "2031-01-01", {"properties": {"disableLocalAccounts": True}}),
        (True, "2019-01-01", {}),
    ],
)
def test_an_alias_that_cannot_be_modified_stays(
    definition: Define, context: MakeContext, said: bool | None, version: str | None, patch: Mapping[str, Any]
) -> None:
    """In the API version of the document; what the catalogue does not say may be modified. §4.3, §6.2."""
    alias = f"{AKS}/disableLocalAccounts"
    told = Alias(alias, modifiable=said, modifiable_in={"2019-01-01": False, "2031-01-01": True})
    aliases = AliasCatalogue.of([TypeAliases.of(AKS, [told])]).over(AliasCatalogue.packaged())
    operations = [operation("addOrReplace", alias, True), operation("add", "tags.a", "b")]
    details = {"roleDefinitionIds": ["x"], "operations": operations}
    rule = {"if": {"field": "type", "equals": AKS}, "then": {"effect": "modify", "details": details}}
    effect = EFFECTS["modify"](definition(json.dumps({"policyRule": rule})))
    assert isinstance(effect, Modify)
    document = {"id": AKS_ID, "properties": {}, **({"apiVersion": version} if version else {})}
    on = Cluster(Resource.from_document(document))
    here = replace(context(on), aliases=aliases)

    assert effect.remedy(on, here).patch == {"tags": {"a": "b"}, **patch}
    assert effect.fixed_fields(Subject.of(on.resource, here)) == (() if patch else (alias,))
