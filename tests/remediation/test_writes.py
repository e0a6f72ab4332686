from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.compliance.bind import BoundPolicy
from policyengine.compliance.judge import remedy_for
from policyengine.effects.base import World
from policyengine.errors import TemplateError
from policyengine.model.resource import Cluster
from policyengine.remediation.writes import NothingToWrite, Writes, difference, wants_of, writes_for

MakeCluster: TypeAlias = Callable[..., Cluster]
Outcome: TypeAlias = Callable[[str, Cluster], Writes | NothingToWrite]

FLUX = {
    "extensionType": "microsoft.flux",
    "provisioningState": "Succeeded",
    "releaseTrain": "Stable",
    "autoUpgradeMinorVersion": True,
    "scope": {"cluster": {"releaseNamespace": "flux-system"}},
}
CONFIG = {
    "provisioningState": "Succeeded",
    "scope": "cluster",
    "namespace": "flux-system",
    "sourceKind": "GitRepository",
    "suspend": False,
    "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {"branch": "main", "tag": None}},
    "kustomizations": {"infra": {"path": "./infra", "prune": True}, "team": {"path": "./team"}},
    "complianceState": "Compliant",
}
NEEDS_FLUX = "{extension: {extensionType: microsoft.flux, releaseTrain: Stable}}"
NEEDS_CONFIG = """
fluxConfiguration:
  name: cluster-config
  namespace: flux-system
  scope: cluster
  suspend: false
  gitRepository: {url: "https://git.example/fleet", repositoryRef: {branch: main, tag: null}}
  kustomizations: {infra: {path: ./infra, prune: true}}
"""
WITH_SECRET = f"{NEEDS_CONFIG}  configurationProtectedSettings: {{httpsKey: {{secretRef: {{env: TOKEN}}}}}}"


@pytest.fixture(scope="session")
def outcome(bound: Callable[..., tuple[BoundPolicy, ...]], required: Callable[..., str], world: World) -> Outcome:
    """``outcome(require, cluster)``, or a whole policy file in place of ``require``."""

    def outcome(text: str, cluster: Cluster) -> Writes | NothingToWrite:
        (policy,) = bound(text if "kind: Assignment" in text else required("wanted", text))
        remedy = remedy_for(policy, cluster, world)
        assert remedy is not None
        return writes_for(remedy, wants_of(remedy, cluster, world), cluster)

    return outcome


def request_of(outcome: Writes | NothingToWrite) -> tuple[str, str, Mapping[str, Any]]:
    """Method, name and body of the only request, which may be sent."""
    assert isinstance(outcome, Writes)
    assert outcome.refusal == ""
    (write,) = outcome.writes
    return write.method, write.id.name, write.body


def reason_of(outcome: Writes | NothingToWrite) -> str:
    assert isinstance(outcome, NothingToWrite)
    return outcome.reason


class TestAbsent:
    def test_the_declared_body_is_put(self, outcome: Outcome, aks: MakeCluster) -> None:
        method, name, body = request_of(outcome(NEEDS_CONFIG, aks()))

        assert (method, name) == ("PUT", "cluster-config")
        assert body == {
            "properties": {
                "namespace": "flux-system",
                "scope": "cluster",
                "suspend": False,
                "sourceKind": "GitRepository",
                "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {"branch": "main"}},
                "kustomizations": {"infra": {"path": "./infra", "prune": True}},
            }
        }

    def test_an_identity_is_given_on_arc_only(self, outcome: Outcome, cluster: MakeCluster, aks: MakeCluster) -> None:
        properties = {"extensionType": "microsoft.flux", "releaseTrain": "Stable"}

        assert request_of(outcome(NEEDS_FLUX, cluster())) == (
            "PUT",
            "flux",
            {"properties": properties, "identity": {"type": "SystemAssigned"}},
        )
        assert request_of(outcome(NEEDS_FLUX, aks())) == ("PUT", "flux", {"properties": properties})

    def test_an_extension_is_called_after_its_type(self, outcome: Outcome, aks: MakeCluster) -> None:
        for require, name in (
            ("{extension: {extensionType: microsoft.azuredefender.kubernetes}}", "kubernetes"),
            ("{extension: {extensionType: microsoft.flux, name: gitops}}", "gitops"),
        ):
            assert request_of(outcome(require, aks()))[1] == name

    def test_secrets_stay_references(self, outcome: Outcome, aks: MakeCluster) -> None:
        _, _, body = request_of(outcome(WITH_SECRET, aks()))

        assert body["properties"]["configurationProtectedSettings"] == {"httpsKey": {"secretRef": {"env": "TOKEN"}}}

    def test_expressions_read_the_cluster(self, outcome: Outcome, cluster: MakeCluster) -> None:
        require = "{fluxConfiguration: {name: \"[concat('c-', field('name'))]\", gitRepository: {url: 'https://g/x'}}}"

        assert request_of(outcome(require, cluster("edge-cph-01")))[1] == "c-edge-cph-01"


