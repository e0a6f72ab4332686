"""`azure-mgmt-kubernetesconfiguration-extensions` and `-extensiontypes`, as their users call them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.kubernetesconfiguration.extensions import KubernetesConfigurationExtensionsMgmtClient
from azure.mgmt.kubernetesconfiguration.extensions.models import (
    AKSIdentityType,
    AutoUpgradeMode,
    CreatedByType,
    Extension,
    ExtensionProperties,
    Identity,
    LevelType,
    PatchExtension,
    PatchExtensionProperties,
    Plan,
    ProvisioningState,
    Scope,
    ScopeCluster,
    ScopeNamespace,
)
from azure.mgmt.kubernetesconfiguration.extensiontypes import KubernetesConfigurationExtensionTypesMgmtClient

from tests.emulator.sdk.conftest import AKS_CLUSTER, ARC_CLUSTER, Azure, told

OFFLINE = (*ARC_CLUSTER[:3], "got-02")
REFUSING = (*ARC_CLUSTER[:3], "trd-01")
KubernetesConfiguration = KubernetesConfigurationExtensionsMgmtClient


@pytest.fixture
def client(azure: Azure) -> KubernetesConfiguration:
    return azure.client(KubernetesConfigurationExtensionsMgmtClient, azure.shops)


def flux(**properties: Any) -> Extension:
    return Extension(properties=ExtensionProperties(extension_type="microsoft.flux", **properties))


def test_an_extension_is_created_polled_listed_patched_and_deleted(
    azure: Azure, client: KubernetesConfiguration
) -> None:
    poller = client.extensions.begin_create(*ARC_CLUSTER, "flux", flux(configuration_settings={"a": "1"}))
    created = poller.result()

    assert poller.status() == "Succeeded"
    assert created.properties is not None
    assert created.properties.provisioning_state == ProvisioningState.SUCCEEDED
    assert created.properties.current_version == "1.19.5"
    assert azure.waits  # the client waited as it was told to, and no longer
    assert set(azure.waits) == {1}
    assert [e.name for e in client.extensions.list(*ARC_CLUSTER)] == ["flux"]

    patch = PatchExtension(properties=PatchExtensionProperties(configuration_settings={"b": "2"}))
    patched = client.extensions.begin_update(*ARC_CLUSTER, "flux", patch).result()
    assert patched.properties is not None
    assert patched.properties.configuration_settings == {"a": "1", "b": "2"}
    assert patched.properties.provisioning_state == ProvisioningState.SUCCEEDED

    client.extensions.begin_delete(*ARC_CLUSTER, "flux").result()
    assert list(client.extensions.list(*ARC_CLUSTER)) == []
    with pytest.raises(ResourceNotFoundError):
        client.extensions.get(*ARC_CLUSTER, "flux")


def test_every_writable_property_is_read_back_as_it_was_sent(client: KubernetesConfiguration) -> None:
    sent = Extension(
        identity=Identity(type="SystemAssigned"),
        plan=Plan(name="pro", publisher="contoso", product="shop", promotion_code="c", version="1"),
        properties=ExtensionProperties(
            extension_type="contoso.shop",
            auto_upgrade_mode=AutoUpgradeMode.NONE,
            auto_upgrade_minor_version=False,
            release_train="Preview",
            version="1.0.0",
            scope=Scope(namespace=ScopeNamespace(target_namespace="shop")),
            configuration_settings={"replicas": "2"},
            configuration_protected_settings={"key": "hunter2"},
        ),
    )

    client.extensions.begin_create(*ARC_CLUSTER, "shop", sent).result()
    found = client.extensions.get(*ARC_CLUSTER, "shop")

    properties = told(sent.properties)
    del properties["configurationProtectedSettings"]
    assert found.properties is not None
    assert properties.items() <= told(found.properties).items()
    assert found.properties.configuration_protected_settings == {}
    assert found.properties.auto_upgrade_mode is AutoUpgradeMode.NONE
    assert found.plan == sent.plan
    assert found.identity is not None
    assert (found.identity.type, bool(found.identity.principal_id)) == ("SystemAssigned", True)
    assert found.system_data is not None
    assert found.system_data.created_by_type is CreatedByType.APPLICATION
    assert found.system_data.created_at is not None
    assert found.system_data.created_at.tzinfo is not None
    assert "hunter2" not in str(found.as_dict())


def test_what_was_read_can_be_changed_and_sent_back_whole(client: KubernetesConfiguration) -> None:
    found = client.extensions.begin_create(*ARC_CLUSTER, "flux", flux(auto_upgrade_minor_version=False)).result()
    assert found.properties is not None
    found.properties.configuration_settings = {"helm-controller.enabled": "false"}
    found.properties.current_version = "0.0.1"

    again = client.extensions.begin_create(*ARC_CLUSTER, "flux", found).result()

    assert again.properties is not None
    assert again.properties.configuration_settings == {"helm-controller.enabled": "false"}
    assert again.properties.current_version == "1.19.5"
    assert again.properties.scope == Scope(cluster=ScopeCluster(release_namespace="flux-system"))
    assert again.system_data is not None
    assert found.system_data is not None
    assert again.system_data.created_at == found.system_data.created_at


def test_an_extension_of_aks_tells_the_identity_it_acts_as(azure: Azure) -> None:
    client = azure.client(KubernetesConfigurationExtensionsMgmtClient, azure.web)
    created = client.extensions.begin_create(*AKS_CLUSTER, "flux", flux()).result()
    assert created.properties is not None
    assert created.properties.aks_assigned_identity is not None
    assert created.properties.aks_assigned_identity.type is AKSIdentityType.SYSTEM_ASSIGNED
    assert created.properties.aks_assigned_identity.principal_id
    assert created.identity is None


def test_a_failed_installation_is_raised_by_its_poller_with_the_agent_s_message(
    azure: Azure, client: KubernetesConfiguration
) -> None:
    poller = client.extensions.begin_create(*REFUSING, "flux", flux())
    with pytest.raises(HttpResponseError, match="denied the request") as raised:
        poller.result()

    assert poller.status() == "Failed"
    assert raised.value.error is not None
    assert raised.value.error.code == "ExtensionOperationFailed"
    found = client.extensions.get(*REFUSING, "flux")
    assert found.properties is not None
    assert found.properties.provisioning_state is ProvisioningState.FAILED
    assert found.properties.error_info is not None
    assert azure.refused in (found.properties.error_info.message or "")
    assert found.properties.statuses is not None
    assert [status.level for status in found.properties.statuses] == [LevelType.ERROR]


def test_a_poller_gives_up_on_a_cluster_that_stays_away(serve: Callable[..., Azure]) -> None:
    azure = serve(clock="x36000")
    client = azure.client(KubernetesConfigurationExtensionsMgmtClient, azure.shops)
    with pytest.raises(HttpResponseError, match="did not respond within 48 hours"):
        client.extensions.begin_create(*OFFLINE, "flux", flux()).result()


def test_a_poller_goes_on_from_a_continuation_token(client: KubernetesConfiguration) -> None:
    begun = client.extensions.begin_create(*ARC_CLUSTER, "flux", flux(), polling=True)
    token = begun.continuation_token()
    resumed = client.extensions.begin_create(*ARC_CLUSTER, "flux", flux(), continuation_token=token)
    assert resumed.result().name == "flux"
    begun.result()


def test_the_operation_can_be_asked_for_by_its_id(client: KubernetesConfiguration) -> None:
    seen: list[str] = []
    poller = client.extensions.begin_create(
        *REFUSING, "flux", flux(), raw_response_hook=lambda r: seen.append(r.http_response.request.url)
    )
    with pytest.raises(HttpResponseError):
        poller.result()
    operation = next(url for url in seen if "/operations/" in url).partition("/operations/")[2].partition("?")[0]

    status = client.operation_status.get(*REFUSING, "flux", operation)

    assert (status.name, status.status) == (operation, "Failed")
    assert status.error is not None
    assert status.error.code == "ExtensionOperationFailed"


def test_deleting_what_is_not_there_is_no_error(azure: Azure, client: KubernetesConfiguration) -> None:
    client.extensions.begin_delete(*ARC_CLUSTER, "none").result()
    assert azure.statuses() == [204]


def test_force_deletion_does_not_wait_for_the_agent(azure: Azure, client: KubernetesConfiguration) -> None:
    client.extensions.begin_create(*OFFLINE, "flux", flux(), polling=False)
    client.extensions.begin_delete(*OFFLINE, "flux", force_delete=True).result()
    assert list(client.extensions.list(*OFFLINE)) == []
    assert azure.waits == []


def test_extension_types_and_versions_are_listed(azure: Azure) -> None:
    client = azure.client(KubernetesConfigurationExtensionTypesMgmtClient, azure.shops)
    types = {t.name for t in client.extension_types.location_list("norwayeast")}
    assert "microsoft.flux" in types
    assert {t.name for t in client.extension_types.list(*ARC_CLUSTER)} <= types

    one = client.extension_types.get(*ARC_CLUSTER, "microsoft.flux")
    assert one.properties is not None
    assert one.properties.supported_scopes is not None
    assert one.properties.supported_scopes.default_scope == "cluster"

    versions = [v.properties for v in client.extension_types.cluster_list_versions(*ARC_CLUSTER, "microsoft.flux")]
    assert "1.19.5" in {v.version for v in versions if v is not None}
    assert "1.19.5" in {v.name for v in client.extension_types.list_versions("norwayeast", "microsoft.flux")}
    single = client.extension_types.cluster_get_version(*ARC_CLUSTER, "microsoft.flux", "1.19.5")
    assert single.properties is not None
    assert single.properties.version == "1.19.5"
