"""Definitions from YAML text, and a cluster to try their effects on."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.effects import EFFECTS
from policyengine.effects.base import Judgement
from policyengine.evaluation import Context
from policyengine.evaluation.subject import ResourceLookup, no_other_resources
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.parser import parse_documents
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree

ARC_ID = "/subscriptions/s1/resourceGroups/stores/providers/Microsoft.Kubernetes/connectedClusters/edge-1"


def define(text: str) -> PolicyDefinition:
    """The one definition in ``text``; errors fail the test."""
    parsed = parse_documents(textwrap.dedent(text), "policy.yaml", AliasCatalogue.packaged())
    assert not [d.message for d in parsed.diagnostics if d.is_error]
    (definition,) = parsed.documents
    assert isinstance(definition, PolicyDefinition)
    return definition


def cluster_of(
    *, extensions: Mapping[str, Any] | None = None, flux: Mapping[str, Any] | None = None, **document: Any
) -> Cluster:
    def child(kind: str, name: str, properties: Any) -> Resource:
        id = f"{ARC_ID}/providers/Microsoft.KubernetesConfiguration/{kind}/{name}"
        return Resource.from_document({"id": id, "name": name, "properties": properties})

    return Cluster(
        Resource.from_document({"id": ARC_ID, "name": "edge-1", "location": "norwayeast", **document}),
        extensions=tuple(child("extensions", n, p) for n, p in (extensions or {}).items()),
        flux_configurations=tuple(child("fluxConfigurations", n, p) for n, p in (flux or {}).items()),
    )


def context_of(cluster: Cluster, *, resources: ResourceLookup = no_other_resources, **parameters: Any) -> Context:
    return Context(
        resources=resources,
        parameters={name.casefold(): value for name, value in parameters.items()},
        tree=ScopeTree(),
        at=datetime(2026, 11, 22, 12, tzinfo=UTC),
        aliases=AliasCatalogue.packaged(),
        cluster=cluster,
    )


@pytest.fixture
def definition() -> Callable[[str], PolicyDefinition]:
    return define


@pytest.fixture
def cluster() -> Callable[..., Cluster]:
    return cluster_of


@pytest.fixture
def context() -> Callable[..., Context]:
    return context_of


@pytest.fixture
def judged() -> Callable[..., Judgement]:
    """``judged(rule, cluster, resources=…)``: what auditIfNotExists says when the `if` holds."""

    def judged(text: str, on: Cluster, *, resources: ResourceLookup = no_other_resources) -> Judgement:
        effect = EFFECTS["auditIfNotExists"](define(text))
        assert effect is not None
        return effect.judge(on, context_of(on, resources=resources))

    return judged
