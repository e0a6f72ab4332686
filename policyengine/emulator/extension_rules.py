"""What an extension may say: shape, defaults, and what the configuration service refuses.

Source: configuration API, "Extensions" and "Errors"; GitOps behaviour G3, G4.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping
from typing import Final

from policyengine.emulator.answers import Refusal, validation_failed
from policyengine.emulator.shapes import flag, obj, text, text_map
from policyengine.emulator.state import FLUX_EXTENSION, EmulatedCluster
from policyengine.model.resource import EXTENSIONS
from policyengine.model.values import JSON

PROPERTIES: Final = obj(
    extensionType=text(),
    autoUpgradeMode=text("compatible", words=("none", "patch", "compatible")),
    autoUpgradeMinorVersion=flag(True),
    releaseTrain=text("Stable"),
    version=text(None),
    scope=obj(cluster=obj(releaseNamespace=text()), namespace=obj(targetNamespace=text())),
    configurationSettings=text_map({}),
    configurationProtectedSettings=text_map(secret=True),
    aksAssignedIdentity=obj(
        principalId=text(),
        tenantId=text(),
        type=text("SystemAssigned", words=("SystemAssigned", "UserAssigned", "Workload")),
        objectId=text(),
        clientId=text(),
        resourceId=text(),
        url=text(),
    ),
)
ENVELOPE: Final = obj(
    identity=obj(type=text(words=("SystemAssigned", "None"))),
    plan=obj(name=text(), publisher=text(), product=text(), promotionCode=text(), version=text()),
    managedBy=text(),
)
"""What a body says beside its properties."""
PATCHABLE: Final = frozenset(
    {
        "autoUpgradeMode",
        "autoUpgradeMinorVersion",
        "releaseTrain",
        "version",
        "configurationSettings",
        "configurationProtectedSettings",
    }
)
"""A PATCH of anything else is not heard."""
BLANK_STATUS: Final[Mapping[str, JSON]] = {
    "currentVersion": None,
    "provisioningState": "Creating",
    "statuses": [],
    "errorInfo": None,
    "customLocationSettings": None,
    "packageUri": None,
    "extensionState": None,
    "isSystemExtension": False,
}
"""What only the service writes, of a resource nobody has acted on yet."""
DEFAULT_NAMESPACES: Final[Mapping[str, str]] = {
    FLUX_EXTENSION: "flux-system",
    "microsoft.azuredefender.kubernetes": "mdc",
    "microsoft.azuremonitor.containers": "azuremonitor-containers",
    "microsoft.policyinsights": "kube-system",
}
"""Release namespace of the types we know; any other is released into a namespace of its own name."""

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9\-._]{0,62}")
_PINNED_AND_AUTO: Final = "2023-05-01"
"""The api-version from which a version together with auto-upgrade is refused; before, the version is ignored."""


def check_name(name: str) -> None:
    if not _NAME.fullmatch(name):
        raise validation_failed(f"The extension name '{name}' is invalid: it must match '{_NAME.pattern}'.")


def check_known(extension_type: str, known: Collection[str]) -> None:
    if extension_type.casefold() not in known:
        raise validation_failed(
            f"The extension type '{extension_type}' is not known.", target="properties.extensionType"
        )


def check_plan(plan: Mapping[str, JSON]) -> None:
    """A marketplace plan is named in full. Source: the API description, `Plan`."""
    for name in ("name", "publisher", "product"):
        if not plan.get(name):
            raise validation_failed(f"The property 'plan.{name}' is required.", target=f"plan.{name}")


def normalise(properties: dict[str, JSON], api_version: str) -> dict[str, JSON]:
    """Completed properties made consistent, or a Refusal."""
    extension_type = str(properties.get("extensionType") or "").strip()
    if not extension_type:
        raise validation_failed("The property 'extensionType' is required.", target="properties.extensionType")
    properties["version"] = properties["version"] or None
    properties["scope"] = _scope(extension_type, properties.get("scope"))
    if properties["version"] and properties["autoUpgradeMinorVersion"]:
        if api_version >= _PINNED_AND_AUTO:
            raise validation_failed(
                "The property 'version' cannot be set when 'autoUpgradeMinorVersion' is true. "
                "Set 'autoUpgradeMinorVersion' to false to pin a version.",
                target="properties.version",
            )
        properties["version"] = None
    return properties


def keep_create_only(old: Mapping[str, JSON], new: dict[str, JSON], *, refuse: bool) -> dict[str, JSON]:
    """What was left out keeps the stored value; what differs from it is refused, or not heard."""
    for name in ("extensionType", "scope"):
        asked = new.get(name)
        if refuse and asked is not None and _folded(asked) != _folded(old[name]):
            raise validation_failed(
                f"The property '{name}' cannot be changed after creation.", target=f"properties.{name}"
            )
        new[name] = old[name]
    return new


def check_single_instance(cluster: EmulatedCluster, name: str, spec: Mapping[str, JSON], status: int) -> None:
    """One instance of a type per cluster (G4); of a type that is installed in namespaces, one in each."""
    extension_type, place = str(spec["extensionType"]), spec["scope"].get("namespace")
    for other in cluster.of_type(EXTENSIONS):
        same = other.name.casefold() != name.casefold() and other.extension_type == extension_type.casefold()
        apart = place is not None and other.spec["scope"].get("namespace") not in (None, place)
        if same and not apart:
            raise Refusal(
                status,
                "Conflict" if status == 409 else "ValidationFailed",
                f"Extension type '{extension_type}' does not allow multiple instances on a cluster: "
                f"'{other.name}' is already an instance of it.",
                cause="service",
            )


def release_namespace(properties: Mapping[str, JSON]) -> str:
    scope = properties["scope"]
    if "cluster" in scope:
        return str(scope["cluster"]["releaseNamespace"])
    return str(scope["namespace"]["targetNamespace"])


def _scope(extension_type: str, scope: JSON) -> dict[str, JSON]:
    asked = {kind: value for kind, value in (scope or {}).items() if value is not None}
    if len(asked) == 2:
        raise validation_failed(
            "The scope can be either 'cluster' or 'namespace', not both.", target="properties.scope"
        )
    if "namespace" in asked:
        return _namespace_scope(extension_type, asked["namespace"])
    default = DEFAULT_NAMESPACES.get(extension_type.casefold(), extension_type.casefold().replace(".", "-"))
    return {"cluster": {"releaseNamespace": (asked.get("cluster") or {}).get("releaseNamespace") or default}}


def _namespace_scope(extension_type: str, scope: Mapping[str, JSON]) -> dict[str, JSON]:
    if extension_type.casefold() == FLUX_EXTENSION:
        raise validation_failed(
            f"The extension type '{FLUX_EXTENSION}' supports only cluster scope.", target="properties.scope"
        )
    if not scope.get("targetNamespace"):
        raise validation_failed("A namespace scope needs 'targetNamespace'.", target="properties.scope.namespace")
    return {"namespace": {"targetNamespace": scope["targetNamespace"]}}


def _folded(value: JSON) -> JSON:
    if isinstance(value, Mapping):
        return {name: _folded(member) for name, member in value.items() if member is not None}
    return value.casefold() if isinstance(value, str) else value
