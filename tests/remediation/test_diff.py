from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS, ResourceWrite
from policyengine.remediation.diff import MASK, changes, differences, has_secrets, holds, writable_fingerprint
from policyengine.remediation.steps import FieldChange

CLUSTER = ResourceId("/subscriptions/s/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c")
FLUX = CLUSTER.extension(EXTENSIONS, "flux")
CONFIG = CLUSTER.extension(FLUX_CONFIGURATIONS, "apps")
SECRET = {"secretRef": {"env": "TOKEN"}}


def extension(**properties: Any) -> dict[str, Any]:
    """An extension as the service returns it."""
    return {
        "id": FLUX.text,
        "name": "flux",
        "type": EXTENSIONS,
        "systemData": {"lastModifiedAt": "2026-11-22T20:00:00Z"},
        "identity": {"type": "SystemAssigned", "principalId": "p", "tenantId": "t"},
        "properties": {
            "extensionType": "microsoft.flux",
            "autoUpgradeMinorVersion": True,
            "releaseTrain": "Stable",
            "version": "1.19.5",
            "currentVersion": "1.19.5",
            "scope": {"cluster": {"releaseNamespace": "flux-system"}},
            "configurationSettings": {"helm-controller.enabled": "true"},
            "configurationProtectedSettings": {},
            "provisioningState": "Succeeded",
            "statuses": [],
            **properties,
        },
    }


def configuration(**properties: Any) -> dict[str, Any]:
    return {
        "id": CONFIG.text,
        "properties": {
            "scope": "cluster",
            "namespace": "default",
            "sourceKind": "GitRepository",
            "suspend": False,
            "gitRepository": {
                "url": "https://git.example/a",
                "timeoutInSeconds": 600,
                "repositoryRef": {"branch": "main", "tag": None},
            },
            "kustomizations": {"infra": {"name": "infra", "path": "./infra", "prune": True, "dependsOn": None}},
            "complianceState": "Compliant",
            "statuses": [{"name": "apps"}],
            **properties,
        },
    }


def wanted(**properties: Any) -> dict[str, Any]:
    return {"properties": properties}


def write(id: ResourceId, method: str = "PUT", /, **properties: Any) -> ResourceWrite:
    return ResourceWrite(id, "2024-11-01", wanted(**properties), method)


class TestFingerprint:
    def test_what_is_not_there_has_none(self) -> None:
        assert writable_fingerprint(None, EXTENSIONS) is None

    @pytest.mark.parametrize(
        "progress",
        [
            {"provisioningState": "Updating"},
            {"statuses": [{"code": "Installed"}]},
            {"currentVersion": "1.20.0", "version": "1.20.0"},
            {"errorInfo": {"code": "x"}},
            {"configurationProtectedSettings": {"k": ""}},
            {"aksAssignedIdentity": None},
        ],
    )
    def test_it_stays_while_the_service_reports_progress(self, progress: dict[str, Any]) -> None:
        assert writable_fingerprint(extension(**progress), EXTENSIONS) == writable_fingerprint(extension(), EXTENSIONS)

    @pytest.mark.parametrize(
        "change",
        [
            {"releaseTrain": "Preview"},
            {"autoUpgradeMinorVersion": False},
            {"configurationSettings": {"helm-controller.enabled": "false"}},
            {"configurationSettings": {}},
        ],
    )
    def test_it_changes_with_what_users_write(self, change: dict[str, Any]) -> None:
        assert writable_fingerprint(extension(**change), EXTENSIONS) != writable_fingerprint(extension(), EXTENSIONS)

    def test_a_pinned_version_counts(self) -> None:
        one, other = (extension(autoUpgradeMinorVersion=False, version=version) for version in ("1.8.2", "1.8.3"))

        assert writable_fingerprint(one, EXTENSIONS) != writable_fingerprint(other, EXTENSIONS)

    def test_spelling_does_not_count(self) -> None:
        live = extension()
        other = {"ID": live["id"].upper(), "Properties": {k.upper(): v for k, v in live["properties"].items()}}
        other["identity"] = {"type": "systemassigned", "principalId": "another"}

        assert writable_fingerprint(other, EXTENSIONS.lower()) == writable_fingerprint(live, EXTENSIONS)

    def test_a_configuration_is_not_changed_by_its_agent(self) -> None:
        reported = configuration(complianceState="Pending", statuses=[], statusUpdatedAt="2026-11-22T20:00:00Z")
        suspended = configuration(suspend=True)

        before = writable_fingerprint(configuration(), FLUX_CONFIGURATIONS)
        assert writable_fingerprint(reported, FLUX_CONFIGURATIONS) == before
        assert writable_fingerprint(suspended, FLUX_CONFIGURATIONS) != before


