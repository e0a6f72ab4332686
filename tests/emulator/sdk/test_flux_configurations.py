"""`azure-mgmt-kubernetesconfiguration-fluxconfigurations`, as its users call it."""

from __future__ import annotations

from typing import Any

import pytest
from azure.core.exceptions import HttpResponseError
from azure.mgmt.kubernetesconfiguration.fluxconfigurations import KubernetesConfigurationFluxConfigurationsMgmtClient
from azure.mgmt.kubernetesconfiguration.fluxconfigurations.models import (
    AzureBlobDefinition,
    BucketDefinition,
    FluxComplianceState,
    FluxConfiguration,
    FluxConfigurationPatch,
    FluxConfigurationPatchProperties,
    FluxConfigurationProperties,
    GitRepositoryDefinition,
    GitRepositoryPatchDefinition,
    KustomizationDefinition,
    KustomizationPatchDefinition,
    LayerSelectorDefinition,
    ManagedIdentityDefinition,
    MatchOidcIdentityDefinition,
    OCIRepositoryDefinition,
    OCIRepositoryRefDefinition,
    OperationType,
    PostBuildDefinition,
    ProviderType,
    ProvisioningState,
    RepositoryRefDefinition,
    ScopeType,
    ServicePrincipalDefinition,
    SourceKindType,
    SubstituteFromDefinition,
    TlsConfigDefinition,
    VerifyDefinition,
)

from tests.emulator.sdk.conftest import ARC_CLUSTER, Azure, told

FluxClient = KubernetesConfigurationFluxConfigurationsMgmtClient
GIT = GitRepositoryDefinition(
    url="https://github.com/contoso/fleet", repository_ref=RepositoryRefDefinition(branch="main")
)


@pytest.fixture
def client(azure: Azure) -> FluxClient:
    return azure.client(KubernetesConfigurationFluxConfigurationsMgmtClient, azure.shops)


def configuration(**properties: Any) -> FluxConfiguration:
    return FluxConfiguration(properties=FluxConfigurationProperties(namespace="cluster-config", **properties))


def git(**properties: Any) -> FluxConfiguration:
    return configuration(git_repository=GIT, **properties)


def test_a_configuration_is_created_polled_listed_patched_and_deleted(azure: Azure, client: FluxClient) -> None:
    apps = {"infra": KustomizationDefinition(path="./infra"), "apps": KustomizationDefinition(depends_on=["infra"])}
    created = client.flux_configurations.begin_create_or_update(
        *ARC_CLUSTER, "fleet", git(kustomizations=apps, wait_for_reconciliation=True)
    ).result()

    assert created.properties is not None
    assert created.properties.provisioning_state is ProvisioningState.SUCCEEDED
    assert created.properties.compliance_state is FluxComplianceState.COMPLIANT
    assert (created.properties.source_synced_commit_id or "").startswith("main/")
    assert created.properties.status_updated_at is not None
    assert [c.name for c in client.flux_configurations.list(*ARC_CLUSTER)] == ["fleet"]

    patch = FluxConfigurationPatch(
        properties=FluxConfigurationPatchProperties(
            git_repository=GitRepositoryPatchDefinition(sync_interval_in_seconds=120),
            kustomizations={"apps": KustomizationPatchDefinition(prune=True), "more": KustomizationPatchDefinition()},
        )
    )
    patched = client.flux_configurations.begin_update(*ARC_CLUSTER, "fleet", patch).result()
    assert patched.properties is not None
    assert patched.properties.git_repository is not None
    assert patched.properties.git_repository.url == GIT.url
    assert patched.properties.git_repository.sync_interval_in_seconds == 120
    assert patched.properties.kustomizations is not None
    assert {name: k.prune for name, k in patched.properties.kustomizations.items()} == {
        "apps": True,
        "infra": False,
        "more": False,
    }
    assert patched.properties.kustomizations["apps"].depends_on == ["infra"]

    client.flux_configurations.begin_delete(*ARC_CLUSTER, "fleet").result()
    assert list(client.flux_configurations.list(*ARC_CLUSTER)) == []
    assert set(azure.waits) == {1}


