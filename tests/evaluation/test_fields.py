"""Field names on real documents. Claims from policy language §4.1–§4.3."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.evaluation import Context, Subject, evaluate, short_name
from policyengine.language.syntax import Logic
from policyengine.model.resource import Cluster, Resource

Holds = Callable[..., bool]

DOCUMENT = {
    "kind": "ProvisionedCluster",
    "location": "East US 2",
    "identity": {"type": "SystemAssigned", "userAssignedIdentities": {"/a": {}}},
    "tags": {"Site": "oslo", "a.b": "dotted", "it's": "quoted", "CostCenter": "42"},
    "properties": {"distribution": "k3s", "kustomizations": {"infra": {"path": "./infra"}}},
}


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("name", "EDGE-OSL-03"),
        ("fullName", "edge-osl-03"),
        ("type", "microsoft.kubernetes/connectedclusters"),
        ("kind", "provisionedcluster"),
        ("identity.type", "SystemAssigned"),
        ("tags.site", "oslo"),
        ("tags['SITE']", "oslo"),
        ('tags["site"]', "oslo"),
        ("tags[site]", "oslo"),
        ("tags.a.b", "dotted"),
        ("tags['it''s']", "quoted"),
        ("Microsoft.Kubernetes/connectedClusters/distribution", "k3s"),
        ("MICROSOFT.kubernetes/connectedclusters/DISTRIBUTION", "k3s"),
        ("properties.kustomizations.infra.path", "./infra"),
        ("properties.Kustomizations.Infra.Path", "./infra"),
        ("apiVersion", "2026-05-01"),
    ],
)
def test_a_field_reads(holds: Holds, name: str, value: str) -> None:
    quoted = name.replace('"', '\\"')

    assert holds(f'{{field: "{quoted}", equals: "{value}"}}', DOCUMENT)


def test_id_is_compared_without_case(holds: Holds) -> None:
    assert holds("{field: id, like: '/SUBSCRIPTIONS/*/connectedclusters/edge-osl-03'}", DOCUMENT)


def test_a_child_has_its_full_type_and_its_ancestors_in_its_full_name(
    condition: Callable[[str], Logic], context: Callable[..., Context], cluster: Callable[..., Cluster]
) -> None:
    owner = cluster()
    pool = Resource.from_document(
        {"id": "/subscriptions/s/resourceGroups/g/providers/Microsoft.ContainerService/managedClusters/c/agentPools/p"}
    )
    subject = Subject(pool, owner.resource, context(owner))
    rule = """
    allOf:
      - {field: type, equals: Microsoft.ContainerService/managedClusters/agentPools}
      - {field: name, equals: p}
      - {field: fullName, equals: c/p}
    """

    assert evaluate(condition(rule), subject)


@pytest.mark.parametrize(
    "text",
    [
        "{field: location, equals: eastus2}",
        "{field: location, equals: EAST us 2}",
        "{field: location, in: [westeurope, 'East US 2']}",
        "{value: \"[field('location')]\", equals: eastus2}",
        "{value: eastus2, equals: \"[field('location')]\"}",
        "{not: {field: location, notIn: [eastus2]}}",
    ],
)
def test_locations_compare_without_case_and_blanks(holds: Holds, text: str) -> None:
    assert holds(text, DOCUMENT)


def test_a_resource_without_location_is_global(holds: Holds) -> None:
    assert holds("{field: location, equals: global}", {"location": None})


def test_a_missing_tags_object_is_null(holds: Holds) -> None:
    assert holds("{field: tags, exists: false}")
    assert holds("{field: tags.site, equals: ''}")


def test_blanks_count_everywhere_but_in_locations(holds: Holds) -> None:
    assert not holds("{field: tags.site, equals: 'o slo'}", DOCUMENT)


@pytest.mark.parametrize("spelling", ["tags[", "TAGS["])
def test_a_name_may_be_computed(holds: Holds, spelling: str) -> None:
    text = f"{{field: \"[concat('{spelling}', parameters('tagName'), ']')]\", equals: 42}}"

    assert holds(text, DOCUMENT, tagName="costcenter")


def test_a_name_may_be_chosen(holds: Holds) -> None:
    text = """
    field: "[if(equals(parameters('which'), 'a'), 'tags.site', 'kind')]"
    equals: oslo
    """

    assert holds(text, DOCUMENT, which="a")
    assert not holds(text, DOCUMENT, which="b")


def test_an_alias_of_another_type_reads_null(holds: Holds) -> None:
    document = {"properties": {"enableRBAC": True, "distribution": "k3s"}}

    assert holds("{field: Microsoft.ContainerService/managedClusters/enableRBAC, exists: false}", document)
    assert not holds("{field: 'Microsoft.ContainerService/managedClusters/agentPoolProfiles[*].count', greater: 0}")


def test_an_alias_is_looked_up_under_the_type_that_is_read(
    condition: Callable[[str], Logic], context: Callable[..., Context], cluster: Callable[..., Cluster]
) -> None:
    owner = cluster({"properties": {"releaseTrain": "of the cluster"}})
    extension = Resource.from_document(
        {"id": f"{owner.id}/providers/Microsoft.KubernetesConfiguration/extensions/flux", "properties": {"x": 1}}
    )
    rule = condition("{field: Microsoft.KubernetesConfiguration/extensions/releaseTrain, exists: false}")

    assert evaluate(rule, Subject(extension, owner.resource, context(owner)))


def test_a_sub_resource_array_falls_back_to_its_inner_properties(holds: Holds) -> None:
    document = {"properties": {"rules": [{"properties": {"access": "Allow"}}, {"access": "Allow"}]}}

    assert holds("{field: 'properties.rules[*].access', equals: allow}", document)


@pytest.mark.parametrize(
    ("name", "short"),
    [
        ("Microsoft.KubernetesConfiguration/fluxConfigurations/gitRepository.url", "gitRepository.url"),
        ("properties.kustomizations.infra.path", "kustomizations.infra.path"),
        ("properties.configurationSettings['a/b.enabled']", "configurationSettings['a/b.enabled']"),
        ("tags.site", "tags.site"),
        ("type", "type"),
    ],
)
def test_short_names_leave_out_what_everybody_knows(name: str, short: str) -> None:
    assert short_name(name) == short
