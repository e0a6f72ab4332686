"""Azure's own definitions with deny, modify and the effects of providers, on clusters. Policy language §6, §7."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeAlias

import pytest

from policyengine.compliance.admission import Answer, admit
from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.judge import judge, remedy_for
from policyengine.effects.base import Amendment, World
from policyengine.model.resource import Cluster
from policyengine.model.states import ComplianceState

NA, OK, BAD = ComplianceState.NOT_APPLICABLE, ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT
FOLDER = "azure-policy/definitions/public"
MakeCluster: TypeAlias = Callable[..., Cluster]
MakeWorld: TypeAlias = Callable[..., World]
Builtin: TypeAlias = Callable[..., BoundPolicy]
SCOPE = "/subscriptions/s/resourceGroups/g/providers/Microsoft.HybridCompute/privateLinkScopes/p"


@pytest.fixture
def builtin(corpus: Path, bound: Callable[..., tuple[BoundPolicy, ...]]) -> Builtin:
    def builtin(file: str, **parameters: Any) -> BoundPolicy:
        (path,) = (corpus / FOLDER).glob(f"*/{file}.json")
        text = path.read_text(encoding="utf-8-sig")
        assignment = {
            "apiVersion": "policyengine/v1",
            "kind": "Assignment",
            "metadata": {"name": "builtin"},
            "spec": {
                "policy": json.loads(text)["name"],
                "scope": "/providers/Microsoft.Management/managementGroups/root",
                "parameters": parameters,
            },
        }
        (policy,) = bound(text, json.dumps(assignment))
        return policy

    return builtin


def pools(*encrypted: Any) -> dict[str, Any]:
    return {
        "agentPoolProfiles": [{"name": "p"} | ({} if e is None else {"enableEncryptionAtHost": e}) for e in encrypted]
    }


@pytest.mark.parametrize(
    ("file", "good", "bad"),
    [
        ("AKS_DisableLocalAccounts_Deny", {"disableLocalAccounts": True}, {"disableLocalAccounts": False}),
        ("AKS_DisableLocalAccounts_Deny", {"disableLocalAccounts": True}, {}),
        (
            "AKS_PrivateCluster_Deny",
            {"apiServerAccessProfile": {"enablePrivateCluster": True}},
            {"apiServerAccessProfile": {}},
        ),
        ("AKS_CMK_Deny", {"diskEncryptionSetID": "/x"}, {"diskEncryptionSetID": ""}),
        ("AKS_CMK_Deny", {"diskEncryptionSetID": "/x"}, {}),
        ("AKS_EncryptionAtHost_Deny", pools(True, True), pools(True, None)),
        ("AKS_EncryptionAtHost_Deny", pools(), pools(False)),
    ],
)
def test_a_deny_on_what_exists_is_an_audit_and_refuses_requests(
    builtin: Builtin,
    aks: MakeCluster,
    cluster: MakeCluster,
    world: MakeWorld,
    file: str,
    good: dict[str, Any],
    bad: dict[str, Any],
) -> None:
    audit, deny = builtin(file, effect="Audit"), builtin(file, effect="Deny")
    compliant, wrong = aks(document={"properties": good}), aks(document={"properties": bad})

    for policy in (audit, deny):
        assert [judge(policy, on, world()).state for on in (compliant, wrong, cluster())] == [OK, BAD, NA]
    assert judge(audit, wrong, world()).reason == judge(deny, wrong, world()).reason
    assert admit([deny], compliant.resource, world()).answer is Answer.ALLOWED
    assert admit([deny], wrong.resource, world()).answer is Answer.DENIED
    assert admit([audit], wrong.resource, world()).answer is Answer.ALLOWED


def test_a_private_link_is_demanded(builtin: Builtin, aks: MakeCluster, cluster: MakeCluster, world: MakeWorld) -> None:
    policy = builtin("Arc_KubernetesCluster_PrivateLinkEnabled_Deny", effect="Deny")
    linked = cluster(document={"properties": {"privateLinkScopeResourceId": SCOPE}})

    assert [judge(policy, on, world()).state for on in (linked, cluster(), aks())] == [OK, BAD, NA]


def test_a_private_link_is_set(builtin: Builtin, aks: MakeCluster, cluster: MakeCluster, world: MakeWorld) -> None:
    policy = builtin("Arc_KubernetesCluster_PrivateLinkEnabled_Modify", privateLinkScopeId=SCOPE)
    wanted = {"privateLinkScopeResourceId": SCOPE, "privateLinkState": "true"}
    linked, bare = cluster(document={"properties": wanted}), cluster()

    assert [judge(policy, on, world()).state for on in (linked, bare, aks())] == [OK, BAD, NA]
    remedy = remedy_for(policy, bare, world())
    assert isinstance(remedy, Amendment)
    assert remedy.patch == {"properties": wanted}
    assert remedy.role_definition_ids[0].endswith("34e09817-6cbe-4d01-b1a2-e0eac5743d41")
    assert admit([policy], bare.resource, world()).resource.document["properties"] == wanted


def test_its_operations_ask_for_an_api_version(builtin: Builtin, cluster: MakeCluster, world: MakeWorld) -> None:
    policy = builtin("Arc_KubernetesCluster_PrivateLinkEnabled_Modify", privateLinkScopeId=SCOPE)

    remedy = remedy_for(policy, cluster(document={"apiVersion": "2021-10-01"}), world())

    assert isinstance(remedy, Amendment)
    assert remedy.patch == {}


@pytest.mark.parametrize(
    ("file", "effect"),
    [
        ("ContainerNoPrivilege", "Audit"),
        ("ContainerNoPrivilege", "Deny"),
        ("ContainerNoPrivilege_EnforceRegoPolicy", "EnforceRegoPolicy"),
        ("MutatePrivilegeEscalationContainers", "Mutate"),
    ],
)
def test_what_gatekeeper_enforces_has_no_state_here(
    builtin: Builtin, aks: MakeCluster, world: MakeWorld, file: str, effect: str
) -> None:
    found = judge(builtin(file, effect=effect), aks(), world())

    assert found.reason is not None
    assert (found.state, found.reason.code) == (NA, "handled-elsewhere")
    assert found.reason.message.startswith("handled in the cluster")
