"""`azure-mgmt-resource-deployments`: templates at a group and at a subscription, polled to their end."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.mgmt.resource.deployments import DeploymentsMgmtClient
from azure.mgmt.resource.deployments.models import (
    Deployment,
    DeploymentMode,
    DeploymentParameter,
    DeploymentProperties,
    ProvisioningState,
)

from tests.emulator.sdk.conftest import Azure

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"


@pytest.fixture
def client(azure: Azure) -> DeploymentsMgmtClient:
    return azure.client(DeploymentsMgmtClient, azure.shops)


def template(cluster: str = "osl-01") -> dict[str, Any]:
    return {
        "$schema": SCHEMA,
        "contentVersion": "1.0.0.0",
        "parameters": {"train": {"type": "string"}, "key": {"type": "securestring", "defaultValue": ""}},
        "resources": [
            {
                "type": "Microsoft.KubernetesConfiguration/extensions",
                "apiVersion": "2023-05-01",
                "name": "flux",
                "scope": f"Microsoft.Kubernetes/connectedClusters/{cluster}",
                "properties": {
                    "extensionType": "microsoft.flux",
                    "releaseTrain": "[parameters('train')]",
                    "configurationProtectedSettings": {"key": "[parameters('key')]"},
                },
            }
        ],
        "outputs": {"train": {"type": "string", "value": "[parameters('train')]"}},
    }


def deployment(cluster: str = "osl-01", location: str | None = None) -> Deployment:
    parameters = {"train": DeploymentParameter(value="Stable"), "key": DeploymentParameter(value="hunter2")}
    return Deployment(
        location=location,
        properties=DeploymentProperties(
            mode=DeploymentMode.INCREMENTAL, template=template(cluster), parameters=parameters
        ),
    )


def test_a_deployment_is_made_polled_listed_and_deleted(azure: Azure, client: DeploymentsMgmtClient) -> None:
    done = client.deployments.begin_create_or_update("Stores", "install", deployment()).result()

    assert done.properties is not None
    assert done.properties.provisioning_state is ProvisioningState.SUCCEEDED
    assert done.properties.outputs == {"train": {"type": "String", "value": "Stable"}}
    assert done.properties.mode is DeploymentMode.INCREMENTAL
    assert [r.id for r in done.properties.output_resources or ()] == [
        f"{azure.arc}/providers/Microsoft.KubernetesConfiguration/extensions/flux"
    ]
    assert done.properties.timestamp is not None
    assert "hunter2" not in str(done.as_dict())
    assert set(azure.waits) == {1}

    assert [d.name for d in client.deployments.list_by_resource_group("Stores")] == ["install"]
    operations = list(client.deployment_operations.list("Stores", "install"))
    assert {o.properties.provisioning_state for o in operations if o.properties} == {"Succeeded"}
    assert client.deployments.check_existence("Stores", "install")
    client.deployments.begin_delete("Stores", "install").result()
    assert not client.deployments.check_existence("Stores", "install")
    with pytest.raises(ResourceNotFoundError):
        client.deployments.get("Stores", "install")


def test_a_failed_deployment_is_raised_by_its_poller_with_the_cause_in_details(client: DeploymentsMgmtClient) -> None:
    with pytest.raises(HttpResponseError) as raised:
        client.deployments.begin_create_or_update("Stores", "install", deployment("trd-01")).result()
    assert raised.value.error is not None
    assert raised.value.error.code == "DeploymentFailed"
    (failed,) = raised.value.error.details
    assert failed.code == "ResourceOperationFailure"
    assert "denied the request" in str([detail.message for detail in failed.details])

    found = client.deployments.get("Stores", "install")
    assert found.properties is not None
    assert found.properties.provisioning_state is ProvisioningState.FAILED
    assert found.properties.error is not None
    assert found.properties.error.code == "DeploymentFailed"


def test_a_subscription_deployment_reaches_into_its_groups(client: DeploymentsMgmtClient) -> None:
    inner = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2021-04-01",
        "name": "inner",
        "resourceGroup": "Stores",
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "parameters": {"train": {"value": "Stable"}},
            "template": template(),
        },
    }
    body = Deployment(
        location="norwayeast",
        properties=DeploymentProperties(
            mode=DeploymentMode.INCREMENTAL,
            template={"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": [inner]},
        ),
    )
    done = client.deployments.begin_create_or_update_at_subscription_scope("outer", body).result()
    assert done.properties is not None
    assert done.properties.provisioning_state is ProvisioningState.SUCCEEDED
    assert done.location == "norwayeast"
    assert [d.name for d in client.deployments.list_at_subscription_scope()] == ["outer"]
    assert client.deployments.get("Stores", "inner").name == "inner"


def test_a_template_is_validated_without_being_deployed(client: DeploymentsMgmtClient) -> None:
    good = client.deployments.begin_validate("Stores", "install", deployment()).result()
    assert good.error is None
    bad = deployment()
    assert bad.properties is not None
    bad.properties.parameters = {}
    with pytest.raises(HttpResponseError, match="train") as raised:
        client.deployments.begin_validate("Stores", "install", bad).result()
    assert raised.value.error is not None
    assert raised.value.error.code == "InvalidTemplate"
    assert not client.deployments.check_existence("Stores", "install")
