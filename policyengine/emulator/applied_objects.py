"""Objects on a simulated cluster that a Kustomization applied, or a person put there. Only data.

G-numbers are the statements of the GitOps behaviour reference.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from policyengine.emulator.clock import stamp
from policyengine.emulator.flux_objects import ObjectCondition, conditions_of, state_of
from policyengine.emulator.source_script import ScriptedObject
from policyengine.model.values import JSON


@dataclass(slots=True)
class HelmHistory:
    """What a HelmRelease has been through."""

    revision: int = 0
    install_failures: int = 0
    upgrade_failures: int = 0

    @property
    def failures(self) -> int:
        return self.install_failures + self.upgrade_failures


@dataclass(eq=False, slots=True)
class AppliedObject:
    """``owner`` is the namespace and name of the Kustomization that applied it last; None when nobody keeps it.

    ``settles`` is the instant at which it turns healthy or fails, as its script says. ``drifted`` says that somebody
    changed it by hand since.
    """

    said: ScriptedObject
    created: datetime
    settles: datetime
    owner: tuple[str, str] | None = None
    generation: int = 1
    drifted: bool = False
    conditions: tuple[ObjectCondition, ...] = ()
    helm: HelmHistory | None = None

    @property
    def is_flux(self) -> bool:
        return bool(self.said.type.controller)

    @property
    def is_ready(self) -> bool:
        return any(c.type == "Ready" and c.status == "True" for c in self.conditions)

    @property
    def has_failed(self) -> bool:
        return any(c.type == "Ready" and c.status == "False" for c in self.conditions)

    @property
    def compliance_state(self) -> str:
        return state_of(self.conditions)

    def is_healthy(self, at: datetime) -> bool:
        """Flux kinds by their condition, all others by their script."""
        return self.is_ready if self.is_flux else self.said.failure is None and at >= self.settles

    def set_ready(self, status: str, reason: str, message: str, at: datetime, *also: str) -> None:
        self.conditions = conditions_of(self.conditions, status, reason, message, at, *also)

    def change(self, said: ScriptedObject, at: datetime) -> None:
        """The same object with other contents: it has to become healthy anew."""
        self.said, self.settles, self.drifted = said, at + said.healthy_after, False
        self.generation += 1

    def status(self) -> dict[str, JSON]:
        """One entry of a configuration's `statuses` (G34)."""
        return {
            "name": self.said.name,
            "namespace": self.said.namespace,
            "kind": self.said.kind,
            "complianceState": self.compliance_state,
            "appliedBy": {"name": self.owner[1], "namespace": self.owner[0]} if self.owner else None,
            "statusConditions": [c.document() for c in self.conditions],
            "helmReleaseProperties": self._helm_properties(),
        }

    def document(self) -> dict[str, JSON]:
        """As the control API tells it: of a Secret the keys, never a value."""
        return {
            "kind": self.said.kind,
            "namespace": self.said.namespace,
            "name": self.said.name,
            "owner": {"kind": "Kustomization", "name": self.owner[1]} if self.owner else None,
            "generation": self.generation,
            "created": stamp(self.created),
            "drifted": self.drifted,
            "conditions": [c.document() for c in self.conditions],
        }

    def _helm_properties(self) -> dict[str, JSON] | None:
        if self.helm is None:
            return None
        source_namespace = self.said.source[1] if self.said.source else self.said.namespace
        return {
            "lastRevisionApplied": self.helm.revision,
            "helmChartRef": {"name": f"{self.said.namespace}-{self.said.name}", "namespace": source_namespace},
            "failureCount": self.helm.failures,
            "installFailureCount": self.helm.install_failures,
            "upgradeFailureCount": self.helm.upgrade_failures,
        }