class TestPresent:
    def test_only_what_differs_is_patched(self, outcome: Outcome, cluster: MakeCluster) -> None:
        live = {**CONFIG, "suspend": True, "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {}}}

        assert request_of(outcome(NEEDS_CONFIG, cluster(flux={"cluster-config": live}))) == (
            "PATCH",
            "cluster-config",
            {"properties": {"suspend": False, "gitRepository": {"repositoryRef": {"branch": "main"}}}},
        )

    def test_a_declared_null_takes_away(self, outcome: Outcome, cluster: MakeCluster) -> None:
        live = {**CONFIG, "gitRepository": {"url": "https://git.example/fleet", "repositoryRef": {"tag": "v1"}}}

        _, _, body = request_of(outcome(NEEDS_CONFIG, cluster(flux={"cluster-config": live})))

        assert body["properties"]["gitRepository"] == {"repositoryRef": {"branch": "main", "tag": None}}

    def test_entries_of_others_are_left_alone(self, outcome: Outcome, cluster: MakeCluster) -> None:
        live = {**CONFIG, "kustomizations": {"team": {"path": "./team"}}}

        _, _, body = request_of(outcome(NEEDS_CONFIG, cluster(flux={"cluster-config": live})))

        assert body == {"properties": {"kustomizations": {"infra": {"path": "./infra", "prune": True}}}}

    def test_an_extension_is_found_by_its_type(self, outcome: Outcome, cluster: MakeCluster) -> None:
        live = {**FLUX, "extensionType": "Microsoft.Flux", "releaseTrain": "Preview"}

        found = outcome(NEEDS_FLUX, cluster(extensions={"gitops": live}))

        assert request_of(found) == ("PATCH", "gitops", {"properties": {"releaseTrain": "Stable"}})

    def test_a_configuration_is_found_by_its_name_alone(self, outcome: Outcome, cluster: MakeCluster) -> None:
        assert request_of(outcome(NEEDS_CONFIG, cluster(flux={"other": CONFIG})))[:2] == ("PUT", "cluster-config")
        assert isinstance(outcome(NEEDS_CONFIG, cluster(flux={"Cluster-Config": CONFIG})), NothingToWrite)

    def test_settings_are_compared_as_they_are_stored(self, outcome: Outcome, cluster: MakeCluster) -> None:
        require = """
            extension:
              extensionType: microsoft.flux
              configurationSettings: {helm-controller.enabled: false, multiTenancy.enforce: true}
            """
        settings = {"helm-controller.enabled": "true", "multiTenancy.enforce": "true", "other": "kept"}
        live = {**FLUX, "configurationSettings": settings}

        _, _, body = request_of(outcome(require, cluster(extensions={"flux": live})))

        assert body == {"properties": {"configurationSettings": {"helm-controller.enabled": False}}}

    def test_a_secret_alone_is_no_difference(self, outcome: Outcome, cluster: MakeCluster) -> None:
        live = {**CONFIG, "configurationProtectedSettings": {}, "complianceState": "Pending"}

        found = outcome(WITH_SECRET, cluster(flux={"cluster-config": live}))

        assert reason_of(found) == "`cluster-config` is as declared; Flux reports Pending"

    @pytest.mark.parametrize(
        ("live", "field"), [({"namespace": "default"}, "namespace"), ({"scope": "namespace"}, "scope")]
    )
    def test_what_is_set_at_creation_only_is_refused(
        self, outcome: Outcome, cluster: MakeCluster, live: dict[str, str], field: str
    ) -> None:
        found = outcome(NEEDS_CONFIG, cluster(flux={"cluster-config": {**CONFIG, **live, "suspend": True}}))

        assert isinstance(found, Writes)
        assert found.refusal == f"`{field}` can only be set at creation; delete `cluster-config` to change it"

    def test_an_extension_cannot_move_to_another_namespace(self, outcome: Outcome, cluster: MakeCluster) -> None:
        require = "{extension: {extensionType: microsoft.flux, scope: {cluster: {releaseNamespace: gitops}}}}"

        found = outcome(require, cluster(extensions={"flux": FLUX}))

        assert isinstance(found, Writes)
        assert found.refusal == "`scope` can only be set at creation; delete `flux` to change it"

    @pytest.mark.parametrize("state", ["Creating", "Updating", "Deleting"])
    def test_what_is_still_moving_is_left_alone(self, outcome: Outcome, cluster: MakeCluster, state: str) -> None:
        live = {**FLUX, "provisioningState": state, "releaseTrain": "Preview"}

        found = outcome(NEEDS_FLUX, cluster(extensions={"flux": live}))

        assert reason_of(found) == f"`flux` is {state}; plan again when that has finished"


class TestFailed:
    @pytest.mark.parametrize("state", ["Failed", "Canceled"])
    def test_it_is_created_once_more_with_what_others_set(
        self, outcome: Outcome, cluster: MakeCluster, state: str
    ) -> None:
        live = {
            **FLUX,
            "provisioningState": state,
            "version": "1.19.5",
            "currentVersion": "1.19.5",
            "errorInfo": {"message": "no"},
            "configurationSettings": {"helm-controller.enabled": "true"},
            "configurationProtectedSettings": {"key": "<redacted>"},
        }

        method, name, body = request_of(outcome(NEEDS_FLUX, cluster(extensions={"gitops": live})))

        assert (method, name) == ("PUT", "gitops")
        assert body["identity"] == {"type": "SystemAssigned"}
        assert body["properties"] == {
            "extensionType": "microsoft.flux",
            "releaseTrain": "Stable",
            "autoUpgradeMinorVersion": True,
            "scope": {"cluster": {"releaseNamespace": "flux-system"}},
            "configurationSettings": {"helm-controller.enabled": "true"},
        }

    def test_secrets_are_sent_again(self, outcome: Outcome, cluster: MakeCluster) -> None:
        """The service forgets them within 48 hours. Source: G14, G42."""
        live = {**CONFIG, "provisioningState": "Failed", "configurationProtectedSettings": {"httpsKey": ""}}

        _, _, body = request_of(outcome(WITH_SECRET, cluster(flux={"cluster-config": live})))

        assert body["properties"]["configurationProtectedSettings"] == {"httpsKey": {"secretRef": {"env": "TOKEN"}}}
        assert body["properties"]["kustomizations"]["team"] == {"path": "./team"}

    def test_a_difference_is_patched_first(self, outcome: Outcome, cluster: MakeCluster) -> None:
        live = {**FLUX, "provisioningState": "Failed", "releaseTrain": "Preview"}

        assert request_of(outcome(NEEDS_FLUX, cluster(extensions={"flux": live})))[0] == "PATCH"


class TestNothingHelps:
    def test_flux_says_why_it_does_not_reconcile(self, outcome: Outcome, cluster: MakeCluster) -> None:
        failing = {"type": "Ready", "status": "False", "message": "dependency 'flux-system/infra' is not ready"}
        fine = {"type": "Ready", "status": "True", "message": "Applied revision: main/1"}
        live = {
            **CONFIG,
            "complianceState": "Non-Compliant",
            "statuses": [
                {"name": "cluster-config-infra", "statusConditions": [fine]},
                {"name": "cluster-config-apps", "statusConditions": [failing]},
            ],
        }

        found = outcome(NEEDS_CONFIG, cluster(flux={"cluster-config": live}))

        assert reason_of(found) == (
            "`cluster-config` is as declared; Flux reports Non-Compliant: "
            "cluster-config-apps: dependency 'flux-system/infra' is not ready"
        )

    def test_an_object_that_does_not_tell_its_state_is_not_sent_again(
        self, outcome: Outcome, cluster: MakeCluster
    ) -> None:
        live = {"extensionType": "microsoft.flux", "releaseTrain": "Stable"}

        found = outcome(NEEDS_FLUX, cluster(extensions={"flux": live}))

        assert reason_of(found) == "`flux` is as declared"


TEMPLATE = """
name: builtin
properties:
  policyRule:
    if: {field: type, like: Microsoft.*}
    then:
      effect: deployIfNotExists
      details:
        type: Microsoft.KubernetesConfiguration/extensions
        existenceCondition:
          allOf:
            - {field: Microsoft.KubernetesConfiguration/extensions/extensionType, equals: microsoft.flux}
            - {field: Microsoft.KubernetesConfiguration/extensions/releaseTrain, equals: Stable}
        deployment:
          properties:
            mode: incremental
            parameters: {cluster: {value: "[field('name')]"}, type: {value: "[field('type')]"}}
            template:
              parameters: {cluster: {type: string}, type: {type: string}}
              resources:
                - type: Microsoft.KubernetesConfiguration/extensions
                  apiVersion: 2023-05-01
                  name: flux
                  scope: "[concat(parameters('type'), '/', parameters('cluster'))]"
                  properties: {extensionType: microsoft.flux, autoUpgradeMinorVersion: true}
                - type: Microsoft.KubernetesConfiguration/fluxConfigurations
                  apiVersion: 2023-05-01
                  name: baseline
                  scope: "[concat(parameters('type'), '/', parameters('cluster'))]"
                  dependsOn: [flux]
                  properties: {gitRepository: {url: 'https://git.example/x'}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {name: builtin}
spec: {policy: builtin, scope: /providers/Microsoft.Management/managementGroups/root}
"""
BASELINE = {"provisioningState": "Succeeded", "gitRepository": {"url": "https://git.example/x"}}


class TestTemplate:
    def names(self, outcome: Writes | NothingToWrite) -> list[tuple[str, str]]:
        assert isinstance(outcome, Writes)
        return [(write.method, write.id.name) for write in outcome.writes]

    def test_what_is_absent_is_put(self, outcome: Outcome, cluster: MakeCluster) -> None:
        assert self.names(outcome(TEMPLATE, cluster())) == [("PUT", "flux"), ("PUT", "baseline")]

    def test_what_differs_is_replaced(self, outcome: Outcome, cluster: MakeCluster) -> None:
        live = {**FLUX, "autoUpgradeMinorVersion": False, "configurationSettings": {"a": "b"}}

        found = outcome(TEMPLATE, cluster(extensions={"flux": live}, flux={"baseline": BASELINE}))

        assert request_of(found) == (
            "PUT",
            "flux",
            {"properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True}},
        )

    def test_what_is_in_place_is_not_sent_again(self, outcome: Outcome, cluster: MakeCluster) -> None:
        assert self.names(outcome(TEMPLATE, cluster(extensions={"flux": FLUX}))) == [("PUT", "baseline")]

    def test_what_failed_is_put_again(self, outcome: Outcome, cluster: MakeCluster) -> None:
        failed = {**FLUX, "provisioningState": "Failed"}

        found = outcome(TEMPLATE, cluster(extensions={"flux": failed}, flux={"baseline": BASELINE}))

        assert self.names(found) == [("PUT", "flux")]

    def test_a_deployment_that_does_not_satisfy_itself_is_not_repeated(
        self, outcome: Outcome, cluster: MakeCluster
    ) -> None:
        preview = {**FLUX, "releaseTrain": "Preview"}

        found = outcome(TEMPLATE, cluster(extensions={"flux": preview}, flux={"baseline": BASELINE}))

        assert reason_of(found) == (
            "what it deploys is already in place and does not satisfy its own existence condition"
        )

    def test_what_is_still_moving_holds_up_the_rest(self, outcome: Outcome, cluster: MakeCluster) -> None:
        creating = {**FLUX, "provisioningState": "Creating"}

        found = outcome(TEMPLATE, cluster(extensions={"flux": creating}))

        assert reason_of(found) == "`flux` is Creating; plan again when that has finished"

    def test_a_deployment_may_create_nothing(self, outcome: Outcome, cluster: MakeCluster) -> None:
        never = TEMPLATE.replace("apiVersion: 2023-05-01", "condition: false\n                  apiVersion: 2023-05-01")

        assert reason_of(outcome(never, cluster())) == "its deployment creates nothing on this cluster"

    def test_a_template_that_reads_live_objects_is_an_error(self, outcome: Outcome, cluster: MakeCluster) -> None:
        live = TEMPLATE.replace("'https://git.example/x'", "\"[reference('x', '2023-05-01').url]\"")

        with pytest.raises(TemplateError, match="reference"):
            outcome(live, cluster())


VALUES = st.none() | st.booleans() | st.sampled_from(["", "main", "./apps"])
OBJECTS = st.recursive(
    st.dictionaries(st.sampled_from("abc"), VALUES, max_size=3),
    lambda inner: st.dictionaries(st.sampled_from("abc"), VALUES | inner, max_size=3),
    max_leaves=6,
)


def patched(live: Any, patch: Mapping[str, Any]) -> dict[str, Any]:
    """Source: RFC 7396, which the service's merge follows."""
    result = dict(live) if isinstance(live, Mapping) else {}
    for key, value in patch.items():
        if value is None:
            result.pop(key, None)
        else:
            result[key] = patched(result.get(key), value) if isinstance(value, Mapping) else value
    return result


@given(live=OBJECTS, declared=OBJECTS)
def test_a_difference_once_applied_is_none(live: dict[str, Any], declared: dict[str, Any]) -> None:
    after = patched(live, difference(live, declared))

    assert difference(after, declared) == {}


@given(live=OBJECTS, declared=OBJECTS)
def test_a_difference_touches_nothing_that_is_not_declared(live: dict[str, Any], declared: dict[str, Any]) -> None:
    after = patched(live, difference(live, declared))

    assert {key: after[key] for key in live if key not in declared} == {
        key: value for key, value in live.items() if key not in declared
    }