def test_a_kustomization_sent_as_null_is_taken_away(client: FluxClient) -> None:
    both = {"apps": KustomizationDefinition(), "infra": KustomizationDefinition()}
    client.flux_configurations.begin_create_or_update(*ARC_CLUSTER, "fleet", git(kustomizations=both)).result()
    body: Any = {"properties": {"kustomizations": {"infra": None}}}
    patched = client.flux_configurations.begin_update(*ARC_CLUSTER, "fleet", body).result()
    assert patched.properties is not None
    assert list(patched.properties.kustomizations or {}) == ["apps"]


@pytest.mark.parametrize(
    "sent",
    [
        FluxConfigurationProperties(
            scope=ScopeType.NAMESPACE,
            source_kind=SourceKindType.GIT_REPOSITORY,
            suspend=True,
            git_repository=GitRepositoryDefinition(
                url="ssh://git@github.com/contoso/fleet",
                timeout_in_seconds=60,
                sync_interval_in_seconds=120,
                repository_ref=RepositoryRefDefinition(branch="main", commit="0123abc"),
                ssh_known_hosts="Z2l0aHVi",
                provider=ProviderType.GENERIC,
            ),
        ),
        FluxConfigurationProperties(
            source_kind=SourceKindType.GIT_REPOSITORY,
            git_repository=GitRepositoryDefinition(
                url="https://git.contoso.example/fleet",
                repository_ref=RepositoryRefDefinition(semver=">=1.0.0"),
                https_ca_cert="Y2VydA==",
                local_auth_ref="git-auth",
            ),
        ),
        FluxConfigurationProperties(
            source_kind=SourceKindType.BUCKET,
            bucket=BucketDefinition(
                url="https://minio.contoso.example",
                bucket_name="fleet",
                insecure=False,
                access_key="reader",
                timeout_in_seconds=60,
                sync_interval_in_seconds=120,
            ),
        ),
        FluxConfigurationProperties(
            source_kind=SourceKindType.AZURE_BLOB,
            azure_blob=AzureBlobDefinition(
                url="https://st.blob.core.windows.net",
                container_name="fleet",
                managed_identity=ManagedIdentityDefinition(client_id="00000000-0000-4000-8000-000000000009"),
            ),
        ),
        FluxConfigurationProperties(
            source_kind=SourceKindType.OCI_REPOSITORY,
            oci_repository=OCIRepositoryDefinition(
                url="oci://contoso.azurecr.io/fleet",
                repository_ref=OCIRepositoryRefDefinition(tag="1.0", semver=">=1", digest="sha256:0"),
                layer_selector=LayerSelectorDefinition(media_type="application/x", operation=OperationType.COPY),
                verify=VerifyDefinition(
                    provider="cosign",
                    verification_config={"key": "dmFsdWU="},
                    match_oidc_identity=[MatchOidcIdentityDefinition(issuer="^https://", subject=".*")],
                ),
                insecure=True,
                use_workload_identity=True,
                service_account_name="flux",
            ),
        ),
    ],
    ids=["git-ssh", "git-https", "bucket", "blob", "oci"],
)
def test_every_kind_of_source_is_read_back_as_it_was_sent(
    client: FluxClient, sent: FluxConfigurationProperties
) -> None:
    whole = KustomizationDefinition(
        path="./apps",
        depends_on=["infra"],
        timeout_in_seconds=60,
        sync_interval_in_seconds=90,
        retry_interval_in_seconds=30,
        prune=True,
        force=True,
        wait=False,
        post_build=PostBuildDefinition(
            substitute={"region": "north"},
            substitute_from=[SubstituteFromDefinition(kind="ConfigMap", name="vars", optional=True)],
        ),
    )
    sent.kustomizations = {"apps": whole, "infra": KustomizationDefinition(path="./infra")}
    client.flux_configurations.begin_create_or_update(
        *ARC_CLUSTER, "fleet", FluxConfiguration(properties=sent), polling=False
    )
    found = client.flux_configurations.get(*ARC_CLUSTER, "fleet")

    assert found.properties is not None
    assert missing(told(sent), told(found.properties)) == []
    assert found.properties.source_kind is SourceKindType(sent.source_kind or "")
    assert found.properties.kustomizations is not None
    assert found.properties.kustomizations["apps"].name == "apps"