class TestHolds:
    def test_nothing_holds_nothing(self) -> None:
        assert not holds(None, wanted())

    @pytest.mark.parametrize(
        "properties",
        [
            {},
            {"extensionType": "Microsoft.Flux"},
            {"EXTENSIONTYPE": "microsoft.flux", "scope": {"Cluster": {"releaseNamespace": "flux-system"}}},
            {"configurationSettings": {"helm-controller.enabled": True}},
            {"configurationProtectedSettings": {"key": SECRET}},
            {"version": None},
            {"version": ""},
            {"customLocationSettings": "read-only", "provisioningState": "Creating"},
            {"plan": None, "configurationSettings": {}},
            {"configurationSettings": {"other": None}},
        ],
    )
    def test_the_service_may_spell_store_and_add(self, properties: dict[str, Any]) -> None:
        assert holds(extension(), wanted(**properties))

    @pytest.mark.parametrize(
        "properties",
        [
            {"releaseTrain": "Preview"},
            {"autoUpgradeMinorVersion": False},
            {"configurationSettings": {"helm-controller.enabled": False}},
            {"configurationSettings": {"missing": "x"}},
            {"scope": {"namespace": {"targetNamespace": "n"}}},
            {"releaseTrain": None},
        ],
    )
    def test_a_declared_field_that_differs_is_found(self, properties: dict[str, Any]) -> None:
        assert not holds(extension(), wanted(**properties))

    def test_location_and_tags_are_dropped_by_the_service(self) -> None:
        assert holds(extension(), {"location": "westeurope", "tags": {"a": "b"}, **wanted()})

    def test_an_identity_counts_only_where_one_is_kept(self) -> None:
        body = {"identity": {"type": "SystemAssigned"}, **wanted()}
        on_aks = {key: value for key, value in extension().items() if key != "identity"}

        assert holds(extension(), body)
        assert holds(on_aks, body)
        assert not holds({**extension(), "identity": {"type": "None"}}, body)

    def test_numbers_are_numbers_however_written(self) -> None:
        assert holds(configuration(), wanted(gitRepository={"timeoutInSeconds": 600.0}))
        assert holds(configuration(), wanted(gitRepository={"timeoutInSeconds": "600"}))
        assert not holds(configuration(), wanted(gitRepository={"timeoutInSeconds": 601}))

    def test_kustomizations_hold_by_key(self) -> None:
        assert holds(configuration(), wanted(kustomizations={"infra": {"path": "./infra", "dependsOn": []}}))
        assert not holds(configuration(), wanted(kustomizations={"apps": {"path": "./apps"}}))
        assert not holds(configuration(), wanted(kustomizations={"infra": None}))

    def test_the_order_of_dependencies_counts(self) -> None:
        live = configuration(kustomizations={"apps": {"dependsOn": ["a", "b"]}})

        assert holds(live, wanted(kustomizations={"apps": {"dependsOn": ["a", "b"]}}))
        assert not holds(live, wanted(kustomizations={"apps": {"dependsOn": ["b", "a"]}}))

    def test_an_empty_reference_means_absent(self) -> None:
        reference = {"branch": "main", "tag": None, "semver": "", "commit": None}

        assert holds(configuration(), wanted(gitRepository={"repositoryRef": reference}))


