"""`azure-mgmt-hybridkubernetes` and `azure-mgmt-containerservice`: clusters as their clients read and tag them."""

from __future__ import annotations

import pytest
from azure.core import MatchConditions
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.containerservice import ContainerServiceClient
from azure.mgmt.containerservice.models import TagsObject
from azure.mgmt.hybridkubernetes import ConnectedKubernetesClient
from azure.mgmt.hybridkubernetes.models import (
    ConnectedClusterPatch,
    ConnectedClusterPatchProperties,
    ConnectivityStatus,
    ProvisioningState,
)

from tests.emulator.sdk.conftest import Azure


@pytest.fixture
def arc(azure: Azure) -> ConnectedKubernetesClient:
    return azure.client(ConnectedKubernetesClient, azure.shops)


@pytest.fixture
def aks(azure: Azure) -> ContainerServiceClient:
    return azure.client(ContainerServiceClient, azure.web)


def test_arc_clusters_are_listed_with_their_connectivity(azure: Azure, arc: ConnectedKubernetesClient) -> None:
    found = {c.name: c for c in arc.connected_cluster.list_by_subscription()}
    assert list(found) == ["cph-01", "got-02", "osl-01", "trd-01"]
    assert {c.name for c in arc.connected_cluster.list_by_resource_group("stores")} == set(found)
    assert found["osl-01"].properties.connectivity_status is ConnectivityStatus.CONNECTED
    assert found["got-02"].properties.connectivity_status is ConnectivityStatus.OFFLINE
    assert found["got-02"].properties.last_connectivity_time is not None

    one = arc.connected_cluster.get("Stores", "osl-01")
    assert one.id == azure.arc
    assert one.location == "norwayeast"
    assert one.tags == {"ring": "1"}
    assert one.properties.provisioning_state is ProvisioningState.SUCCEEDED
    assert one.identity is not None
    assert one.identity.type == "SystemAssigned"


def test_an_arc_cluster_takes_tags_and_what_a_person_may_know_better(arc: ConnectedKubernetesClient) -> None:
    patch = ConnectedClusterPatch(
        tags={"ring": "2"}, properties=ConnectedClusterPatchProperties(distribution="k3s", azure_hybrid_benefit="True")
    )
    done = arc.connected_cluster.begin_update_async("Stores", "osl-01", patch).result()
    assert done.tags == {"ring": "2"}
    assert arc.connected_cluster.get("Stores", "osl-01").properties.distribution == "k3s"


def test_a_missing_cluster_is_a_not_found_error(arc: ConnectedKubernetesClient, aks: ContainerServiceClient) -> None:
    with pytest.raises(ResourceNotFoundError):
        arc.connected_cluster.get("Stores", "none")
    with pytest.raises(ResourceNotFoundError):
        aks.managed_clusters.get("web", "none")


def test_aks_clusters_are_listed_and_tagged(azure: Azure, aks: ContainerServiceClient) -> None:
    found = {c.name: c for c in aks.managed_clusters.list()}
    assert list(found) == ["web-01", "web-02"]
    assert [c.name for c in aks.managed_clusters.list_by_resource_group("web")] == list(found)
    stopped = found["web-02"]
    assert stopped.power_state is not None
    assert stopped.power_state.code == "Stopped"

    done = aks.managed_clusters.begin_update_tags("web", "web-01", TagsObject(tags={"ring": "3"})).result()
    assert done.id == azure.aks
    assert done.tags == {"ring": "3"}
    assert done.provisioning_state == "Succeeded"


def test_an_aks_cluster_is_read_changed_and_written_under_its_etag(aks: ContainerServiceClient) -> None:
    found = aks.managed_clusters.get("web", "web-01")
    first = found.e_tag
    found.disable_local_accounts = True
    done = aks.managed_clusters.begin_create_or_update(
        "web", "web-01", found, etag=first, match_condition=MatchConditions.IfNotModified
    ).result()
    assert done.disable_local_accounts is True
    assert done.sku == found.sku
    assert done.e_tag != first

    with pytest.raises(HttpResponseError) as raised:
        aks.managed_clusters.begin_create_or_update(
            "web", "web-01", found, etag=first, match_condition=MatchConditions.IfNotModified
        )
    assert raised.value.status_code == 412
