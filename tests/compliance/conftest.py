"""Policies from YAML text, bound; and a small fleet to judge."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.compliance.judge import Verdict, judge
from policyengine.effects.base import World
from policyengine.errors import PolicyError
from policyengine.evaluation.subject import no_other_resources
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, parse_documents
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, Cluster, Resource
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SUBSCRIPTION = "/subscriptions/5b0c0000-0000-0000-0000-000000000001"

TREE = ScopeTree(
    management_groups=(ManagementGroup("root", "Contoso"), ManagementGroup("mg-edge", "Edge", "root")),
    subscriptions=(Subscription(SUBSCRIPTION.rpartition("/")[2], "edge-nordics", "mg-edge"),),
    resource_groups=(ResourceGroup(ResourceId(f"{SUBSCRIPTION}/resourceGroups/stores-no"), "norwayeast"),),
)


def library_of(*texts: str) -> PolicyLibrary:
    """Every text is a file; any error fails the test."""
    documents: list[Document] = []
    for number, text in enumerate(texts):
        parsed = parse_documents(textwrap.dedent(text), f"policies-{number}.yaml", AliasCatalogue.packaged())
        assert not [d.message for d in parsed.diagnostics if d.is_error]
        documents += parsed.documents
    library, diagnostics = PolicyLibrary.build(documents)
    assert not [d.message for d in diagnostics if d.is_error]
    return library


def bind_texts(*texts: str) -> tuple[BoundPolicy, ...]:
    return bind(library_of(*texts), AliasCatalogue.packaged())


def problems_of(*texts: str) -> tuple[Diagnostic, ...]:
    with pytest.raises(PolicyError) as caught:
        bind_texts(*texts)
    return caught.value.diagnostics


def assignment_of(policy: str, **parameters: Any) -> str:
    return f"""
    apiVersion: policyengine/v1
    kind: Assignment
    metadata: {{name: everywhere}}
    spec:
      policy: {policy}
      scope: /providers/Microsoft.Management/managementGroups/root
      parameters: {json.dumps(parameters)}
    """


def child(owner: str, kind: str, name: str, **properties: Any) -> Resource:
    id = f"{owner}/providers/Microsoft.KubernetesConfiguration/{kind}/{name}"
    return Resource.from_document({"id": id, "name": name, "properties": properties})


def cluster_of(
    name: str = "edge-osl-03",
    *,
    type: str = ARC,
    group: str = "stores-no",
    document: Mapping[str, Any] | None = None,
    extensions: Mapping[str, Mapping[str, Any]] | None = None,
    flux: Mapping[str, Mapping[str, Any]] | None = None,
) -> Cluster:
    id = f"{SUBSCRIPTION}/resourceGroups/{group}/providers/{type}/{name}"
    base = {"id": id, "name": name, "type": type, "location": "norwayeast", "properties": {}}
    return Cluster(
        Resource.from_document({**base, **(document or {})}),
        extensions=tuple(child(id, "extensions", n, **p) for n, p in (extensions or {}).items()),
        flux_configurations=tuple(child(id, "fluxConfigurations", n, **p) for n, p in (flux or {}).items()),
    )


def world_of(at: datetime = NOON, resources: Callable[[str, ResourceId], Sequence[Resource]] | None = None) -> World:
    return World(tree=TREE, at=at, aliases=AliasCatalogue.packaged(), resources=resources or no_other_resources)


@pytest.fixture
def bound() -> Callable[..., tuple[BoundPolicy, ...]]:
    return bind_texts


@pytest.fixture
def problems() -> Callable[..., tuple[Diagnostic, ...]]:
    return problems_of


@pytest.fixture
def cluster() -> Callable[..., Cluster]:
    return cluster_of


@pytest.fixture
def aks() -> Callable[..., Cluster]:
    return lambda name="web-weu-01", **more: cluster_of(name, type=AKS, **more)


@pytest.fixture
def world() -> Callable[..., World]:
    return world_of


@pytest.fixture
def assigned() -> Callable[..., BoundPolicy]:
    """``assigned(rule, **parameters)``: a bare rule or a definition, assigned to everything."""

    def assigned(text: str, **parameters: Any) -> BoundPolicy:
        (policy,) = bind_texts(definition_of(text), assignment_of("rule", **parameters))
        return policy

    return assigned


def definition_of(rule: str) -> str:
    """A definition named `rule` around ``policyRule``; `parameters` may stand beside it."""
    return "name: rule\nproperties:\n" + textwrap.indent(textwrap.dedent(rule).strip(), "  ")


@pytest.fixture
def verdict(assigned: Callable[..., BoundPolicy]) -> Callable[..., Verdict]:
    """``verdict(rule, cluster, **parameters)`` at noon."""

    def verdict(text: str, on: Cluster, **parameters: Any) -> Verdict:
        return judge(assigned(text, **parameters), on, world_of())

    return verdict