def missing(sent: Any, found: Any, path: str = "") -> list[str]:
    """Paths at which ``found`` does not say what was sent; it may say more."""
    if isinstance(sent, dict) and isinstance(found, dict):
        return [deeper for name in sent for deeper in missing(sent[name], found.get(name), f"{path}.{name}")]
    return [] if sent == found else [f"{path}: {sent!r} became {found!r}"]


@pytest.mark.parametrize(
    ("properties", "secrets"),
    [
        (
            {"git_repository": GIT, "configuration_protected_settings": {"httpsKey": "aHVudGVyMg=="}},
            ["aHVudGVyMg=="],
        ),
        (
            {
                "source_kind": "AzureBlob",
                "azure_blob": AzureBlobDefinition(
                    url="https://st.blob.core.windows.net",
                    container_name="fleet",
                    service_principal=ServicePrincipalDefinition(
                        client_id="c", tenant_id="t", client_secret="hunter2", client_certificate="hunter3"
                    ),
                ),
            },
            ["hunter2", "hunter3"],
        ),
        (
            {
                "source_kind": "OCIRepository",
                "oci_repository": OCIRepositoryDefinition(
                    url="oci://contoso.azurecr.io/fleet", tls_config=TlsConfigDefinition(private_key="hunter4")
                ),
            },
            ["hunter4"],
        ),
    ],
    ids=["settings", "service-principal", "tls"],
)
def test_secrets_are_taken_and_never_told(client: FluxClient, properties: Any, secrets: list[str]) -> None:
    kustomizations = {"apps": KustomizationDefinition()}
    created = client.flux_configurations.begin_create_or_update(
        *ARC_CLUSTER, "fleet", configuration(kustomizations=kustomizations, **properties)
    ).result()
    assert created.properties is not None
    assert not created.properties.configuration_protected_settings
    assert not [secret for secret in secrets if secret in str(created.as_dict())]


def test_statuses_are_typed_down_to_their_conditions(azure: Azure, client: FluxClient) -> None:
    (broken, settled) = client.flux_configurations.list(*ARC_CLUSTER[:3], "cph-01")
    assert broken.properties is not None
    assert settled.properties is not None
    assert broken.properties.compliance_state is FluxComplianceState.NON_COMPLIANT
    assert settled.properties.compliance_state is FluxComplianceState.COMPLIANT
    source = next(s for s in broken.properties.statuses or () if s.kind == "GitRepository")
    assert source.compliance_state is FluxComplianceState.NON_COMPLIANT
    condition = next(c for c in source.status_conditions or () if c.type == "Ready")
    assert (condition.status, condition.reason) == ("False", "GitOperationFailed")
    assert condition.last_transition_time is not None
    assert (azure.wall.now() - condition.last_transition_time).days == 9


def test_what_the_service_refuses_is_raised_with_its_code(client: FluxClient) -> None:
    with pytest.raises(HttpResponseError, match="Invalid source kind match") as raised:
        client.flux_configurations.begin_create_or_update(*ARC_CLUSTER, "fleet", configuration(source_kind="Bucket"))
    assert raised.value.status_code == 400
    assert raised.value.error is not None
    assert raised.value.error.code == "ValidationFailed"


def test_force_deletion_is_asked_by_a_flag_and_false_is_none(azure: Azure, client: FluxClient) -> None:
    for name, force in (("fleet", False), ("other", True)):
        client.flux_configurations.begin_create_or_update(
            *ARC_CLUSTER, name, git(kustomizations={"apps": KustomizationDefinition()})
        ).result()
        azure.waits.clear()
        client.flux_configurations.begin_delete(*ARC_CLUSTER, name, force_delete=force).result()
        assert bool(azure.waits) is not force
    assert list(client.flux_configurations.list(*ARC_CLUSTER)) == []
