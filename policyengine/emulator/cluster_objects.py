"""What is on one simulated cluster: deployments, namespaces, Flux objects and what they applied. Only data.

G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final

from policyengine.emulator.applied_objects import AppliedObject
from policyengine.emulator.flux_objects import SUSPENDED, FluxConfigObject, FluxObject, ObjectKey, combined_state
from policyengine.emulator.kinds import FLUX_CUSTOM_RESOURCES
from policyengine.emulator.source_script import ScriptedObject
from policyengine.model.values import JSON

FLUX_NAMESPACE: Final = "flux-system"
FLUX_APPLIER: Final = "flux-applier"
"""The service account that objects are applied with, in the namespace of each configuration (G20)."""
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
CUSTOM_RESOURCES: Final = tuple(sorted(kind.definition for kind in FLUX_CUSTOM_RESOURCES))
"""Present once the extension is, also those of controllers that are off (G9)."""


@dataclass(eq=False, slots=True)
class ClusterObjects:
    """``flux_configs`` are keyed by the folded name of their configuration; names are unique on a cluster.

    ``flux_settings`` are the configuration settings of the extension that installed Flux.
    """

    namespaces: set[str] = field(default_factory=lambda: {"default", "kube-system"})
    deployments: tuple[str, ...] = ()
    flux_settings: Mapping[str, JSON] = field(default_factory=dict)
    flux_configs: dict[str, FluxConfigObject] = field(default_factory=dict)
    applied: dict[ObjectKey, AppliedObject] = field(default_factory=dict)

    @property
    def flux_installed(self) -> bool:
        return bool(self.deployments)

    @property
    def multi_tenancy(self) -> bool:
        """Enforced unless the extension's settings say otherwise (G21)."""
        return _enabled(self.flux_settings, "multiTenancy.enforce", True)

    def runs(self, controller: str) -> bool:
        return controller in self.deployments

    def install_flux(self, configuration_settings: Mapping[str, JSON], namespace: str) -> None:
        on = [n for n, default in CONTROLLERS.items() if _enabled(configuration_settings, f"{n}.enabled", default)]
        self.deployments = tuple(sorted((*on, *AGENTS)))
        self.flux_settings = configuration_settings
        self.namespaces.add(namespace)

    def remove_flux(self) -> None:
        """The Helm release goes, and with it the custom resource definitions and all objects of their kinds."""
        self.deployments, self.flux_settings = (), {}
        self.flux_configs.clear()
        for key, found in list(self.applied.items()):
            if found.is_flux:
                del self.applied[key]
            else:
                found.owner = None

    def flux_config(self, name: str) -> FluxConfigObject | None:
        return self.flux_configs.get(name.casefold())

    def sorted_configs(self) -> list[FluxConfigObject]:
        return [self.flux_configs[key] for key in sorted(self.flux_configs)]

    def put(self, said: ScriptedObject, at: datetime) -> AppliedObject:
        """Add an object, or change the one of its name."""
        found = self.applied.get(said.key)
        if found is None:
            found = self.applied[said.key] = AppliedObject(said, at, at + said.healthy_after)
        else:
            found.change(said, at)
        if said.kind == "Namespace":
            self.namespaces.add(said.name)
        elif said.namespace:
            self.namespaces.add(said.namespace)
        return found

    def delete(self, key: ObjectKey) -> None:
        self.applied.pop(key, None)
        if key[0] == "Namespace":
            self.namespaces.discard(key[2])

    def service_account_exists(self, namespace: str, name: str) -> bool:
        if name == FLUX_APPLIER and any(c.namespace == namespace for c in self.flux_configs.values()):
            return True
        return ("ServiceAccount", namespace, name) in self.applied

    def secret_exists(self, namespace: str, name: str) -> bool:
        made = any(c.secret_keys and (c.namespace, c.secret_name) == (namespace, name) for c in self.sorted_configs())
        return made or ("Secret", namespace, name) in self.applied

    def below(self, config: FluxConfigObject) -> Iterator[AppliedObject]:
        """Objects of Flux kinds that the configuration's Kustomizations applied, in their order (G34)."""
        for kustomization in config.kustomizations.values():
            for key in kustomization.inventory:
                found = self.applied.get(key)
                if found is not None and found.is_flux and found.owner == owner_of(kustomization):
                    yield found

    def statuses(self, config: FluxConfigObject) -> list[dict[str, JSON]]:
        own = [found.status() for found in config.objects]
        return [*own, *(found.status() for found in self.below(config))]

    def compliance_state(self, config: FluxConfigObject) -> str:
        if config.suspended:
            return SUSPENDED
        own = (found.compliance_state for found in config.objects)
        return combined_state((*own, *(found.compliance_state for found in self.below(config))))

    def secrets(self) -> list[dict[str, JSON]]:
        """Names and keys, never a value (G19)."""
        made: list[dict[str, JSON]] = [
            {"namespace": c.namespace, "name": c.secret_name, "keys": sorted(c.secret_keys)}
            for c in self.sorted_configs()
            if c.secret_keys
        ]
        others: list[dict[str, JSON]] = [
            {"namespace": key[1], "name": key[2], "keys": sorted(self.applied[key].said.data)}
            for key in sorted(self.applied)
            if key[0] == "Secret"
        ]
        return sorted((*made, *others), key=lambda s: (s["namespace"], s["name"]))

    def document(self) -> dict[str, JSON]:
        return {
            "namespaces": sorted(self.namespaces),
            "deployments": [{"namespace": FLUX_NAMESPACE, "name": name} for name in self.deployments],
            "customResourceDefinitions": list(CUSTOM_RESOURCES) if self.flux_installed else [],
            "objects": [d for config in self.sorted_configs() for d in self._documents(config)],
            "applied": [self.applied[key].document() for key in sorted(self.applied)],
            "secrets": self.secrets(),
        }

    def _documents(self, config: FluxConfigObject) -> list[dict[str, JSON]]:
        """The FluxConfig and everything it owns."""
        own: dict[str, JSON] = {
            "kind": "FluxConfig",
            "namespace": config.namespace,
            "name": config.name,
            "generation": config.generation,
            "suspend": config.suspended,
            "complianceState": self.compliance_state(config),
        }
        return [own, *(found.document() for found in config.objects)]


def owner_of(kustomization: FluxObject) -> tuple[str, str]:
    return kustomization.namespace, kustomization.name


def _enabled(settings: Mapping[str, JSON], key: str, default: bool) -> bool:
    said = settings.get(key)
    return default if said is None else str(said).casefold() == "true"
