"""What the service makes of the documents it is given, type by type: the table behind every comparison.

It adds states and statuses, fills in defaults, stores settings as text, keeps secrets to itself, does not
mind the case of keys, and makes no difference between absent, null and empty. Pure.
Source: configuration API §2 and §3.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.values import JSON, get_folded, is_array, walk
from policyengine.remediation.deployments import DEPLOYMENTS

ENVELOPE: Final = frozenset({"id", "name", "type", "apiversion", "systemdata", "etag"})
"""Members (folded) of every document that nobody writes."""

SECRET_NAMES: Final = frozenset(
    {
        *("configurationprotectedsettings", "accountkey", "sastoken", "clientsecret", "clientcertificate"),
        *("clientcertificatepassword", "privatekey"),
    }
)
"""Properties (folded) that are written and never read back."""

_ITEM_STATES: Final = frozenset(
    {"provisioningstate", "powerstate", "currentorchestratorversion", "nodeimageversion", "etag", "status"}
)
_SETTINGS: Final = frozenset({"configurationsettings", "substitute"})
_CASELESS: Final = frozenset(
    {
        *("extensiontype", "releasetrain", "autoupgrademode", "scope", "sourcekind", "provider", "operation"),
        "type",
    }
)


@dataclass(frozen=True, slots=True)
class Habits:
    """What the service does with one resource type. Names are folded, except those of ``defaults``."""

    read_only: frozenset[str]  # under `properties`
    ignored: frozenset[str] = frozenset()  # beside `properties`: accepted and dropped
    defaults: Mapping[str, JSON] | None = None  # under `properties`: what a PUT that leaves it out brings back
    leaf_defaults: Mapping[str, JSON] = field(default_factory=dict)  # the same anywhere below, by folded name
    maps: frozenset[str] = frozenset()  # under `properties`: keys are the user's own, a PUT replaces them all
    create_only: frozenset[str] = frozenset()  # under `properties`: never changed afterwards


HABITS: Final[Mapping[str, Habits]] = {
    EXTENSIONS.casefold(): Habits(
        read_only=frozenset(
            {
                *("currentversion", "provisioningstate", "statuses", "errorinfo", "customlocationsettings"),
                *("packageuri", "extensionstate", "issystemextension", "managementdetails", "additionaldetails"),
            }
        ),
        # Azure's own Strimzi template writes a `version` there.
        ignored=frozenset({"location", "tags", "version"}),
        defaults={"autoUpgradeMinorVersion": True, "autoUpgradeMode": "compatible", "releaseTrain": "Stable"},
        maps=frozenset({"configurationsettings"}),
        create_only=frozenset({"extensiontype", "scope"}),
    ),
    DEPLOYMENTS.casefold(): Habits(
        read_only=frozenset(
            {
                *("template", "templatelink", "templatehash", "parameters", "parameterslink", "mode", "timestamp"),
                *("duration", "correlationid", "providers", "dependencies", "outputs", "outputresources"),
                *("validatedresources", "debugsetting", "onerrordeployment", "provisioningstate", "error"),
            }
        ),
        ignored=frozenset({"location", "tags"}),
    ),
    FLUX_CONFIGURATIONS.casefold(): Habits(
        read_only=frozenset(
            {
                *("statuses", "repositorypublickey", "sourcesyncedcommitid", "sourceupdatedat", "statusupdatedat"),
                *("compliancestate", "provisioningstate", "errormessage"),
            }
        ),
        ignored=frozenset({"location", "tags"}),
        defaults={"suspend": False},
        leaf_defaults={
            **{"timeoutinseconds": 600, "syncintervalinseconds": 600, "prune": False, "force": False, "wait": True},
            "sourcekind": "GitRepository",
        },
        maps=frozenset({"kustomizations"}),
        create_only=frozenset({"scope", "namespace"}),
    ),
    AKS.casefold(): Habits(
        read_only=frozenset(
            {
                *("provisioningstate", "powerstate", "currentkubernetesversion", "maxagentpools", "resourceuid"),
                *("fqdn", "privatefqdn", "azureportalfqdn", "privatelinkresources", "status"),
            }
        ),
    ),
    ARC.casefold(): Habits(
        read_only=frozenset(
            {
                *("provisioningstate", "connectivitystatus", "lastconnectivitytime", "kubernetesversion"),
                *("agentversion", "totalnodecount", "totalcorecount", "offering", "miscellaneousproperties"),
                *("managedidentitycertificateexpirationtime",),
            }
        ),
    ),
}
_OTHER: Final = Habits(read_only=frozenset({"provisioningstate"}))


def habits_of(type: str) -> Habits:
    return HABITS.get(type.casefold(), _OTHER)


def writable_part(document: Mapping[str, JSON], habits: Habits) -> dict[str, JSON]:
    """What a user could have written of ``document``, in `normal_form`."""
    kept = {key.casefold(): value for key, value in document.items()}
    for name in ENVELOPE | habits.ignored:
        kept.pop(name, None)
    if isinstance(properties := kept.get("properties"), Mapping):
        kept["properties"] = {
            key: value
            for key, value in properties.items()
            if key.casefold() not in habits.read_only and not is_kept_up_to_date(key, document)
        }
    if isinstance(identity := kept.get("identity"), Mapping):
        kept["identity"] = {"type": get_folded(identity, "type")}
    normal = normal_form(kept)
    return normal if isinstance(normal, dict) else {}


def is_kept_up_to_date(property: str, document: Mapping[str, JSON]) -> bool:
    """True for the ``version`` of an auto-upgrading extension: the service echoes what it resolved."""
    return property.casefold() == "version" and walk(document, "properties", "autoUpgradeMinorVersion") is True


def normal_form(value: JSON, name: str = "") -> JSON:
    """``value`` in one spelling: keys folded, secrets and empty members gone, settings as text.

    ``name`` is the folded key it stands under.
    """
    if isinstance(value, Mapping):
        members = {key.casefold(): _member(member, key.casefold(), name) for key, member in value.items()}
        return {key: member for key, member in members.items() if not is_empty(member)}
    if is_array(value):
        return [normal_form(without_states(item) if isinstance(item, Mapping) else item) for item in value]
    if isinstance(value, float) and value.is_integer():
        return int(value)  # JSON has one kind of number
    return value.casefold() if isinstance(value, str) and name in _CASELESS else value


def without_states(item: Mapping[str, JSON]) -> dict[str, JSON]:
    """A member of a list, such as a node pool, without what the service says of it. Source: AKS agent pool profiles."""
    return {key: value for key, value in item.items() if key.casefold() not in _ITEM_STATES}


def is_same(one: JSON, other: JSON, name: str) -> bool:
    """True when the service would store both alike under ``name`` (folded)."""
    if is_empty(one) or is_empty(other):
        return is_empty(one) and is_empty(other)
    one, other = normal_form(one, name), normal_form(other, name)
    return bool(one == other if is_array(one) or isinstance(one, Mapping) else as_text(one) == as_text(other))


def is_empty(value: JSON) -> bool:
    """Null, and objects, lists and texts without content."""
    return value is None or (isinstance(value, Mapping | Sequence) and len(value) == 0)


def is_secret(name: str, value: JSON) -> bool:
    """True for what cannot be read back: a property known as secret, or a reference to one."""
    if name.casefold() in SECRET_NAMES:
        return True
    return isinstance(value, Mapping) and len(value) == 1 and get_folded(value, "secretRef") is not None


def as_text(value: JSON) -> JSON:
    """A scalar the way a settings map stores it: true becomes ``true``."""
    if isinstance(value, bool):
        return "true" if value else "false"
    return str(value) if isinstance(value, int | float) else value


def _member(value: JSON, key: str, parent: str) -> JSON:
    if is_secret(key, value):
        return None
    if parent in _SETTINGS:
        return as_text(value)
    if parent == "kustomizations" and isinstance(value, Mapping):
        # The service adds the key as a read-only `name`.
        value = {name: member for name, member in value.items() if name.casefold() != "name"}
    return normal_form(value, key)
