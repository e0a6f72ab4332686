"""Deployments over the wire: accepted, carried out step by step, ended one way or the other."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import httpx

    from tests.emulator.conftest import Api

SCHEMA = "https://schema.management.azure.com/schemas/2019-04-01/deploymentTemplate.json#"
FLUX: dict[str, Any] = {
    "type": "Microsoft.KubernetesConfiguration/extensions",
    "apiVersion": "2023-05-01",
    "name": "flux",
    "scope": "Microsoft.Kubernetes/connectedClusters/osl-01",
    "properties": {"extensionType": "microsoft.flux"},
}
LOGS: dict[str, Any] = {
    "type": "Microsoft.OperationalInsights/workspaces",
    "apiVersion": "2023-09-01",
    "name": "logs",
    "location": "[resourceGroup().location]",
    "properties": {"sku": {"name": "PerGB2018"}},
}


def group(api: Api) -> str:
    return api.arc.rpartition("/providers/")[0]


def path(api: Api, name: str = "mend") -> str:
    return f"{group(api)}/providers/Microsoft.Resources/deployments/{name}"


def template(*resources: Any, **more: Any) -> dict[str, Any]:
    return {"$schema": SCHEMA, "contentVersion": "1.0.0.0", "resources": list(resources), **more}


def body(*resources: Any, given: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    properties = {"mode": "Incremental", "template": template(*resources, **more)}
    parameters = {name: {"value": value} for name, value in (given or {}).items()}
    return {"properties": {**properties, "parameters": parameters}}


def deploy(api: Api, *resources: Any, name: str = "mend", **more: Any) -> httpx.Response:
    return api.put(path(api, name), body(*resources, **more))


def ended(api: Api, name: str = "mend") -> dict[str, Any]:
    found: dict[str, Any] = api.get(path(api, name)).json()["properties"]
    return found


def test_a_deployment_is_accepted_runs_and_succeeds(api: Api) -> None:
    accepted = deploy(api, FLUX)
    assert accepted.status_code == 201
    assert accepted.json()["properties"]["provisioningState"] == "Accepted"
    link = accepted.headers["azure-asyncoperation"]
    assert link.startswith(f"{api.url}{path(api)}/operationStatuses/")
    assert int(accepted.headers["retry-after"]) >= 1
    assert api.operation(accepted) == {"status": "Running"}
    assert ended(api)["provisioningState"] == "Running"
    assert api.properties(api.extension(api.arc))["provisioningState"] == "Creating"
    api.advance("2m")
    assert api.operation(accepted) == {"status": "Succeeded"}
    found = ended(api)
    assert (found["provisioningState"], found["mode"]) == ("Succeeded", "Incremental")
    assert found["outputResources"] == [{"id": api.extension(api.arc)}]
    assert found["correlationId"]
    assert found["duration"].startswith("PT")
    assert deploy(api, FLUX).status_code == 200


def test_what_it_writes_goes_through_the_same_validation(api: Api) -> None:
    accepted = deploy(api, {**FLUX, "properties": {}})
    error = api.operation(accepted)["error"]
    assert error["code"] == "DeploymentFailed"
    assert error["details"][0]["code"] == "ValidationFailed"
    assert ended(api)["error"] == error
    assert ended(api)["outputResources"] == []


def test_a_failed_installation_is_told_with_its_cause(api: Api) -> None:
    on_refusing = {**FLUX, "scope": "Microsoft.Kubernetes/connectedClusters/trd-01"}
    accepted = deploy(api, on_refusing)
    api.advance("3m")
    (failure,) = api.operation(accepted)["error"]["details"]
    assert failure["code"] == "ResourceOperationFailure"
    assert failure["message"] == "The resource operation completed with terminal provisioning state 'Failed'."
    assert failure["details"][0]["code"] == "ExtensionOperationFailed"
    assert "validation.contoso.com" in failure["details"][0]["message"]


def test_parameters_variables_and_outputs_are_evaluated(api: Api) -> None:
    deploy(
        api,
        LOGS,
        parameters={"ring": {"type": "string"}, "count": {"type": "int", "defaultValue": 2}},
        variables={"name": "[concat('ring-', parameters('ring'))]"},
        given={"ring": "1"},
        outputs={
            "name": {"type": "string", "value": "[variables('name')]"},
            "count": {"type": "int", "value": "[parameters('count')]"},
            "customer": {"type": "string", "value": "[reference('logs').customerId]"},
            "key": {
                "type": "securestring",
                "value": f"[listKeys('{group(api)}/providers/Microsoft.OperationalInsights/workspaces/logs', '1')"
                ".primarySharedKey]",
            },
        },
    )
    found = ended(api)
    workspace = f"{group(api)}/providers/Microsoft.OperationalInsights/workspaces/logs"
    assert found["outputs"] == {
        "name": {"type": "String", "value": "ring-1"},
        "count": {"type": "Int", "value": 2},
        "customer": {"type": "String", "value": api.properties(workspace)["customerId"]},
        "key": {"type": "SecureString"},
    }
    assert found["parameters"] == {"ring": {"type": "String", "value": "1"}}
    assert api.get(workspace).json()["location"] == "norwayeast"


def test_a_resource_waits_for_those_it_depends_on(api: Api) -> None:
    configuration = {
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
        "apiVersion": "2023-05-01",
        "name": "cfg",
        "scope": "Microsoft.Kubernetes/connectedClusters/osl-01",
        "dependsOn": ["flux"],
        "properties": {"gitRepository": api.git, "kustomizations": {"apps": {}}},
    }
    deploy(api, configuration, FLUX)
    api.advance("30s")
    assert api.get(api.configuration(api.arc)).status_code == 404
    api.advance("5m")
    assert ended(api)["provisioningState"] == "Succeeded"
    assert api.properties(api.configuration(api.arc))["provisioningState"] == "Succeeded"


def test_a_reference_to_a_resource_of_the_template_is_a_dependency(api: Api) -> None:
    uses = {
        "type": "Microsoft.Insights/diagnosticSettings",
        "apiVersion": "2021-05-01-preview",
        "name": "s",
        "scope": "Microsoft.Kubernetes/connectedClusters/osl-01",
        "properties": {
            "state": "[reference(extensionResourceId(resourceId('Microsoft.Kubernetes/connectedClusters', "
            "'osl-01'), 'Microsoft.KubernetesConfiguration/extensions', 'flux')).provisioningState]"
        },
    }
    deploy(api, uses, FLUX)
    api.advance("2m")
    assert ended(api)["provisioningState"] == "Succeeded"
    assert api.properties(f"{api.arc}/providers/Microsoft.Insights/diagnosticSettings/s")["state"] == "Succeeded"


def test_conditions_and_loops_are_heard(api: Api) -> None:
    looped = {**LOGS, "name": "[concat('logs-', copyIndex())]", "copy": {"name": "all", "count": 2}}
    deploy(api, looped, {**FLUX, "condition": False})
    found = ended(api)
    assert found["provisioningState"] == "Succeeded"
    assert [r["id"].rpartition("/")[2] for r in found["outputResources"]] == ["logs-0", "logs-1"]
    assert api.get(api.extension(api.arc)).status_code == 404


def test_one_failure_does_not_stop_what_does_not_depend_on_it(api: Api) -> None:
    after = {**LOGS, "name": "after", "dependsOn": ["flux"]}
    accepted = deploy(api, {**FLUX, "properties": {}}, after, LOGS)
    assert api.operation(accepted)["status"] == "Failed"
    workspaces = f"{group(api)}/providers/Microsoft.OperationalInsights/workspaces"
    assert api.get(f"{workspaces}/logs").status_code == 200
    assert api.get(f"{workspaces}/after").status_code == 404


@pytest.mark.parametrize("scope", ["outer", "inner"])
def test_nested_deployments_are_records_of_their_own_and_hand_on_outputs(api: Api, scope: str) -> None:
    nested: dict[str, Any] = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2021-04-01",
        "name": "inside",
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": scope},
            "template": template(
                LOGS, outputs={"customer": {"type": "string", "value": "[reference('logs').customerId]"}}
            ),
        },
    }
    last = {**LOGS, "name": "last", "properties": {"from": "[reference('inside').outputs.customer.value]"}}
    deploy(api, last, nested)
    found = ended(api)
    assert found["provisioningState"] == "Succeeded", found
    workspaces = f"{group(api)}/providers/Microsoft.OperationalInsights/workspaces"
    assert api.properties(f"{workspaces}/last")["from"] == api.properties(f"{workspaces}/logs")["customerId"]
    inner = ended(api, "inside")
    assert (inner["provisioningState"], inner["correlationId"]) == ("Succeeded", found["correlationId"])
    assert {r["id"].rpartition("/")[2] for r in found["outputResources"]} == {"logs", "last"}


def test_a_nested_failure_is_a_failure_with_the_inner_details(api: Api) -> None:
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2021-04-01",
        "name": "inside",
        "properties": {"mode": "Incremental", "template": template({**FLUX, "properties": {}})},
    }
    accepted = deploy(api, nested)
    error = api.operation(accepted)["error"]
    assert [e["code"] for e in (error, error["details"][0], error["details"][0]["details"][0])] == [
        "DeploymentFailed",
        "DeploymentFailed",
        "ValidationFailed",
    ]


def test_a_subscription_deployment_makes_a_group_and_deploys_into_it(api: Api) -> None:
    at = f"/subscriptions/{api.shops}/providers/Microsoft.Resources/deployments/all"
    new = {"type": "Microsoft.Resources/resourceGroups", "apiVersion": "2019-05-01", "name": "made", "location": "x1"}
    nested = {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2020-06-01",
        "name": "inside",
        "resourceGroup": "made",
        "dependsOn": ["[resourceId('Microsoft.Resources/resourceGroups', 'made')]"],
        "properties": {
            "mode": "Incremental",
            "expressionEvaluationOptions": {"scope": "inner"},
            "template": template(LOGS),
        },
    }
    assert api.error(api.put(at, body(new, nested))) == (400, "LocationRequired")
    assert api.put(at, {"location": "norwayeast", **body(new, nested)}).status_code == 201
    assert api.properties(at)["provisioningState"] == "Succeeded", api.properties(at)
    made = f"/subscriptions/{api.shops}/resourceGroups/made"
    assert api.get(f"{made}/providers/Microsoft.OperationalInsights/workspaces/logs").json()["location"] == "x1"
    assert api.get(f"{made}/providers/Microsoft.Resources/deployments/inside").status_code == 200
    moved = api.put(at, {"location": "westeurope", **body(new)})
    assert api.error(moved) == (409, "InvalidDeploymentLocation")


def test_secrets_come_from_a_vault_and_are_told_nowhere(api: Api) -> None:
    vault = f"{group(api)}/providers/Microsoft.KeyVault/vaults/kv"
    api.put(vault, {"location": "x"})
    api.put(f"{vault}/secrets/git", {"properties": {"value": "hunter2"}})
    configuration = {
        **FLUX,
        "type": "Microsoft.KubernetesConfiguration/fluxConfigurations",
        "name": "cfg",
        "properties": {
            "gitRepository": {**api.git, "httpsUser": "bot"},
            "kustomizations": {"apps": {}},
            "configurationProtectedSettings": {"httpsKey": "[base64(parameters('key'))]"},
        },
    }
    declared = {"key": {"type": "securestring"}, "plain": {"type": "securestring", "defaultValue": ""}}
    request = body(configuration, parameters=declared, given={"plain": "swordfish"})
    reference = {"reference": {"keyVault": {"id": vault}, "secretName": "git"}}
    request["properties"]["parameters"]["key"] = reference
    assert api.put(path(api), request).status_code == 201
    found = ended(api)
    assert found["parameters"] == {
        "key": {"type": "SecureString", **reference},
        "plain": {"type": "SecureString"},
    }
    assert "httpsKey" in str(api.inside(api.arc)["protectedSettings"])
    told = api.http.get("/_emulator/journal").text + api.get(path(api)).text + api.get(f"{path(api)}/operations").text
    assert not any(secret in told for secret in ("hunter2", "swordfish", "aHVudGVyMg=="))
    request["properties"]["parameters"]["key"] = {"reference": {"keyVault": {"id": vault}, "secretName": "none"}}
    api.advance("5m")
    assert api.error(api.put(path(api), request)) == (400, "KeyVaultParameterReferenceSecretRetrieveFailed")


def test_the_caller_needs_the_rights_for_every_step(api: Api) -> None:
    roles = [
        {"role": "Kubernetes Extension Contributor", "scope": f"/subscriptions/{api.shops}"},
    ]
    api.http.post("/_emulator/principals", json={"token": "t", "objectId": "o", "roles": roles})
    url, headers = f"{path(api)}?api-version=2021-04-01", {"Authorization": "Bearer t"}
    accepted = api.http.put(url, json=body(FLUX, LOGS), headers=headers)
    assert accepted.status_code == 201
    api.advance("2m")
    (failure,) = api.operation(accepted)["error"]["details"]
    assert failure["code"] == "AuthorizationFailed"
    assert "Microsoft.OperationalInsights/workspaces/write" in failure["message"]
    assert api.properties(api.extension(api.arc))["provisioningState"] == "Succeeded"


@pytest.mark.parametrize(
    ("change", "error"),
    [
        ({"mode": "Sometimes"}, (400, "InvalidRequestContent")),
        ({"template": "x"}, (400, "InvalidRequestContent")),
        ({"templateLink": {"uri": "https://x"}}, (501, "NotImplemented")),
        ({"mode": "Complete"}, (501, "NotImplemented")),
        ({"parameters": {"unknown": {"value": 1}}}, (400, "InvalidTemplate")),
        ({"template": template(parameters={"p": {"type": "int"}})}, (400, "InvalidTemplate")),
        ({"template": template({**LOGS, "dependsOn": ["nothing"]})}, (400, "InvalidTemplate")),
        ({"template": template({**LOGS, "name": "[nofunction()]"})}, (400, "InvalidTemplate")),
        (
            {"template": template({**LOGS, "dependsOn": ["b"]}, {**LOGS, "name": "b", "dependsOn": ["logs"]})},
            (400, "InvalidTemplate"),
        ),
        ({"template": {"resources": {}}}, (400, "InvalidTemplate")),
        ({"template": template(LOGS, {**LOGS, "name": "[reference('logs').x]"})}, (400, "InvalidTemplate")),
        ({"template": template(outputs={"o": 1})}, (400, "InvalidTemplate")),
        ({"parameters": {"p": {"reference": {"keyVault": {"id": "kv"}, "secretName": "s"}}}}, (400, "InvalidTemplate")),
        ({"template": template(functions=[{"namespace": "x"}])}, (400, "InvalidTemplate")),
    ],
)
def test_what_cannot_be_deployed_is_refused_at_once(api: Api, change: Any, error: tuple[int, str]) -> None:
    request = body(LOGS)
    request["properties"].update(change)
    assert api.error(api.put(path(api), request)) == error
    assert api.get(path(api)).status_code == 404


def test_templates_that_need_each_other_by_reference_fail(api: Api) -> None:
    a = {**LOGS, "name": "a", "properties": {"x": "[reference('b').customerId]"}}
    b = {**LOGS, "name": "b", "properties": {"x": "[reference('a').customerId]"}}
    accepted = deploy(api, a, b)
    assert "Circular" in api.operation(accepted)["error"]["details"][0]["message"]


def test_names_are_limited_and_an_active_deployment_is_not_overwritten(api: Api) -> None:
    assert api.error(deploy(api, LOGS, name="n" * 65)) == (400, "DeploymentNameLengthLimitExceeded")
    assert deploy(api, LOGS, name="n" * 64).status_code == 201
    deploy(api, FLUX)
    assert api.error(deploy(api, FLUX)) == (409, "DeploymentActive")
    assert api.error(api.send("DELETE", path(api))) == (409, "DeploymentActive")
    api.advance("2m")
    assert api.send("DELETE", path(api)).status_code == 204
    assert api.error(api.get(path(api))) == (404, "DeploymentNotFound")
    assert api.get(api.extension(api.arc)).status_code == 200


def test_800_are_kept_at_a_scope(api: Api) -> None:
    api.emulator.throttle._enforced = False
    for number in range(802):
        deploy(api, name=f"d-{number}")
    assert [api.send("HEAD", path(api, f"d-{number}")).status_code for number in (0, 1, 2, 801)] == [404, 404, 204, 204]


def test_deployments_and_their_operations_are_listed(api: Api) -> None:
    deploy(api, LOGS, name="good")
    deploy(api, {**FLUX, "properties": {}}, name="bad")
    many = path(api, "").rstrip("/")
    assert [d["name"] for d in api.get(many).json()["value"]] == ["bad", "good"]
    failed = {"api-version": "2021-04-01", "$filter": "provisioningState eq 'Failed'"}
    assert [d["name"] for d in api.http.get(many, params=failed).json()["value"]] == ["bad"]
    (operation,) = api.get(f"{path(api, 'bad')}/operations").json()["value"]
    properties = operation["properties"]
    assert (properties["provisioningState"], properties["targetResource"]["id"]) == ("Failed", api.extension(api.arc))
    assert properties["statusMessage"]["error"]["code"] == "ValidationFailed"
    assert api.get(operation["id"]).json() == operation
    assert api.get(f"{group(api)}/deployments/bad/operations").json()["value"] == [operation]
    assert api.get(f"{group(api)}/deployments/bad/operations/{operation['operationId']}").json() == operation
    assert api.error(api.get(f"{path(api, 'bad')}/operationStatuses/none")) == (404, "OperationNotFound")
    subscription = f"/subscriptions/{api.shops}/providers/Microsoft.Resources/deployments"
    assert api.get(subscription).json() == {"value": []}


def test_a_deployment_is_validated_without_being_made(api: Api) -> None:
    answer = api.send("POST", f"{path(api)}/validate", body(FLUX))
    assert answer.status_code == 200
    assert answer.json()["properties"]["validatedResources"] == [{"id": api.extension(api.arc)}]
    bad = api.send("POST", f"{path(api)}/validate", body({**LOGS, "dependsOn": ["x"]}))
    assert api.error(bad) == (400, "InvalidTemplate")
    assert api.get(path(api)).status_code == 404


def test_a_cancelled_deployment_begins_nothing_more(api: Api) -> None:
    accepted = deploy(api, FLUX, {**LOGS, "dependsOn": ["flux"]})
    api.get("/subscriptions")
    assert api.send("POST", f"{path(api)}/cancel").status_code == 204
    assert api.operation(accepted) == {"status": "Canceled"}
    api.advance("5m")
    assert api.properties(api.extension(api.arc))["provisioningState"] == "Succeeded"
    assert api.get(f"{group(api)}/providers/Microsoft.OperationalInsights/workspaces/logs").status_code == 404
    assert api.error(api.send("POST", f"{path(api)}/cancel")) == (409, "DeploymentCannotBeCancelled")
    exported = api.send("POST", f"{path(api)}/exportTemplate").json()
    assert exported["template"]["resources"][0]["name"] == "flux"


def test_a_complete_deployment_takes_away_what_it_does_not_name(api: Api) -> None:
    empty = f"/subscriptions/{api.shops}/resourceGroups/empty"
    api.put(empty, {"location": "x"})
    old = f"{empty}/providers/Microsoft.OperationalInsights/workspaces/old"
    api.put(old, {"location": "x"})
    request = body(LOGS)
    request["properties"]["mode"] = "complete"
    assert api.put(f"{empty}/providers/Microsoft.Resources/deployments/d", request).status_code == 201
    assert api.properties(f"{empty}/providers/Microsoft.Resources/deployments/d")["mode"] == "Complete"
    assert api.get(old).status_code == 404
    assert api.get(old.replace("old", "logs")).status_code == 200


def test_faults_and_offline_agents_reach_deployments_too(api: Api) -> None:
    api.emulator.add_fault({"method": "PUT", "path": "*/extensions/flux", "status": 503, "code": "ServiceUnavailable"})
    accepted = deploy(api, FLUX)
    assert api.operation(accepted)["error"]["details"][0]["code"] == "ServiceUnavailable"
    offline = {**FLUX, "scope": "Microsoft.Kubernetes/connectedClusters/got-02"}
    accepted = deploy(api, offline, name="away")
    api.advance("47h")
    assert api.operation(accepted) == {"status": "Running"}
    api.advance("1h")
    assert api.operation(accepted)["status"] == "Failed"
