"""Which conditions decide whether a policy speaks about a resource at all. Policy language §7."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.compliance.applicability import counted_fields, unknown_aliases
from policyengine.compliance.bind import BoundPolicy
from policyengine.language.aliases import AliasCatalogue

T, N, K = "{field: type, equals: t}", "{field: name, equals: n}", "{field: kind, equals: k}"
O = "{field: tags.x, exists: true}"  # noqa: E741 (other)


@pytest.mark.parametrize(
    ("conditions", "counted"),
    [
        ([T], {"type"}),
        ([N], set()),
        ([K], set()),
        ([T, K], {"type"}),
        ([T, N], {"type"}),
        ([T, K, O], {"type", "kind"}),
        ([T, N, O], {"type", "name"}),
        ([T, N, K], {"type"}),
        ([O], set()),
        ([N, O], {"name"}),
        ([T, O], {"type"}),
    ],
)
def test_the_special_cases(assigned: Callable[..., BoundPolicy], conditions: list[str], counted: set[str]) -> None:
    rule = f"policyRule: {{if: {{allOf: [{', '.join(conditions)}]}}, then: {{effect: audit}}}}"

    assert counted_fields(assigned(rule).definition.condition) == counted


def test_an_alias_its_own_type_lacks_is_unknown(assigned: Callable[..., BoundPolicy]) -> None:
    rule = """
    policyRule:
      if:
        anyOf:
          - {field: Microsoft.Kubernetes/connectedClusters/nosuch, exists: true}
          - {field: Microsoft.ContainerService/managedClusters/enableRBAC, exists: true}
          - {field: Microsoft.Unheard/of/whatever, exists: true}
          - {count: {field: "Microsoft.ContainerService/managedClusters/none[*]"}, greater: 1}
          - count:
              value: [1]
              where: {field: Microsoft.KubernetesConfiguration/extensions/inside, exists: true}
            greater: 0
      then: {effect: audit}
    """
    found = unknown_aliases(assigned(rule).definition.condition, AliasCatalogue.packaged())

    assert found == {
        "microsoft.kubernetes/connectedclusters": "Microsoft.Kubernetes/connectedClusters/nosuch",
        "microsoft.containerservice/managedclusters": "Microsoft.ContainerService/managedClusters/none[*]",
        "microsoft.kubernetesconfiguration/extensions": "Microsoft.KubernetesConfiguration/extensions/inside",
    }
