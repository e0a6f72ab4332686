"""Templates that need the live fleet: what is read, how a cluster is put back, what goes whole to Resource Manager."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import pytest

from policyengine.compliance.bind import BoundPolicy
from policyengine.model.ids import ResourceId
from policyengine.model.resource import AKS, ARC, Cluster, Resource
from policyengine.remediation.diff import MASK
from policyengine.remediation.plan import Draft, build_plan, draft_plan, settle
from policyengine.remediation.steps import FieldChange, Preflight
from policyengine.templates import Answer, LiveRead
from tests.remediation.conftest import GROUP, NOON, SUBSCRIPTION, WORLD, assignment_text, bind_texts

CLUSTER = ResourceId(f"{GROUP}/providers/{AKS}/web-01")
DOCUMENT: Mapping[str, Any] = {
    "id": CLUSTER.text,
    "location": "norwayeast",
    "sku": {"name": "Base"},
    "tags": {"team": "web"},
    "properties": {
        "provisioningState": "Succeeded",
        "kubernetesVersion": "1.31.2",
        "agentPoolProfiles": [{"name": "system", "count": 3, "provisioningState": "Succeeded"}],
        "apiServerAccessProfile": {"enablePrivateCluster": True},
    },
}
READ = LiveRead(CLUSTER, "2023-11-01", full=True)
READABLE = {READ: Answer(DOCUMENT)}


def web(**properties: Any) -> Cluster:
    return Cluster(Resource(CLUSTER, {**DOCUMENT, "properties": {**DOCUMENT["properties"], **properties}}))


def policy_text(name: str, details: Mapping[str, Any], *, type: str = AKS) -> str:
    """An Azure definition, as JSON."""
    effect = {"effect": "deployIfNotExists", "details": {"roleDefinitionIds": ["/r"], **details}}
    rule = {"if": {"field": "type", "equals": type}, "then": effect}
    return json.dumps({"name": name, "properties": {"mode": "Indexed", "policyRule": rule}})


def bound(name: str, details: Mapping[str, Any], *, type: str = AKS) -> tuple[BoundPolicy, ...]:
    return bind_texts(policy_text(name, details, type=type), assignment_text(f"a-{name}", f"policy: {name}"))


def puts_cluster(name: str, field: str, value: str) -> tuple[BoundPolicy, ...]:
    """Azure's way to change one property of a cluster: read it all, put it all back with ``field`` changed."""
    read = f"[reference(resourceId('{AKS}', parameters('name')), '2023-11-01', 'Full')]"
    kept = ("kubernetesVersion", "agentPoolProfiles", "apiServerAccessProfile", "securityProfile", "oidcIssuerProfile")
    inner: dict[str, Any] = {
        "parameters": {"c": {"type": "object"}},
        "resources": [
            {
                "type": AKS,
                "apiVersion": "2023-11-01",
                "name": "web-01",
                "location": "[parameters('c').location]",
                "sku": "[parameters('c').sku]",
                "tags": "[if(contains(parameters('c'), 'tags'), parameters('c').tags, json('null'))]",
                "properties": {key: f"[tryGet(parameters('c').properties, '{key}')]" for key in kept}
                | {field: {value: True}},
            }
        ],
    }
    template = {
        "parameters": {"name": {"type": "string"}},
        "resources": [
            deployment("get", {"resources": [], "outputs": {"c": {"type": "object", "value": read}}}),
            deployment("put", inner, c={"value": "[reference('get').outputs.c.value]"}),
        ],
    }
    details = {
        "type": AKS,
        "name": "[field('name')]",
        "existenceCondition": {"field": f"{AKS}/{field}.{value}", "equals": True},
        "deployment": {
            "properties": {
                "mode": "incremental",
                "template": template,
                "parameters": {"name": {"value": "[field('name')]"}},
            }
        },
    }
    return bound(name, details)


