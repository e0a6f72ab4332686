"""Logic, functions and JMESPath on the left. Policy language §2, §4.5, §5; experience §1.6."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.errors import ExpressionError
from policyengine.evaluation import Context, Subject, evaluate
from policyengine.language.syntax import Logic
from policyengine.model.resource import Cluster, Resource

Holds = Callable[..., bool]
TRUE, FALSE = "{value: 1, equals: 1}", "{value: 1, equals: 2}"
FAILS = "{value: \"[substring('abc', 9, 1)]\", equals: x}"


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (f"{{allOf: [{TRUE}, {TRUE}]}}", True),
        (f"{{allOf: [{TRUE}, {FALSE}]}}", False),
        (f"{{anyOf: [{FALSE}, {TRUE}]}}", True),
        (f"{{anyOf: [{FALSE}, {FALSE}]}}", False),
        (f"{{not: {TRUE}}}", False),
        (f"{{NOT: {{allof: [{FALSE}]}}}}", True),
        ("{not: {field: properties.missing, equals: x}}", True),
    ],
)
def test_logic(holds: Holds, text: str, expected: bool) -> None:
    assert holds(text) is expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [(f"{{allOf: [{FALSE}, {FAILS}]}}", False), (f"{{anyOf: [{TRUE}, {FAILS}]}}", True)],
)
def test_what_cannot_matter_is_not_evaluated(holds: Holds, text: str, expected: bool) -> None:
    assert holds(text) is expected


def test_an_error_that_matters_is_raised(holds: Holds) -> None:
    with pytest.raises(ExpressionError):
        holds(f"{{allOf: [{TRUE}, {FAILS}]}}")


LISTS = {
    "properties": {
        "a": [{"b": [1, 2], "c": "x"}, {"c": None}, {"b": [], "c": "y"}, {}],
        "flat": ["p", "q"],
    }
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("properties.flat[*]", "p,q"),
        ("properties.a[*].b[*]", "1,2"),
        ("properties.missing[*].x", ""),
    ],
)
def test_field_function_flattens(holds: Holds, name: str, expected: str) -> None:
    assert holds(f"{{value: \"[join(field('{name}'), ',')]\", equals: '{expected}'}}", LISTS)


def test_field_function_skips_elements_without_the_property(holds: Holds) -> None:
    assert holds("{value: \"[length(field('properties.a[*].b'))]\", equals: 2}", LISTS)
    assert holds("{value: \"[length(field('properties.a[*].c'))]\", equals: 3}", LISTS)


def test_field_function_gives_null_for_what_is_absent(holds: Holds) -> None:
    assert holds("{value: \"[field('properties.nothing')]\", equals: ''}")
    assert holds("{value: \"[empty(field('properties.nothing'))]\", equals: true}")


def test_fields_read_the_related_resource_and_functions_the_cluster(
    condition: Callable[[str], Logic], context: Callable[..., Context], cluster: Callable[..., Cluster]
) -> None:
    """The asymmetry of an existence condition. Source: policy language §4.5."""
    owner = cluster({"tags": {"site": "oslo"}})
    related = Resource.from_document(
        {"id": f"{owner.id}/providers/Microsoft.KubernetesConfiguration/extensions/flux", "tags": {"site": "flux"}}
    )
    subject = Subject(related, owner.resource, context(owner))

    assert evaluate(condition("{field: tags.site, equals: flux}"), subject)
    assert evaluate(condition("{value: \"[field('tags.site')]\", equals: oslo}"), subject)
    assert evaluate(condition("{field: name, notEquals: \"[field('name')]\"}"), subject)


@pytest.mark.parametrize(
    ("expression", "expected"),
    [
        ("parameters('BRANCH')", "main"),
        ("resourceGroup().name", "stores-no"),
        ("resourceGroup().location", "norwayeast"),
        ("resourceGroup().tags.owner", "ops-edge"),
        ("subscription().displayName", "edge-nordics"),
        ("subscription().subscriptionId", "5b0c0000-0000-0000-0000-000000000001"),
        ("policy().assignmentId", "edge-baseline"),
        ("requestContext().apiVersion", "2026-05-01"),
        ("utcNow()", "2026-11-22T12:00:00.0000000Z"),
    ],
)
def test_functions_answer_from_the_context(holds: Holds, expression: str, expected: str) -> None:
    assert holds(f"{{value: \"[{expression}]\", equals: '{expected}'}}", branch="main")


def test_the_identity_of_a_request_is_null_on_a_scan(holds: Holds) -> None:
    assert holds("{value: \"[tryGet(requestContext(), 'identity')]\", equals: ''}")


def test_an_undeclared_parameter_is_an_error(subject: Callable[..., Subject]) -> None:
    functions = subject(branch="main").expression_context.functions

    with pytest.raises(ExpressionError, match="`brunch` is not declared") as caught:
        functions["parameters"]("brunch")
    assert caught.value.help == "did you mean `branch`?"


@pytest.mark.parametrize(
    ("expression", "operator"),
    [
        ("name", "equals: edge-osl-03"),
        ("properties.distribution", "equals: k3s"),
        ("cluster.name", "equals: edge-osl-03"),
        ("length(related.extensions)", "equals: 1"),
        ("related.fluxConfigurations", "equals: []"),
        ("related.extensions[0].properties.extensionType", "equals: microsoft.flux"),
        ("subscription.displayName", "equals: edge-nordics"),
        ("resourceGroup.tags.owner", "equals: ops-edge"),
        ("managementGroups[].name", "equals: [mg-edge, root]"),
        ("parameters.releaseTrain", "equals: Stable"),
        ("now", "equals: '2026-11-22T12:00:00Z'"),
        ("properties.missing", "exists: false"),
        ("related.x", "exists: false"),
    ],
)
def test_jmespath_sees_the_cluster_and_what_surrounds_it(
    condition: Callable[[str], Logic],
    context: Callable[..., Context],
    cluster: Callable[..., Cluster],
    expression: str,
    operator: str,
) -> None:
    id = "/subscriptions/5b0c0000-0000-0000-0000-000000000001/resourceGroups/stores-no/providers/Microsoft.Kubernetes"
    flux = Resource.from_document(
        {
            "id": f"{id}/connectedClusters/edge-osl-03/providers/Microsoft.KubernetesConfiguration/extensions/flux",
            "properties": {"extensionType": "microsoft.flux"},
        }
    )
    owner = cluster({"properties": {"distribution": "k3s"}}, extensions=(flux,))
    subject = Subject.of(owner.resource, context(owner, releaseTrain="Stable"))

    assert evaluate(condition(f'{{jmespath: "{expression}", {operator}}}'), subject)


def test_the_resource_s_own_members_win_in_jmespath(holds: Holds) -> None:
    assert holds("{jmespath: now, equals: mine}", {"now": "mine"})


def test_jmespath_in_an_existence_condition_reads_the_related_resource(
    condition: Callable[[str], Logic], context: Callable[..., Context], cluster: Callable[..., Cluster]
) -> None:
    owner = cluster()
    flux = Resource.from_document(
        {
            "id": f"{owner.id}/providers/Microsoft.KubernetesConfiguration/extensions/flux",
            "properties": {"currentVersion": "1.19.5"},
        }
    )
    rule = condition(
        '{jmespath: "[version_minor(properties.currentVersion), cluster.name]", equals: [19, edge-osl-03]}'
    )

    assert evaluate(rule, Subject(flux, owner.resource, context(owner)))
