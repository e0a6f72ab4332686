"""What is on one simulated cluster: deployments, namespaces, custom resources and their conditions. Only data.

G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.model.values import JSON

FLUX_NAMESPACE: Final = "flux-system"
CONTROLLERS: Final[Mapping[str, bool]] = {
    "source-controller": True,
    "kustomize-controller": True,
    "helm-controller": True,
    "notification-controller": True,
    "image-automation-controller": False,
    "image-reflector-controller": False,
}
"""The optional controllers, and whether each is installed unless `NAME.enabled` says otherwise (G7, G8)."""
AGENTS: Final = ("fluxconfig-agent", "fluxconfig-controller")
CUSTOM_RESOURCES: Final = (
    "alerts.notification.toolkit.fluxcd.io",
    "buckets.source.toolkit.fluxcd.io",
    "fluxconfigs.clusterconfig.azure.com",
    "gitrepositories.source.toolkit.fluxcd.io",
    "helmcharts.source.toolkit.fluxcd.io",
    "helmreleases.helm.toolkit.fluxcd.io",
    "helmrepositories.source.toolkit.fluxcd.io",
    "imagepolicies.image.toolkit.fluxcd.io",
    "imagerepositories.image.toolkit.fluxcd.io",
    "imageupdateautomations.image.toolkit.fluxcd.io",
    "kustomizations.kustomize.toolkit.fluxcd.io",
    "ocirepositories.source.toolkit.fluxcd.io",
    "providers.notification.toolkit.fluxcd.io",
    "receivers.notification.toolkit.fluxcd.io",
)
"""Present once the extension is, also those of controllers that are off (G9)."""

COMPLIANT: Final = "Compliant"
NON_COMPLIANT: Final = "Non-Compliant"
PENDING: Final = "Pending"
SUSPENDED: Final = "Suspended"
UNKNOWN: Final = "Unknown"


@dataclass(frozen=True, slots=True)
class ObjectCondition:
    type: str
    status: str
    reason: str
    message: str
    since: datetime

    def document(self) -> dict[str, JSON]:
        return {
            "lastTransitionTime": stamp(self.since),
            "message": self.message,
            "reason": self.reason,
            "status": self.status,
            "type": self.type,
        }


@dataclass(eq=False)
class FluxObject:
    """A source or a Kustomization. ``key`` is the kustomization's key in the configuration; None for a source."""

    kind: str
    namespace: str
    name: str
    owner: str
    key: str | None = None
    depends_on: tuple[str, ...] = ()
    suspended: bool = False
    generation: int = 1
    conditions: tuple[ObjectCondition, ...] = ()

    @property
    def ready(self) -> ObjectCondition | None:
        return next((c for c in self.conditions if c.type == "Ready"), None)

    @property
    def is_ready(self) -> bool:
        return self.ready is not None and self.ready.status == "True"

    @property
    def compliance_state(self) -> str:
        """Our reading of the conditions (G35); the mapping is not published."""
        if self.suspended:
            return SUSPENDED
        status = self.ready.status if self.ready else UNKNOWN
        return {"True": COMPLIANT, "False": NON_COMPLIANT}.get(status, PENDING)

    def set_ready(self, status: str, reason: str, message: str, at: datetime) -> None:
        """Replace all conditions; the transition time moves only when the status does."""
        before = self.ready
        since = before.since if before is not None and before.status == status else at
        conditions = [ObjectCondition("Ready", status, reason, message, since)]
        if status == "Unknown":
            conditions.insert(0, ObjectCondition("Reconciling", "True", "Progressing", message, at))
        self.conditions = tuple(conditions)

    def status(self) -> dict[str, JSON]:
        """One entry of a configuration's `statuses`."""
        return {
            "name": self.name,
            "namespace": self.namespace,
            "kind": self.kind,
            "complianceState": self.compliance_state,
            "appliedBy": None,
            "statusConditions": [c.document() for c in self.conditions],
            "helmReleaseProperties": None,
        }

    def document(self) -> dict[str, JSON]:
        return {
            "kind": self.kind,
            "namespace": self.namespace,
            "name": self.name,
            "owner": {"kind": "FluxConfig", "name": self.owner},
            "generation": self.generation,
            "suspend": self.suspended,
            "complianceState": self.compliance_state,
            "conditions": [c.document() for c in self.conditions],
        }


@dataclass(eq=False)
class FluxConfigObject:
    """The FluxConfig custom resource with all that its controller made from it (G16, G17).

    ``attempt`` counts reconciliations begun, so that what belongs to an earlier one can be told apart.
    """

    name: str
    namespace: str
    source: FluxObject
    revision: str
    kustomizations: dict[str, FluxObject] = field(default_factory=dict)
    generation: int = 1
    suspended: bool = False
    attempt: int = 0
    secret_keys: tuple[str, ...] = ()
    synced_revision: str = ""
    source_updated: datetime | None = None

    @property
    def objects(self) -> Iterator[FluxObject]:
        yield self.source
        yield from self.kustomizations.values()

    @property
    def compliance_state(self) -> str:
        return SUSPENDED if self.suspended else combined_state(o.compliance_state for o in self.objects)

    def documents(self) -> list[dict[str, JSON]]:
        """Itself and everything it owns."""
        own: dict[str, JSON] = {
            "kind": "FluxConfig",
            "namespace": self.namespace,
            "name": self.name,
            "generation": self.generation,
            "suspend": self.suspended,
            "complianceState": self.compliance_state,
        }
        return [own, *(found.document() for found in self.objects)]


def combined_state(states: Iterable[str]) -> str:
    """A configuration's state from its objects' (G36)."""
    present = set(states)
    if not present:
        return UNKNOWN
    for state in (NON_COMPLIANT, PENDING, SUSPENDED, UNKNOWN):
        if state in present:
            return state
    return COMPLIANT


@dataclass(eq=False)
class ClusterObjects:
    """``flux_configs`` are keyed by the folded name of their configuration; names are unique on a cluster."""

    namespaces: set[str] = field(default_factory=lambda: {"default", "kube-system"})
    deployments: tuple[str, ...] = ()
    flux_configs: dict[str, FluxConfigObject] = field(default_factory=dict)

    @property
    def flux_installed(self) -> bool:
        return bool(self.deployments)

    def install_flux(self, configuration_settings: Mapping[str, JSON], namespace: str) -> None:
        on = [name for name, default in CONTROLLERS.items() if _enabled(configuration_settings, name, default)]
        self.deployments = tuple(sorted((*on, *AGENTS)))
        self.namespaces.add(namespace)

    def remove_flux(self) -> None:
        """The Helm release goes, and with it the custom resource definitions and all objects of their kinds."""
        self.deployments = ()
        self.flux_configs.clear()

    def flux_config(self, name: str) -> FluxConfigObject | None:
        return self.flux_configs.get(name.casefold())

    def document(self) -> dict[str, JSON]:
        configs = [self.flux_configs[key] for key in sorted(self.flux_configs)]
        return {
            "namespaces": sorted(self.namespaces),
            "deployments": [{"namespace": FLUX_NAMESPACE, "name": name} for name in self.deployments],
            "customResourceDefinitions": list(CUSTOM_RESOURCES) if self.flux_installed else [],
            "objects": [document for config in configs for document in config.documents()],
            "secrets": [
                {"namespace": c.namespace, "name": f"{c.name}-auth", "keys": sorted(c.secret_keys)}
                for c in configs
                if c.secret_keys
            ],
        }


def _enabled(settings: Mapping[str, JSON], controller: str, default: bool) -> bool:
    said = settings.get(f"{controller}.enabled")
    return default if said is None else str(said).casefold() == "true"
