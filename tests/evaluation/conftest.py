"""Conditions from YAML text, and documents to read them on."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.evaluation import Context, Subject, evaluate
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.parser import parse_documents
from policyengine.language.syntax import Logic
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
GROUP = "/subscriptions/5b0c0000-0000-0000-0000-000000000001/resourceGroups/stores-no"
ARC_ID = f"{GROUP}/providers/Microsoft.Kubernetes/connectedClusters/edge-osl-03"

TREE = ScopeTree(
    management_groups=(ManagementGroup("root", "Contoso"), ManagementGroup("mg-edge", "Edge", "root")),
    subscriptions=(
        Subscription("5b0c0000-0000-0000-0000-000000000001", "edge-nordics", "mg-edge", "7e57", {"cost": "42"}),
    ),
    resource_groups=(ResourceGroup(ResourceId(GROUP), "norwayeast", {"owner": "ops-edge"}),),
)


def parse_condition(text: str) -> Logic:
    """The `if` of a policy whose rule reads ``text``; fails the test when the text is not right."""
    declared = ", ".join(
        f"{name}: {{type: Object}}" for name in sorted(set(re.findall(r"parameters\('(\w+)'\)", text)))
    )
    rule = textwrap.indent(textwrap.dedent(text).strip(), "    ")
    file = f"policyRule:\n  if:\n{rule}\n  then: {{effect: audit}}\nparameters: {{{declared}}}\n"
    parsed = parse_documents(file, "rule.yaml", AliasCatalogue.packaged())
    assert not [d.message for d in parsed.diagnostics if d.is_error]
    (definition,) = parsed.documents
    assert isinstance(definition, PolicyDefinition)
    return definition.condition


def cluster_of(document: Mapping[str, Any] | None = None, **parts: Any) -> Cluster:
    base = {"id": ARC_ID, "name": "edge-osl-03", "location": "norwayeast", "properties": {}}
    return Cluster(Resource.from_document({**base, **(document or {})}), **parts)


def subject_of(document: Mapping[str, Any] | None = None, **parameters: Any) -> Subject:
    cluster = cluster_of(document)
    return Subject.of(cluster.resource, context_of(cluster, **parameters))


def context_of(cluster: Cluster, **parameters: Any) -> Context:
    return Context(
        parameters={name.casefold(): value for name, value in parameters.items()},
        spellings={name.casefold(): name for name in parameters},
        tree=TREE,
        at=NOON,
        aliases=AliasCatalogue.packaged(),
        cluster=cluster,
        policy={"assignmentId": "edge-baseline", "definitionReferenceId": "config"},
    )


@pytest.fixture
def condition() -> Callable[[str], Logic]:
    return parse_condition


@pytest.fixture
def subject() -> Callable[..., Subject]:
    return subject_of


@pytest.fixture
def context() -> Callable[..., Context]:
    return context_of


@pytest.fixture
def cluster() -> Callable[..., Cluster]:
    return cluster_of


@pytest.fixture
def holds() -> Callable[..., bool]:
    """``holds(condition, document, **parameters)``: whether the condition is true on an Arc cluster."""

    def holds(text: str, document: Mapping[str, Any] | None = None, **parameters: Any) -> bool:
        return evaluate(parse_condition(text), subject_of(document, **parameters))

    return holds