def deployment(name: str, template: Any, **parameters: Any) -> dict[str, Any]:
    scope = {"parameters": parameters, "expressionEvaluationOptions": {"scope": "inner"}} if parameters else {}
    properties = {"mode": "Incremental", "template": template, **scope}
    return {
        "type": "Microsoft.Resources/deployments",
        "apiVersion": "2020-06-01",
        "name": name,
        "properties": properties,
    }


def draft(policies: tuple[BoundPolicy, ...], cluster: Cluster, **answers: Any) -> Draft:
    return draft_plan(policies, [cluster], WORLD, created_at=NOON, **answers)


RUN_COMMAND = ("run-command", "apiServerAccessProfile", "disableRunCommand")


def test_a_draft_says_what_must_be_read_and_what_waits_for_it() -> None:
    found = draft(puts_cluster(*RUN_COMMAND), web())

    assert found.reads == (READ,)
    assert found.plan.steps == ()
    assert found.plan.unmended[0].reason == f"its deployment needs `{CLUSTER}`, which was not read"


def test_a_put_of_the_cluster_shows_only_what_it_changes() -> None:
    found = draft(puts_cluster(*RUN_COMMAND), web(), answers=READABLE)

    (step,) = found.plan.steps
    assert found.reads == ()
    assert (step.write.method, step.write.id, step.write.api_version) == ("PUT", CLUSTER, "2023-11-01")
    assert step.action == "update cluster web-01"
    assert step.changes == (
        FieldChange("properties.apiServerAccessProfile.disableRunCommand", None, True),
        FieldChange("properties.apiServerAccessProfile.enablePrivateCluster", True, None),
    )
    assert step.before is not None
    assert step.write.body["tags"] == {"team": "web"}
    assert step.write.body["properties"]["agentPoolProfiles"] == DOCUMENT["properties"]["agentPoolProfiles"]


def test_two_puts_of_one_cluster_become_one_and_undo_nothing() -> None:
    policies = puts_cluster(*RUN_COMMAND) + puts_cluster("oidc", "oidcIssuerProfile", "enabled")

    (step,) = draft(policies, web(), answers=READABLE).plan.steps

    assert step.policies == ("a-run-command", "a-oidc")
    assert step.preflight is Preflight.READY
    assert [change.path for change in step.changes] == [
        "properties.apiServerAccessProfile.disableRunCommand",
        "properties.apiServerAccessProfile.enablePrivateCluster",
        "properties.oidcIssuerProfile.enabled",
    ]
    properties = step.write.body["properties"]
    assert properties["apiServerAccessProfile"] == {"disableRunCommand": True}
    assert properties["oidcIssuerProfile"] == {"enabled": True}


def test_a_change_of_tags_goes_with_the_put_of_the_cluster() -> None:
    """A `modify` alone would be a PATCH; after a PUT of the same object it would find it changed."""
    operations = [
        {"operation": "addOrReplace", "field": "tags.env", "value": "prod"},
        {"operation": "remove", "field": "tags.team"},
    ]
    details = {"roleDefinitionIds": ["/r"], "operations": operations}
    rule = {"if": {"field": "tags.team", "exists": True}, "then": {"effect": "modify", "details": details}}
    text = json.dumps({"name": "tags", "properties": {"mode": "Indexed", "policyRule": rule}})
    modifies = bind_texts(text, assignment_text("a-tags", "policy: tags"))

    (step,) = draft(modifies + puts_cluster("oidc", "oidcIssuerProfile", "enabled"), web(), answers=READABLE).plan.steps

    assert (step.policies, step.write.method) == (("a-tags", "a-oidc"), "PUT")
    assert step.write.body["tags"] == {"env": "prod"}
    assert step.write.body["properties"]["kubernetesVersion"] == "1.31.2"
    assert sorted((change.path, change.old, change.new) for change in step.changes) == [
        ("properties.oidcIssuerProfile.enabled", None, True),
        ("tags.env", None, "prod"),
        ("tags.team", "web", None),
    ]


