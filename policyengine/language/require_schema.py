"""What the body under `require` may hold: the writable properties of extensions and Flux configurations.

Source: configuration API §2 and §3.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import Final, TypeAlias

from policyengine.expressions.compiled import is_expression
from policyengine.language.fields import one_of
from policyengine.language.problems import Problems
from policyengine.language.secrets import check_no_secret, check_protected_settings, refuse_secret
from policyengine.model.diagnostic import did_you_mean
from policyengine.text.nodes import Entry, MappingNode, Node, ScalarNode, SequenceNode, describe


class Kind(Enum):
    """What a value must be; the words are for messages."""

    TEXT = "text"
    BOOLEAN = "true or false"
    COUNT = "a whole number above zero"
    SCALAR = "text, a number, or true or false"
    TEXTS = "a list of texts"
    LIST = "a list"
    SECRET = "a secret"
    SECRETS = "a mapping of references to secrets"


@dataclass(frozen=True, slots=True)
class Choice:
    """One of a few words."""

    words: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Each:
    """A mapping from names the author chooses to values of one shape."""

    shape: Shape


Shape: TypeAlias = "Kind | Choice | Each | Mapping[str, Shape]"

_TIMES: Final[dict[str, Shape]] = {"timeoutInSeconds": Kind.COUNT, "syncIntervalInSeconds": Kind.COUNT}

EXTENSION: Final[Mapping[str, Shape]] = {
    "extensionType": Kind.TEXT,
    "autoUpgradeMode": Choice(("none", "patch", "compatible")),
    "autoUpgradeMinorVersion": Kind.BOOLEAN,
    "releaseTrain": Kind.TEXT,
    "version": Kind.TEXT,
    "scope": {"cluster": {"releaseNamespace": Kind.TEXT}, "namespace": {"targetNamespace": Kind.TEXT}},
    "configurationSettings": Each(Kind.SCALAR),
    "configurationProtectedSettings": Kind.SECRETS,
    "aksAssignedIdentity": {"type": Choice(("SystemAssigned", "UserAssigned", "Workload"))},
}

FLUX_CONFIGURATION: Final[Mapping[str, Shape]] = {
    "scope": Choice(("cluster", "namespace")),
    "namespace": Kind.TEXT,
    "sourceKind": Choice(("GitRepository", "Bucket", "AzureBlob", "OCIRepository")),
    "suspend": Kind.BOOLEAN,
    "waitForReconciliation": Kind.BOOLEAN,
    "reconciliationWaitDuration": Kind.TEXT,
    "gitRepository": {
        "url": Kind.TEXT,
        **_TIMES,
        "repositoryRef": {"branch": Kind.TEXT, "tag": Kind.TEXT, "semver": Kind.TEXT, "commit": Kind.TEXT},
        "sshKnownHosts": Kind.TEXT,
        "httpsUser": Kind.TEXT,
        "httpsCACert": Kind.TEXT,
        "localAuthRef": Kind.TEXT,
        "provider": Choice(("Azure", "GitHub", "Generic")),
    },
    "bucket": {
        "url": Kind.TEXT,
        "bucketName": Kind.TEXT,
        "insecure": Kind.BOOLEAN,
        **_TIMES,
        "accessKey": Kind.TEXT,
        "localAuthRef": Kind.TEXT,
    },
    "azureBlob": {
        "url": Kind.TEXT,
        "containerName": Kind.TEXT,
        **_TIMES,
        "servicePrincipal": {
            "clientId": Kind.TEXT,
            "tenantId": Kind.TEXT,
            "clientSecret": Kind.SECRET,
            "clientCertificate": Kind.SECRET,
            "clientCertificatePassword": Kind.SECRET,
            "clientCertificateSendChain": Kind.BOOLEAN,
        },
        "accountKey": Kind.SECRET,
        "sasToken": Kind.SECRET,
        "managedIdentity": {"clientId": Kind.TEXT},
        "localAuthRef": Kind.TEXT,
    },
    "ociRepository": {
        "url": Kind.TEXT,
        **_TIMES,
        "repositoryRef": {"tag": Kind.TEXT, "semver": Kind.TEXT, "digest": Kind.TEXT},
        "layerSelector": {"mediaType": Kind.TEXT, "operation": Choice(("extract", "copy"))},
        "verify": {"provider": Kind.TEXT, "verificationConfig": Each(Kind.TEXT), "matchOidcIdentity": Kind.LIST},
        "insecure": Kind.BOOLEAN,
        "useWorkloadIdentity": Kind.BOOLEAN,
        "serviceAccountName": Kind.TEXT,
        "tlsConfig": {
            "clientCertificate": Kind.SECRET,
            "privateKey": Kind.SECRET,
            "caCertificate": Kind.SECRET,
        },
        "localAuthRef": Kind.TEXT,
    },
    "kustomizations": Each(
        {
            "path": Kind.TEXT,
            "dependsOn": Kind.TEXTS,
            **_TIMES,
            "retryIntervalInSeconds": Kind.COUNT,
            "prune": Kind.BOOLEAN,
            "force": Kind.BOOLEAN,
            "wait": Kind.BOOLEAN,
            "postBuild": {"substitute": Each(Kind.TEXT), "substituteFrom": Kind.LIST},
        }
    ),
    "configurationProtectedSettings": Kind.SECRETS,
}


def conform(
    node: MappingNode, shape: Mapping[str, Shape], problems: Problems, *, beside: Iterable[str] = ()
) -> MappingNode:
    """The body with every key in its canonical spelling; whatever does not belong is reported and left out.

    ``beside`` names keys that may stand here as well and were read before.
    """
    return MappingNode(tuple(_conform_object(node, shape, problems, (*shape, *beside))), node.span)


def _conform_object(
    node: MappingNode, shape: Mapping[str, Shape], problems: Problems, known: Iterable[str]
) -> Iterator[Entry]:
    names = {name.casefold(): name for name in shape}
    seen: set[str] = set()
    for entry in node:
        name = names.get(entry.name.casefold(), "")
        if not name:
            message = f"`{entry.name}` is not a property that can be set here"
            problems.error("unknown-key", message, entry.key.span, did_you_mean(entry.name, known))
        elif name in seen:
            problems.error("duplicate-key", f"`{name}` is given twice", entry.key.span, "keep one of them")
        else:
            seen.add(name)
            yield _conform_entry(Entry(ScalarNode(name, entry.key.span), entry.value), shape[name], problems)


def _conform_entry(entry: Entry, shape: Shape, problems: Problems) -> Entry:
    """Null is allowed everywhere: it demands absence."""
    value = entry.value
    if isinstance(value, ScalarNode) and value.value is None:
        return entry
    if shape is not Kind.SECRETS and not check_no_secret(entry, problems):
        return Entry(entry.key, ScalarNode(None, value.span))
    if isinstance(shape, Mapping | Each):
        return _conform_mapping(entry, shape, problems)
    if isinstance(shape, Choice):
        _check_choice(entry, shape, problems)
    elif shape is Kind.SECRETS:
        check_protected_settings(entry, problems)
    elif shape is Kind.SECRET:
        refuse_secret(entry, problems)
    elif not _is_expression(value) and not _fits(value, shape):
        message = f"`{entry.name}` must be {shape.value}, got {describe(value)}"
        quotable = shape is Kind.TEXT and isinstance(value, ScalarNode)
        problems.error("wrong-type", message, entry.span, "put it in quotes" if quotable else None)
    return entry


def _conform_mapping(entry: Entry, shape: Each | Mapping[str, Shape], problems: Problems) -> Entry:
    value = entry.value
    if _is_expression(value):
        return entry
    if not isinstance(value, MappingNode):
        message = f"`{entry.name}` must be a mapping, got {describe(value)}"
        problems.error("wrong-type", message, entry.span)
        return Entry(entry.key, ScalarNode(None, value.span))
    if isinstance(shape, Each):
        entries = [_conform_entry(inner, shape.shape, problems) for inner in value if _is_fixed(inner, problems)]
        return Entry(entry.key, MappingNode(tuple(entries), value.span))
    return Entry(entry.key, conform(value, shape, problems))


def _is_fixed(entry: Entry, problems: Problems) -> bool:
    if is_expression(entry.name):
        help = "write the name out; expressions may stand in values only"
        problems.error("invalid-expression", "a key cannot be an expression here", entry.key.span, help)
        return False
    return True


def _is_expression(node: Node) -> bool:
    return isinstance(node, ScalarNode) and isinstance(node.value, str) and is_expression(node.value)


def _fits(node: Node, kind: Kind) -> bool:
    if isinstance(node, SequenceNode):
        return kind is Kind.LIST or (kind is Kind.TEXTS and all(_fits(item, Kind.TEXT) for item in node.items))
    if isinstance(node, MappingNode):
        return False
    value = node.value
    if kind is Kind.COUNT:
        return isinstance(value, int) and not isinstance(value, bool) and value > 0
    wanted = {Kind.TEXT: str, Kind.BOOLEAN: bool, Kind.SCALAR: str | int | float}.get(kind)
    return wanted is not None and isinstance(value, wanted)


def _check_choice(entry: Entry, choice: Choice, problems: Problems) -> None:
    value = entry.value
    if _is_expression(value):
        return
    text = value.value if isinstance(value, ScalarNode) else None
    if not isinstance(text, str):
        message = f"`{entry.name}` must be text, got {describe(value)}"
        problems.error("wrong-type", message, entry.span)
    elif text.casefold() not in {word.casefold() for word in choice.words}:
        help = did_you_mean(text, choice.words) or one_of(choice.words)
        problems.error("unknown-value", f"`{entry.name}` cannot be `{text}`", value.span, help)
