"""What a Flux configuration may say: shape, defaults, and what the configuration service refuses.

Source: configuration API, "fluxConfigurations" and the validation rules under "Errors".
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policyengine.emulator.answers import validation_failed
from policyengine.emulator.durations import parse_iso_duration
from policyengine.emulator.kustomization_rules import DNS_NAME, check_kustomizations
from policyengine.emulator.shapes import anything, flag, list_of, map_of, number, obj, text, text_map, texts
from policyengine.model.values import JSON

_GIT: Final = obj(
    url=text(),
    timeoutInSeconds=number(600),
    syncIntervalInSeconds=number(600),
    repositoryRef=obj(branch=text(None), tag=text(None), semver=text(None), commit=text(None)),
    sshKnownHosts=text(),
    httpsUser=text(),
    httpsCACert=text(),
    localAuthRef=text(),
    provider=text(words=("Azure", "GitHub", "Generic")),
    objectLevelIdentity=anything(),
    sparseCheckout=anything(),
    additionalConfigurations=anything(),
)
_BUCKET: Final = obj(
    url=text(),
    bucketName=text(),
    insecure=flag(True),
    timeoutInSeconds=number(600),
    syncIntervalInSeconds=number(600),
    accessKey=text(),
    localAuthRef=text(),
)
_AZURE_BLOB: Final = obj(
    url=text(),
    containerName=text(),
    timeoutInSeconds=number(600),
    syncIntervalInSeconds=number(600),
    servicePrincipal=obj(
        clientId=text(),
        tenantId=text(),
        clientSecret=text(secret=True),
        clientCertificate=text(secret=True),
        clientCertificatePassword=text(secret=True),
        clientCertificateSendChain=flag(False),
    ),
    accountKey=text(secret=True),
    sasToken=text(secret=True),
    managedIdentity=obj(clientId=text()),
    localAuthRef=text(),
)
_OCI: Final = obj(
    url=text(),
    timeoutInSeconds=number(600),
    syncIntervalInSeconds=number(600),
    repositoryRef=obj(tag=text(), semver=text(), digest=text()),
    layerSelector=obj(mediaType=text(), operation=text(words=("extract", "copy"))),
    verify=obj(
        provider=text(),
        verificationConfig=text_map(),
        matchOidcIdentity=list_of(obj(issuer=text(), subject=text())),
    ),
    insecure=flag(False),
    useWorkloadIdentity=flag(False),
    serviceAccountName=text(),
    tlsConfig=obj(
        clientCertificate=text(secret=True),
        privateKey=text(secret=True),
        caCertificate=text(secret=True),
    ),
    localAuthRef=text(),
)
_KUSTOMIZATION: Final = obj(
    path=text(""),
    dependsOn=texts(None),
    timeoutInSeconds=number(600),
    syncIntervalInSeconds=number(600),
    retryIntervalInSeconds=number(None),
    prune=flag(False),
    force=flag(False),
    wait=flag(True),
    postBuild=obj(
        substitute=text_map(),
        substituteFrom=list_of(obj(kind=text(), name=text(), optional=flag(False))),
    ),
    additionalConfigurations=anything(),
    kubeConfig=anything(),
)
PROPERTIES: Final = obj(
    scope=text("cluster", words=("cluster", "namespace")),
    namespace=text("default"),
    sourceKind=text("GitRepository", words=("GitRepository", "Bucket", "AzureBlob", "OCIRepository")),
    suspend=flag(False),
    gitRepository=_GIT,
    bucket=_BUCKET,
    azureBlob=_AZURE_BLOB,
    ociRepository=_OCI,
    kustomizations=map_of(_KUSTOMIZATION),
    configurationProtectedSettings=text_map(secret=True),
    waitForReconciliation=flag(None),
    reconciliationWaitDuration=text(None),
)
BLANK_STATUS: Final[Mapping[str, JSON]] = {
    "statuses": [],
    "repositoryPublicKey": "",
    "sourceSyncedCommitId": "",
    "sourceUpdatedAt": None,
    "statusUpdatedAt": None,
    "complianceState": "Pending",
    "provisioningState": "Creating",
    "errorMessage": "",
}
"""What only the service writes, of a configuration no agent has seen yet."""
CREATE_ONLY: Final = ("scope", "namespace")


@dataclass(frozen=True, slots=True)
class SourceKind:
    """``member`` is the property that must be there; ``object_kind`` the Kubernetes kind made from it."""

    member: str
    object_kind: str
    required: tuple[str, ...]
    schemes: tuple[str, ...]


SOURCE_KINDS: Final[Mapping[str, SourceKind]] = {
    "GitRepository": SourceKind("gitRepository", "GitRepository", ("url",), ("http://", "https://", "ssh://", "git@")),
    "Bucket": SourceKind("bucket", "Bucket", ("url", "bucketName"), ("http://", "https://")),
    "AzureBlob": SourceKind("azureBlob", "Bucket", ("url", "containerName"), ("http://", "https://")),
    "OCIRepository": SourceKind("ociRepository", "OCIRepository", ("url",), ("oci://",)),
}

_NAMESPACE: Final = re.compile(r"[a-z0-9.\-]{1,253}")
_BLOB_AUTHENTICATION: Final = ("servicePrincipal", "accountKey", "sasToken", "managedIdentity", "localAuthRef")


def check_name(name: str) -> None:
    if len(name) > 63 or not DNS_NAME.fullmatch(name):
        raise validation_failed(
            f"The configuration name '{name}' is invalid: at most 63 lower-case letters, digits, '-' and '.', "
            "beginning and ending with a letter or a digit."
        )


def check(
    name: str,
    properties: Mapping[str, JSON],
    secrets: Mapping[str, JSON],
    secret_keys: Sequence[str],
    taken_away: Collection[str] | None = (),
) -> None:
    """Refuses what the service would. ``secret_keys`` are those a former request brought.

    ``taken_away`` are kustomizations that were there before: others may still say that they depend on them (G25).
    With None they may depend on whatever they like.
    """
    if not _NAMESPACE.fullmatch(properties["namespace"]):
        raise validation_failed(f"The namespace '{properties['namespace']}' is invalid.", target="properties.namespace")
    source = _check_source(properties)
    keys = {*secret_keys, *(secrets.get("configurationProtectedSettings") or {})}
    if properties["sourceKind"] == "GitRepository":
        _check_git_credentials(source, keys)
    if properties["sourceKind"] == "AzureBlob":
        _check_blob_credentials(source, secrets)
    check_kustomizations(name, properties.get("kustomizations") or {}, taken_away)
    _check_wait(properties.get("reconciliationWaitDuration"))


def keep_create_only(old: Mapping[str, JSON], new: Mapping[str, JSON], *, refuse: bool) -> dict[str, JSON]:
    """What is set at creation stays as stored; what differs from it is refused, or not heard."""
    for name in CREATE_ONLY:
        if refuse and name in new and new[name] is not None and new[name] != old[name]:
            raise validation_failed(
                f"The property '{name}' cannot be changed after creation.", target=f"properties.{name}"
            )
    return {**new, **{name: old[name] for name in CREATE_ONLY}}


def named(kustomizations: Mapping[str, JSON] | None) -> dict[str, JSON]:
    """Each kustomization with its read-only name, the key."""
    return {key: {"name": key, **said} for key, said in (kustomizations or {}).items()}


def source_of(properties: Mapping[str, JSON]) -> tuple[SourceKind, Mapping[str, JSON]]:
    kind = SOURCE_KINDS[properties["sourceKind"]]
    return kind, properties.get(kind.member) or {}


def _check_source(properties: Mapping[str, JSON]) -> Mapping[str, JSON]:
    kind, source = source_of(properties)
    if not source:
        raise validation_failed(
            f"Invalid source kind match. Config with specified source kind '{properties['sourceKind']}' "
            "must contain corresponding body specified in the properties."
        )
    for name in kind.required:
        if not source.get(name):
            raise validation_failed(
                f"The property '{kind.member}.{name}' is required.", target=f"properties.{kind.member}"
            )
    if not str(source["url"]).casefold().startswith(kind.schemes):
        raise validation_failed(
            f"The url '{source['url']}' is invalid: it must begin with one of {', '.join(kind.schemes)}.",
            target=f"properties.{kind.member}.url",
        )
    return source


def is_ssh(url: str) -> bool:
    return url.casefold().startswith(("ssh://", "git@"))


def _check_git_credentials(source: Mapping[str, JSON], keys: set[str]) -> None:
    ssh = is_ssh(str(source["url"]))
    folded = {key.casefold() for key in keys}
    if not ssh and (source.get("sshKnownHosts") or "sshprivatekey" in folded):
        raise validation_failed("'sshKnownHosts' and 'sshPrivateKey' can only be used with an ssh url.")
    if source.get("httpsUser") and (ssh or "httpskey" not in folded):
        raise validation_failed("'httpsUser' needs an http(s) url and 'httpsKey' in the protected settings.")


def _check_blob_credentials(source: Mapping[str, JSON], secrets: Mapping[str, JSON]) -> None:
    methods = [m for m in _BLOB_AUTHENTICATION if source.get(m) or f"azureBlob.{m}" in secrets]
    if len(methods) > 1:
        raise validation_failed(f"Only one authentication method may be given, got {', '.join(methods)}.")


def _check_wait(duration: str | None) -> None:
    try:
        if duration is not None:
            parse_iso_duration(duration)
    except ValueError:
        raise validation_failed(
            f"'{duration}' is not an ISO 8601 duration.", target="properties.reconciliationWaitDuration"
        ) from None
