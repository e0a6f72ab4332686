"""What policies look for on a cluster, beside what every inventory reads. Policy language §6.3."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.seeking import Seekers
from policyengine.effects.base import World
from policyengine.model.resource import ARC, Cluster, Sought
from policyengine.model.scope import ScopeTree

LOCKS = "Microsoft.Authorization/locks"
ARC_TYPE = f"{{field: type, equals: {ARC}}}"
ASSIGNMENT = """
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: locks}}
spec:
  policy: rule
  scope: {scope}
  {more}
"""

Bind = Callable[..., tuple[BoundPolicy, ...]]
MakeCluster = Callable[..., Cluster]
MakeWorld = Callable[..., World]


def policy_of(details: str, condition: str = ARC_TYPE, effect: str = "auditIfNotExists") -> str:
    rule = f"{{if: {condition}, then: {{effect: {effect}, details: {details}}}}}"
    return f"name: rule\nproperties:\n  policyRule: {rule}\n"


@pytest.fixture
def sought(bound: Bind, world: MakeWorld) -> Callable[..., frozenset[Sought]]:
    def sought(
        policy: str, on: Cluster, *, group: str = "root", more: str = "{}", tree: ScopeTree | None = None
    ) -> frozenset[Sought]:
        scope = f"/providers/Microsoft.Management/managementGroups/{group}"
        assignment = ASSIGNMENT.format(scope=scope, more="" if more == "{}" else more)
        here = world()
        return Seekers(bound(policy, assignment), here)(on, here.tree if tree is None else tree)

    return sought


@pytest.mark.parametrize(
    ("details", "expected"),
    [
        (f"{{type: {LOCKS}}}", Sought(LOCKS)),
        (f"{{type: {LOCKS}, name: keep}}", Sought(LOCKS, "keep")),
        (f"{{type: {LOCKS}, name: '?'}}", Sought(LOCKS)),
        (f"{{type: {LOCKS}, name: \"[concat(field('name'), '/keep')]\"}}", Sought(LOCKS)),
        (f"{{type: {LOCKS}, name: \"[field('name')]\"}}", Sought(LOCKS, "edge-osl-03")),
        (f"{{type: \"[concat('{ARC}', '/things')]\"}}", Sought(f"{ARC}/things")),
    ],
)
def test_the_type_and_the_name_of_the_details_are_sought(
    sought: Callable[..., frozenset[Sought]], cluster: MakeCluster, details: str, expected: Sought
) -> None:
    assert sought(policy_of(details), cluster()) == {expected}


@pytest.mark.parametrize(
    "policy",
    [
        policy_of("{type: Microsoft.KubernetesConfiguration/extensions}"),  # every inventory has them
        policy_of(f"{{type: {ARC}, name: \"[field('name')]\"}}"),  # the cluster itself
        policy_of(f"{{type: {LOCKS}}}", "{field: tags.x, equals: 'y'}"),  # the `if` does not hold
        policy_of(f"{{type: {LOCKS}}}", "{value: \"[split(field('tags.x'), 1)]\", equals: 'y'}"),  # Error anyhow
        policy_of(f"{{type: {LOCKS}}}", effect="Disabled"),
    ],
)
def test_nothing_is_sought_that_no_verdict_needs(
    sought: Callable[..., frozenset[Sought]], cluster: MakeCluster, policy: str
) -> None:
    assert sought(policy, cluster()) == frozenset()


def test_nothing_is_sought_out_of_scope(
    sought: Callable[..., frozenset[Sought]], cluster: MakeCluster, aks: MakeCluster
) -> None:
    policy = policy_of(f"{{type: {LOCKS}}}", "{field: type, exists: true}")
    selecting = "resourceSelectors: [{name: s, selectors: [{kind: resourceLocation, in: [norwaywest]}]}]"

    assert sought(policy, aks(), group="mg-edge") == {Sought(LOCKS)}
    assert sought(policy, cluster(), group="mg-edge", more=selecting) == frozenset()
    assert sought(policy, cluster(), more="notScopes: [/subscriptions/5b0c0000-0000-0000-0000-000000000001]") == set()


def test_what_may_be_in_scope_is_sought_while_the_groups_are_not_known(
    sought: Callable[..., frozenset[Sought]], cluster: MakeCluster
) -> None:
    assert sought(policy_of(f"{{type: {LOCKS}}}"), cluster(), tree=ScopeTree()) == {Sought(LOCKS)}
