"""Policies from YAML text, clusters as documents, and a service that stores what a plan sends."""

from __future__ import annotations

import textwrap
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.compliance.bind import BoundPolicy, bind
from policyengine.compliance.judge import Verdict, judge
from policyengine.effects.base import World
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, parse_documents
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource, ResourceWrite
from policyengine.model.scope import ManagementGroup, ResourceGroup, ScopeTree, Subscription
from policyengine.remediation.plan import build_plan
from policyengine.remediation.steps import Plan

NOON = datetime(2026, 11, 22, 12, tzinfo=UTC)
SUBSCRIPTION = "/subscriptions/5b0c0000-0000-0000-0000-000000000001"
GROUP = f"{SUBSCRIPTION}/resourceGroups/stores-no"
WORLD = World(
    tree=ScopeTree(
        management_groups=(ManagementGroup("root", "Contoso"),),
        subscriptions=(Subscription(SUBSCRIPTION.rpartition("/")[2], "edge-nordics", "root"),),
        resource_groups=(ResourceGroup(ResourceId(GROUP), "norwayeast"),),
    ),
    at=NOON,
    aliases=AliasCatalogue.packaged(),
)

Properties = Mapping[str, Any]


def bind_texts(*texts: str) -> tuple[BoundPolicy, ...]:
    """Every text is a file; any error fails the test."""
    documents: list[Document] = []
    for number, text in enumerate(texts):
        parsed = parse_documents(textwrap.dedent(text), f"policies-{number}.yaml", WORLD.aliases)
        assert not [d.message for d in parsed.diagnostics if d.is_error]
        documents += parsed.documents
    library, diagnostics = PolicyLibrary.build(documents)
    assert not [d.message for d in diagnostics if d.is_error]
    return bind(library, WORLD.aliases)


def definition_text(name: str, require: str, extra: str = "") -> str:
    """A definition in the short form. ``require`` is a mapping; ``extra`` are more lines of the spec."""
    head = f"apiVersion: policyengine/v1\nkind: PolicyDefinition\nmetadata: {{name: {name}}}\nspec:\n"
    return f"{head}  appliesTo: [aks, arc]\n{indented(extra, 2)}\n  require:\n{indented(require, 4)}\n"


def assignment_text(name: str, target: str, extra: str = "") -> str:
    """``target`` is such as ``policy: NAME``; ``extra`` are more lines of the spec."""
    head = f"apiVersion: policyengine/v1\nkind: Assignment\nmetadata: {{name: {name}}}\nspec:\n  {target}\n"
    return f"{head}  scope: /providers/Microsoft.Management/managementGroups/root\n{indented(extra, 2)}\n"


def indented(lines: str, width: int) -> str:
    return textwrap.indent(textwrap.dedent(lines).strip(), " " * width)


def required_text(name: str, require: str, extra: str = "", *, assignment: str = "") -> str:
    """A definition in the short form and its assignment, both of one name."""
    return f"{definition_text(name, require, extra)}---\n{assignment_text(name, f'policy: {name}', assignment)}"


def child(owner: str, type: str, name: str, properties: Properties) -> Resource:
    id = f"{owner}/providers/{type}/{name}"
    return Resource.from_document({"id": id, "name": name, "type": type, "properties": dict(properties)})


def cluster_of(
    name: str = "edge-osl-03",
    *,
    type: str = ARC,
    extensions: Mapping[str, Properties] | None = None,
    flux: Mapping[str, Properties] | None = None,
    **properties: Any,
) -> Cluster:
    """``extensions`` and ``flux`` map names to properties; the rest are properties of the cluster itself."""
    id = f"{GROUP}/providers/{type}/{name}"
    document = {"id": id, "name": name, "type": type, "location": "norwayeast", "properties": properties}
    return Cluster(
        Resource.from_document(document),
        extensions=tuple(child(id, EXTENSIONS, n, p) for n, p in (extensions or {}).items()),
        flux_configurations=tuple(child(id, FLUX_CONFIGURATIONS, n, p) for n, p in (flux or {}).items()),
    )


def stored(cluster: Cluster, write: ResourceWrite) -> Cluster:
    """The cluster after the service has carried out ``write``: a PUT replaces, a PATCH merges, null takes away."""
    children = {c.id: c for c in cluster.children}
    old = children[write.id].document["properties"] if write.id in children else {}
    new = write.body["properties"] if write.method == "PUT" else merged(old, write.body["properties"])
    reported = {key: old[key] for key in ("complianceState", "statuses") if key in old}
    properties = {**reported, **new, "provisioningState": "Succeeded"}
    properties.pop("configurationProtectedSettings", None)
    children[write.id] = Resource(write.id, {"id": write.id.text, "name": write.id.name, "properties": properties})
    found = list(children.values())
    return Cluster(
        cluster.resource,
        extensions=tuple(c for c in found if c.type == EXTENSIONS),
        flux_configurations=tuple(c for c in found if c.type == FLUX_CONFIGURATIONS),
    )


def merged(old: Mapping[str, Any], patch: Mapping[str, Any]) -> dict[str, Any]:
    new = dict(old)
    for key, value in patch.items():
        if value is None:
            new.pop(key, None)
        else:
            new[key] = merged(new.get(key) or {}, value) if isinstance(value, Mapping) else value
    return new


def plan_of(policies: tuple[BoundPolicy, ...], *clusters: Cluster, **options: Any) -> Plan:
    return build_plan(policies, clusters, WORLD, created_at=NOON, **options)


# Session scope: they are plain functions, and Hypothesis wants fixtures that are not made anew for each example.


@pytest.fixture(scope="session")
def world() -> World:
    return WORLD


@pytest.fixture(scope="session")
def bound() -> Callable[..., tuple[BoundPolicy, ...]]:
    return bind_texts


@pytest.fixture(scope="session")
def definition() -> Callable[..., str]:
    return definition_text


@pytest.fixture(scope="session")
def assignment() -> Callable[..., str]:
    return assignment_text


@pytest.fixture(scope="session")
def required() -> Callable[..., str]:
    return required_text


@pytest.fixture(scope="session")
def cluster() -> Callable[..., Cluster]:
    return cluster_of


@pytest.fixture(scope="session")
def aks() -> Callable[..., Cluster]:
    return lambda name="web-weu-01", **more: cluster_of(name, type=AKS, **more)


@pytest.fixture(scope="session")
def planned() -> Callable[..., Plan]:
    """``planned(policies, *clusters, selected=…, unenforced=…)`` at noon."""
    return plan_of


@pytest.fixture(scope="session")
def applied() -> Callable[[Cluster, Plan], Cluster]:
    """The cluster after every step of the plan that runs has succeeded."""

    def applied(cluster: Cluster, plan: Plan) -> Cluster:
        for step in plan.runnable:
            cluster = stored(cluster, step.write)
        return cluster

    return applied


@pytest.fixture(scope="session")
def verdict() -> Callable[[BoundPolicy, Cluster], Verdict]:
    return lambda policy, cluster: judge(policy, cluster, WORLD)
