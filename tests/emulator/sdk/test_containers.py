"""`azure-mgmt-resource`, `-resource-subscriptions`, `-managementgroups`, `-resourcegraph`: what holds the clusters."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.managementgroups import ManagementGroupsMgmtClient
from azure.mgmt.resource.resources import ResourceManagementClient
from azure.mgmt.resource.resources.models import GenericResource, ResourceGroup, ResourceGroupPatchable
from azure.mgmt.resource.subscriptions import SubscriptionClient
from azure.mgmt.resourcegraph import ResourceGraphClient
from azure.mgmt.resourcegraph.models import QueryRequest, QueryRequestOptions

from tests.emulator.sdk.conftest import Azure


@pytest.fixture
def resources(azure: Azure) -> ResourceManagementClient:
    return azure.client(ResourceManagementClient, azure.shops)


@pytest.fixture
def graph(azure: Azure) -> ResourceGraphClient:
    return azure.client(ResourceGraphClient)


def test_subscriptions_and_tenants_are_listed(azure: Azure) -> None:
    client = azure.client(SubscriptionClient)
    found = {s.subscription_id: s for s in client.subscriptions.list()}
    assert set(found) == {azure.shops, azure.web}
    assert client.subscriptions.get(azure.shops).display_name == "shops"
    assert found[azure.shops].state == "Enabled"
    assert [tenant.tenant_id for tenant in client.tenants.list()] == [azure.tenant]


def test_groups_are_created_tagged_and_listed(resources: ResourceManagementClient) -> None:
    assert not resources.resource_groups.check_existence("new")
    created = resources.resource_groups.create_or_update("new", ResourceGroup(location="norwayeast", tags={"a": "1"}))
    assert created.properties is not None
    assert (created.name, created.properties.provisioning_state) == ("new", "Succeeded")
    assert resources.resource_groups.check_existence("NEW")
    assert resources.resource_groups.update("new", ResourceGroupPatchable(tags={"b": "2"})).tags == {"b": "2"}
    assert {g.name for g in resources.resource_groups.list()} == {"new", "Stores"}


def test_resources_are_listed_by_type_with_what_was_asked_for(resources: ResourceManagementClient) -> None:
    of_type = "resourceType eq 'Microsoft.Kubernetes/connectedClusters'"
    found = list(resources.resources.list(filter=of_type, expand="provisioningState"))
    assert {r.name for r in found} == {"osl-01", "got-02", "trd-01", "cph-01"}
    assert {r.provisioning_state for r in found} == {"Succeeded"}
    assert [r.name for r in resources.resources.list_by_resource_group("Stores", filter="tagName eq 'ring'")] == [
        "osl-01"
    ]


def test_a_resource_of_any_type_is_written_read_and_deleted_by_its_id(
    azure: Azure, resources: ResourceManagementClient
) -> None:
    id = f"{azure.arc.partition('/providers/')[0]}/providers/Microsoft.OperationalInsights/workspaces/logs"
    sent = GenericResource(location="norwayeast", tags={"a": "1"}, properties={"retentionInDays": 30})
    created = resources.resources.begin_create_or_update_by_id(id, api_version="2023-09-01", parameters=sent).result()
    assert created.id == id
    assert isinstance(created.properties, dict)
    assert created.properties["retentionInDays"] == 30
    assert resources.resources.get_by_id(id, api_version="2023-09-01").tags == {"a": "1"}
    assert resources.resources.check_existence_by_id(id, api_version="2023-09-01")
    resources.resources.begin_delete_by_id(id, api_version="2023-09-01").result()
    assert not resources.resources.check_existence_by_id(id, api_version="2023-09-01")
    with pytest.raises(ResourceNotFoundError):
        resources.resources.get_by_id(id, api_version="2023-09-01")


def test_providers_tell_their_types_and_are_registered(resources: ResourceManagementClient) -> None:
    namespace = "Microsoft.KubernetesConfiguration"
    assert resources.providers.unregister(namespace).registration_state == "NotRegistered"
    assert resources.providers.register(namespace).registration_state == "Registered"
    found = resources.providers.get(namespace)
    types = {t.resource_type for t in found.resource_types or ()}
    assert {"extensions", "fluxConfigurations", "extensionTypes", "sourceControlConfigurations"} <= types
    assert namespace in {p.namespace for p in resources.providers.list()}


def test_management_groups_tell_what_is_below_them(azure: Azure) -> None:
    client = azure.client(ManagementGroupsMgmtClient)
    assert {g.name for g in client.management_groups.list()} == {"contoso", "mg-edge"}
    one = client.management_groups.get("contoso", expand="children", recurse=True)
    assert one.display_name == "Contoso"
    assert {child.name for child in one.children or ()} == {"mg-edge", azure.web}
    below = {d.name: d for d in client.management_groups.get_descendants("contoso")}
    assert set(below) == {"mg-edge", azure.shops, azure.web}
    assert below[azure.shops].parent is not None
    assert (below[azure.shops].parent.id or "").endswith("/mg-edge")


def test_resource_graph_is_paged_by_its_token(azure: Azure, graph: ResourceGraphClient) -> None:
    query = "resources | where type =~ 'microsoft.kubernetes/connectedclusters' | project name, id | order by id asc"
    rows: list[Any] = []
    token, pages = None, 0
    while pages == 0 or token:
        options = QueryRequestOptions(top=1, skip_token=token)
        answer = graph.resources(QueryRequest(subscriptions=[azure.shops], query=query, options=options))
        assert (answer.total_records, answer.count, answer.result_truncated) == (4, 1, "false")
        assert isinstance(answer.data, list)
        rows += answer.data
        token, pages = answer.skip_token, pages + 1
    assert pages == 4
    assert [row["name"] for row in rows] == ["cph-01", "got-02", "osl-01", "trd-01"]


def test_resource_graph_answers_a_table_where_one_is_asked_for(azure: Azure, graph: ResourceGraphClient) -> None:
    query = "kubernetesconfigurationresources | summarize n = count() by type | order by type asc"
    options = QueryRequestOptions(result_format="table")
    answer = graph.resources(QueryRequest(management_groups=["contoso"], query=query, options=options))
    data: Any = answer.data
    assert [column["name"] for column in data["columns"]] == ["type", "n"]
    assert data["rows"] == [
        ["microsoft.kubernetesconfiguration/extensions", 1],
        ["microsoft.kubernetesconfiguration/fluxconfigurations", 2],
    ]


def test_a_query_that_cannot_be_read_is_an_error_with_its_details(azure: Azure, graph: ResourceGraphClient) -> None:
    with pytest.raises(HttpResponseError) as raised:
        graph.resources(QueryRequest(subscriptions=[azure.shops], query="resources | where (name"))
    assert raised.value.status_code == 400
    assert raised.value.error is not None
    assert raised.value.error.code == "BadRequest"
    assert [detail.code for detail in raised.value.error.details] == ["ParserFailure"]