class TestChanges:
    def test_a_creation_lists_every_declared_field(self) -> None:
        made = changes(None, write(FLUX, extensionType="microsoft.flux", configurationSettings={"a": True, "b": None}))

        assert made == (
            FieldChange("properties.extensionType", None, "microsoft.flux"),
            FieldChange("properties.configurationSettings.a", None, True),
        )

    def test_an_update_lists_only_what_differs(self) -> None:
        made = changes(
            configuration(),
            write(CONFIG, "PATCH", scope="Cluster", gitRepository={"repositoryRef": {"branch": "release"}}),
        )

        assert made == (FieldChange("properties.gitRepository.repositoryRef.branch", "main", "release"),)

    def test_secrets_are_always_written_and_never_shown(self) -> None:
        body: dict[str, Any] = {
            "configurationProtectedSettings": {"httpsKey": SECRET},
            "azureBlob": {"accountKey": SECRET},
        }
        live = configuration(configurationProtectedSettings={"httpsKey": ""})

        assert changes(None, write(CONFIG, **body)) == (
            FieldChange("properties.configurationProtectedSettings.httpsKey", None, MASK),
            FieldChange("properties.azureBlob.accountKey", None, MASK),
        )
        assert changes(live, write(CONFIG, "PATCH", **body))[0] == FieldChange(
            "properties.configurationProtectedSettings.httpsKey", MASK, MASK
        )

    def test_a_put_tells_what_it_resets(self) -> None:
        infra = {"path": "./i", "prune": True, "wait": True, "dependsOn": ["base"]}
        live = configuration(
            suspend=True,
            gitRepository={"url": "https://git.example/x", "httpsUser": "reader", "timeoutInSeconds": 600},
            kustomizations={"infra": infra, "old": {"path": "./o"}},
        )
        body = {"kustomizations": {"infra": {"path": "./i"}}, "gitRepository": {"url": "https://git.example/x"}}

        assert set(map(told, changes(live, write(CONFIG, **body)))) == {
            ("properties.suspend", "True", "False"),
            ("properties.gitRepository.httpsUser", "reader", "None"),
            ("properties.kustomizations.infra.prune", "True", "False"),
            ("properties.kustomizations.infra.dependsOn", "['base']", "None"),
            ("properties.kustomizations.old", "{'path': './o'}", "None"),
        }
        assert changes(live, write(CONFIG, "PATCH", **body)) == ()

    def test_a_put_of_settings_tells_which_ones_go(self) -> None:
        made = changes(extension(releaseTrain="Preview"), write(FLUX, configurationSettings={"x": "1"}))

        assert set(made) == {
            FieldChange("properties.configurationSettings.x", None, "1"),
            FieldChange("properties.configurationSettings.helm-controller.enabled", "true", None),
            FieldChange("properties.releaseTrain", "Preview", "Stable"),
        }

    def test_a_secret_inside_a_shown_object_is_masked(self) -> None:
        live = configuration(kustomizations={"old": {"postBuild": {"privateKey": "value"}}})

        assert "value" not in str(changes(live, write(CONFIG)))


def told(change: FieldChange) -> tuple[str, str, str]:
    return change.path, str(change.old), str(change.new)


def test_a_body_with_something_that_cannot_be_read_back_is_known() -> None:
    assert has_secrets(wanted(configurationProtectedSettings={"k": SECRET}))
    assert has_secrets(wanted(azureBlob={"sasToken": SECRET}))
    assert not has_secrets(wanted(configurationProtectedSettings={}))
    assert not has_secrets(wanted(gitRepository={"url": "https://x"}))


VALUES = st.recursive(
    st.none() | st.booleans() | st.integers(-5, 5) | st.text("ab", max_size=2),
    lambda inner: (
        st.dictionaries(st.sampled_from(["a", "b", "path", "scope"]), inner, max_size=3)
        | st.lists(st.text("ab", max_size=2), max_size=2)
    ),
    max_leaves=8,
)
PROPERTIES = st.dictionaries(st.sampled_from(["url", "kustomizations", "suspend", "x"]), VALUES, max_size=4)


@given(PROPERTIES)
def test_a_document_holds_what_was_written_into_it(properties: dict[str, Any]) -> None:
    live = {"id": CONFIG.text, "properties": properties}

    assert holds(live, wanted(**properties))
    assert changes(live, ResourceWrite(CONFIG, "v", wanted(**properties), "PATCH")) == ()


@given(PROPERTIES, PROPERTIES)
def test_holding_and_differing_are_opposites(live: dict[str, Any], body: dict[str, Any]) -> None:
    document = {"id": CONFIG.text, "properties": live}

    assert holds(document, wanted(**body)) == (not differences(document, wanted(**body)))