def test_what_a_satisfied_policy_reads_of_the_cluster_is_no_wish_of_its_own() -> None:
    """Its template would put the whole cluster back as it is; that is no objection to another's change."""
    satisfied = puts_cluster("oidc", "oidcIssuerProfile", "enabled")
    cluster = web(oidcIssuerProfile={"enabled": True}, apiServerAccessProfile={"disableRunCommand": False})
    answers = {READ: Answer(cluster.resource.document)}

    (step,) = draft(satisfied + puts_cluster(*RUN_COMMAND), cluster, answers=answers).plan.steps

    assert (step.policies, step.preflight) == (("a-run-command",), Preflight.READY)
    assert step.write.body["properties"]["oidcIssuerProfile"] == {"enabled": True}


def test_a_plan_of_documents_alone_reads_the_clusters_among_them() -> None:
    plan = build_plan(puts_cluster(*RUN_COMMAND), [web()], WORLD, created_at=NOON)

    assert [step.action for step in plan.steps] == ["update cluster web-01"]


def test_an_answer_that_failed_is_the_reason_of_the_finding() -> None:
    found = draft(puts_cluster(*RUN_COMMAND), web(), answers={READ: Answer(None, "403 AuthorizationFailed")})

    assert found.reads == ()
    assert found.plan.unmended[0].reason.endswith(f"`{CLUSTER}` cannot be read: 403 AuthorizationFailed")


FLUX_TYPE = "Microsoft.KubernetesConfiguration/fluxConfigurations"


def configures(*, secure: Any, scope: str = "ResourceGroup") -> tuple[BoundPolicy, ...]:
    resource = {
        "type": FLUX_TYPE,
        "apiVersion": "2022-03-01",
        "name": "config",
        "scope": "[concat('Microsoft.Kubernetes/connectedClusters/', parameters('name'))]",
        "properties": {"configurationProtectedSettings": {"sshPrivateKey": "[parameters('key')]"}},
    }
    parameters = {"name": {"type": "string"}, "key": {"type": "securestring"}}
    body = {
        "mode": "incremental",
        "template": {"parameters": parameters, "resources": [resource]},
        "parameters": {"name": {"value": "[field('name')]"}, "key": secure},
    }
    where = {} if scope == "ResourceGroup" else {"location": "westeurope"}
    details = {"type": FLUX_TYPE, "deploymentScope": scope, "deployment": {**where, "properties": body}}
    return bound("config", details, type=ARC)


def arc(name: str = "edge-01") -> Cluster:
    id = ResourceId(f"{GROUP}/providers/{ARC}/{name}")
    return Cluster(
        Resource(id, {"id": id.text, "location": "norwayeast", "properties": {"connectivityStatus": "Connected"}})
    )


VAULT = {"reference": {"keyVault": {"id": "/subscriptions/s/…/vaults/kv-edge"}, "secretName": "[field('name')]"}}


@pytest.mark.parametrize(("scope", "root"), [("ResourceGroup", GROUP), ("Subscription", SUBSCRIPTION)])
def test_a_key_vault_secret_sends_the_whole_template_as_one_deployment(scope: str, root: str) -> None:
    """With the template as it was written, and the reference to the vault untouched."""
    policies = configures(secure=VAULT, scope=scope)
    (step,) = draft(policies, arc()).plan.steps
    deployment = policies[0].definition.then.details.deployment  # type: ignore[union-attr]
    vault = {"reference": {"keyVault": {"id": "/subscriptions/s/…/vaults/kv-edge"}, "secretName": "edge-01"}}

    assert step.write.id.text.startswith(f"{root}/providers/Microsoft.Resources/deployments/policyengine-edge-01-")
    assert step.write.method == "PUT"
    assert step.write.body["properties"] == {
        "mode": "Incremental",
        "template": deployment.template,  # type: ignore[union-attr]
        "parameters": {"name": {"value": "edge-01"}, "key": vault},
    }
    assert step.write.body.get("location") == (None if scope == "ResourceGroup" else "westeurope")
    assert step.preflight is Preflight.READY
    assert step.reason == "as one deployment: parameter `key` is secret `edge-01` of Key Vault `kv-edge`"
    assert step.changes == (FieldChange("parameters.name", None, "edge-01"), FieldChange("parameters.key", None, vault))


