"""The related set, and whether anything in it will do. Policy language §6.3."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest

from policyengine.effects.base import Judgement
from policyengine.errors import ExpressionError, NotReadError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, Resource
from policyengine.model.states import ComplianceState

OK, BAD = ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT
EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
FLUX = {"extensionType": "microsoft.flux", "provisioningState": "Succeeded", "releaseTrain": "Stable"}

Judge = Callable[..., Judgement]
MakeCluster = Callable[..., Cluster]


def if_not_exists(details: str) -> str:
    return f"policyRule: {{if: {{field: name, exists: true}}, then: {{effect: auditIfNotExists, details: {details}}}}}"


@pytest.mark.parametrize(
    ("details", "extensions", "expected"),
    [
        ("{{type: {t}}}", {}, BAD),
        ("{{type: {t}}}", {"any": {}}, OK),
        (
            "{{type: {t}, existenceCondition: {{field: {t}/extensionType, equals: MICROSOFT.FLUX}}}}",
            {"f": FLUX},
            OK,
        ),
        ("{{type: {t}, existenceCondition: {{field: {t}/releaseTrain, equals: Preview}}}}", {"f": FLUX}, BAD),
        # any candidate will do
        (
            "{{type: {t}, existenceCondition: {{field: {t}/releaseTrain, equals: Preview}}}}",
            {"a": FLUX, "b": {**FLUX, "releaseTrain": "preview"}},
            OK,
        ),
        # negations alone never satisfy an empty set
        ("{{type: {t}, existenceCondition: {{field: {t}/extensionType, notEquals: x}}}}", {}, BAD),
        ("{{type: {t}, existenceCondition: {{field: {t}/extensionType, exists: false}}}}", {}, BAD),
        ("{{type: {t}, name: flux}}", {"FLUX": {}}, OK),
        ("{{type: {t}, name: flux}}", {"flux2": {}}, BAD),
        ("{{type: {t}, name: \"[concat(field('name'), '/flux')]\"}}", {"flux": {}}, OK),
        ("{{type: {t}, name: \"[concat(field('name'), '/?')]\"}}", {"any": {}}, OK),
        ("{{type: {t}, name: other/?}}", {"any": {}}, BAD),
        ("{{type: {t}, name: '?'}}", {"any": {}}, OK),
        # resourceGroupName and existenceScope have no say underneath the cluster
        ("{{type: {t}, resourceGroupName: elsewhere, existenceScope: Subscription}}", {"any": {}}, OK),
        ("{{type: {t}, kind: odd}}", {"any": {}}, BAD),
    ],
)
def test_related_extensions(
    judged: Judge,
    cluster: MakeCluster,
    details: str,
    extensions: dict[str, dict[str, str]],
    expected: ComplianceState,
) -> None:
    rule = if_not_exists(details.format(t=EXTENSIONS))

    assert judged(rule, cluster(extensions=extensions)).state is expected


def test_the_object_that_satisfied_it_is_named(judged: Judge, cluster: MakeCluster) -> None:
    on = cluster(extensions={"a": {}, "flux": FLUX})
    condition = f"{{field: {EXTENSIONS}/extensionType, equals: microsoft.flux}}"

    found = judged(if_not_exists(f"{{type: {EXTENSIONS}, existenceCondition: {condition}}}"), on)

    assert found.matched is on.extensions[1]


@pytest.mark.parametrize(("name", "expected"), [("[field('name')]", OK), ("[field('fullName')]", OK), ("x", BAD)])
def test_its_own_type_is_the_cluster_itself_by_name(
    judged: Judge, cluster: MakeCluster, name: str, expected: ComplianceState
) -> None:
    details = f'{{type: Microsoft.Kubernetes/connectedClusters, name: "{name}"}}'

    assert judged(if_not_exists(details), cluster()).state is expected


def test_the_cluster_s_own_property_may_be_demanded(judged: Judge, cluster: MakeCluster) -> None:
    details = """{type: Microsoft.Kubernetes/connectedClusters, name: "[field('name')]",
      existenceCondition: {field: Microsoft.Kubernetes/connectedClusters/distribution, equals: k3s}}"""
    rule = if_not_exists(" ".join(details.split()))

    assert judged(rule, cluster(properties={"distribution": "k3s"})).state is OK
    assert judged(rule, cluster(properties={"distribution": "aks"})).state is BAD


def test_fields_read_the_candidate_and_functions_the_cluster(judged: Judge, cluster: MakeCluster) -> None:
    condition = f"{{field: {EXTENSIONS}/releaseTrain, equals: \"[field('tags.train')]\"}}"
    rule = if_not_exists(f"{{type: {EXTENSIONS}, existenceCondition: {condition}}}")
    on = cluster(tags={"train": "stable"}, extensions={"flux": FLUX})

    assert judged(rule, on).state is OK


@pytest.mark.parametrize(
    ("scope", "asked"),
    [
        ("", "/subscriptions/s1/resourceGroups/stores"),
        ("existenceScope: ResourceGroup, resourceGroupName: net", "/subscriptions/s1/resourceGroups/net"),
        ("existenceScope: Subscription", "/subscriptions/s1"),
    ],
)
def test_other_types_are_looked_for_in_their_scope(judged: Judge, cluster: MakeCluster, scope: str, asked: str) -> None:
    vault = Resource.from_document({"id": "/subscriptions/s/resourceGroups/net/providers/Microsoft.X/vaults/v"})
    calls: list[tuple[str, str]] = []

    def resources(type: str, scope: ResourceId) -> list[Resource]:
        calls.append((type, str(scope)))
        return [vault]

    found = judged(if_not_exists(f"{{type: Microsoft.X/vaults, {scope}}}"), cluster(), resources=resources)

    assert (found.state, found.matched) == (OK, vault)
    assert calls == [("Microsoft.X/vaults", asked)]


@pytest.mark.parametrize(
    ("condition", "extensions", "reason"),
    [
        (
            f"{{field: {EXTENSIONS}/extensionType, equals: microsoft.flux}}",
            {},
            "no extension of type microsoft.flux",
        ),
        (
            f"{{allOf: [{{field: {EXTENSIONS}/extensionType, equals: microsoft.flux}}, "
            f"{{field: {EXTENSIONS}/provisioningState, equals: Succeeded}}, "
            f"{{field: {EXTENSIONS}/releaseTrain, equals: Stable}}]}}",
            {"monitor": {**FLUX, "extensionType": "microsoft.monitor"}},
            "no extension of type microsoft.flux",
        ),
        (
            f"{{allOf: [{{field: {EXTENSIONS}/extensionType, equals: microsoft.flux}}, "
            f"{{field: {EXTENSIONS}/provisioningState, equals: Succeeded}}, "
            f"{{field: {EXTENSIONS}/releaseTrain, equals: Preview}}]}}",
            {"monitor": {**FLUX, "extensionType": "x", "releaseTrain": "Preview"}, "flux": FLUX},
            '`flux` matches 2 of 3: releaseTrain is "Stable", wanted "Preview"',
        ),
    ],
)
def test_the_reason_names_what_is_missing(
    judged: Judge, cluster: MakeCluster, condition: str, extensions: dict[str, dict[str, str]], reason: str
) -> None:
    found = judged(
        if_not_exists(f"{{type: {EXTENSIONS}, existenceCondition: {condition}}}"), cluster(extensions=extensions)
    )

    assert found.reason is not None
    assert found.reason.message == reason


def test_a_related_type_of_its_own_needs_a_name(judged: Judge, cluster: MakeCluster) -> None:
    with pytest.raises(ExpressionError, match=r"`details.name` is needed"):
        judged(if_not_exists("{type: Microsoft.Kubernetes/connectedClusters}"), cluster())


LOCKS = "Microsoft.Authorization/locks"


def holding(cluster: Cluster, *locks: str, **looked_for: str | None) -> Cluster:
    """With these locks; ``looked_for`` tells how the reading of all of them went, or of the one of that name."""
    told = {(LOCKS if name == "every" else f"{LOCKS}:{name}").casefold(): why for name, why in looked_for.items()}
    on_it = (Resource.from_document({"id": f"{cluster.id}/providers/{LOCKS}/{name}"}) for name in locks)
    return replace(cluster, others=tuple(on_it), looked_for=told)


def nowhere(type: str, scope: ResourceId) -> list[Resource]:
    raise LookupError(f"{type} in {scope}")


@pytest.mark.parametrize(
    ("details", "locks", "read", "expected"),
    [
        (f"{{type: {LOCKS}}}", ["a"], {"every": None}, OK),
        (f"{{type: {LOCKS}}}", [], {"every": None}, BAD),
        (f"{{type: {LOCKS}, name: A}}", ["a"], {"a": None}, OK),
        (f"{{type: {LOCKS}, name: a}}", [], {"a": None}, BAD),
        (f"{{type: {LOCKS}, name: a}}", ["b"], {"a": None, "b": None}, BAD),
        (f"{{type: {LOCKS}, name: a}}", ["b"], {"every": None}, BAD),
        (f"{{type: {LOCKS}, name: a}}", [], {"every": "refused", "a": None}, BAD),
        (f"{{type: {LOCKS}, existenceScope: Subscription}}", ["a"], {"every": None}, OK),
        (f"{{type: {LOCKS}}}", ["a"], {}, OK),  # nobody looked, and yet there it is
    ],
)
def test_what_was_looked_for_on_the_cluster_is_there_or_not(
    judged: Judge,
    cluster: MakeCluster,
    details: str,
    locks: list[str],
    read: dict[str, str | None],
    expected: ComplianceState,
) -> None:
    assert judged(if_not_exists(details), holding(cluster(), *locks, **read), resources=nowhere).state is expected


@pytest.mark.parametrize("read", [{}, {"b": None}])
def test_what_nobody_looked_for_is_asked_of_others(
    judged: Judge, cluster: MakeCluster, read: dict[str, str | None]
) -> None:
    """One of another name says nothing."""
    on = holding(cluster(), *read, **read)

    with pytest.raises(LookupError, match=f"{LOCKS} in {on.id}"):
        judged(if_not_exists(f"{{type: {LOCKS}, name: a}}"), on, resources=nowhere)


def test_what_could_not_be_read_is_neither_there_nor_missing(judged: Judge, cluster: MakeCluster) -> None:
    with pytest.raises(NotReadError, match=f"`{LOCKS}` on `edge-1` could not be read: it was refused"):
        judged(if_not_exists(f"{{type: {LOCKS}}}"), holding(cluster(), every="it was refused"), resources=nowhere)