def test_a_deployment_is_named_by_assignment_and_cluster() -> None:
    policies = configures(secure=VAULT)
    names = [draft(policies, arc(name)).plan.steps[0].write.id.name for name in ("edge-01", "edge-01", "e" * 63)]

    assert names[0] == names[1] != names[2]
    assert max(len(name) for name in names) == 64


def test_a_secret_reference_is_put_where_the_secret_goes_and_never_shown() -> None:
    secret = {"secretRef": {"env": "GIT_KEY"}}
    (step,) = draft(configures(secure={"value": secret}), arc()).plan.steps

    assert step.write.id.type == FLUX_TYPE
    assert step.write.body["properties"]["configurationProtectedSettings"] == {"sshPrivateKey": secret}
    assert {change.new for change in step.changes} == {MASK}


def test_a_secret_given_as_it_is_comes_into_no_plan() -> None:
    found = draft(configures(secure={"value": "hush"}), arc())

    (unmended,) = found.plan.unmended
    assert found.plan.steps == ()
    assert "secure parameter `key` is given as it is" in unmended.reason
    assert "hush" not in unmended.reason


DIAGNOSTICS = "Microsoft.Insights/diagnosticSettings"
SETTING = LiveRead(ResourceId(f"{CLUSTER}/providers/{DIAGNOSTICS}/audit"), "2021-05-01-preview", full=True)
LOGS = [{"category": "audit", "enabled": True}]


def sets_diagnostics() -> tuple[BoundPolicy, ...]:
    resource = {
        "type": DIAGNOSTICS,
        "apiVersion": "2021-05-01-preview",
        "name": "audit",
        "scope": f"[concat('{AKS}/', parameters('name'))]",
        "properties": {"workspaceId": "w", "logs": LOGS},
    }
    body = {"mode": "incremental", "template": {"parameters": {"name": {"type": "string"}}, "resources": [resource]}}
    given = {**body, "parameters": {"name": {"value": "[field('name')]"}}}
    return bound("diagnostics", {"type": DIAGNOSTICS, "name": "audit", "deployment": {"properties": given}})


def test_what_no_inventory_carries_is_read_before_it_is_written() -> None:
    """A workspace, a resource group, a diagnostic setting: theirs are reads of the plan too."""
    policies = sets_diagnostics()
    live = {"id": SETTING.id.text, "properties": {"workspaceId": "old", "logs": LOGS}}

    assert draft(policies, web()).reads == (SETTING,)
    (created,) = draft(policies, web(), answers={SETTING: Answer(None)}).plan.steps
    (updated,) = draft(policies, web(), answers={SETTING: Answer(live)}).plan.steps
    assert (created.before, updated.changes) == (None, (FieldChange("properties.workspaceId", "old", "w"),))


def test_what_could_not_be_read_is_never_taken_for_absent() -> None:
    found = draft(sets_diagnostics(), web(), answers={SETTING: Answer(None, "403 AuthorizationFailed")})

    assert (found.reads, found.plan.steps) == ((), ())
    assert found.plan.unmended[0].reason.endswith(f"`{SETTING.id}` cannot be read: 403 AuthorizationFailed")


def test_beside_the_documents_of_a_plan_nothing_is_there_or_nothing_can_be_read() -> None:
    policies = sets_diagnostics()
    unreadable = Answer(None, "it is not in the inventory file")

    whole = build_plan(policies, [web()], WORLD, created_at=NOON)
    partial = settle(lambda answers: draft(policies, web(), answers=answers), [web()], unreadable)

    assert [step.action for step in whole.steps] == [f"create {DIAGNOSTICS} audit"]
    assert (partial.steps, len(partial.unmended)) == ((), 1)
