"""How one cluster's agent behaves, as a fleet file's `simulation` says.

    simulation:
      offlineFor: 3d                 # the agent was last seen then; a stopped AKS cluster says so by its powerState
      installFailures:               # extension type (without case, `*` for any): what the agent reports
        microsoft.flux: admission webhook "policy.contoso.com" denied the request
      reconcileFailures:             # configuration name (without case, `*` for any)
        cluster-config: {reason: GitOperationFailed, message: "unable to clone", since: 9d}
      pollInterval: 30s              # all of these in simulated time
      installDuration: 60s
      reconcileDuration: 30s
      allowedHosts: [github.com, "*.azurecr.io"]   # with a private link: all that can be reached (G45)
      servicePrincipal: true         # an AKS cluster without a managed identity: microsoft.flux cannot be installed

A `reason` that belongs to a source (see ``SOURCE_REASONS``) fails the source; any other fails the kustomizations.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Final

from policyengine.emulator.settings import Settings
from policyengine.emulator.written import length, mapping, texts, yes_or_no
from policyengine.errors import InventoryError
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.values import JSON, get_folded

SOURCE_REASONS: Final = frozenset(
    {
        "AuthenticationFailed",
        "BucketOperationFailed",
        "FetchFailed",
        "GitOperationFailed",
        "OCIArtifactPullFailed",
        "URLInvalid",
    }
)
_INSTALLS: Final = "write it like `microsoft.flux: what the agent reports`"
_RECONCILES: Final = "write it like `apps: {reason: GitOperationFailed, message: unable to clone}`"
_FIELDS: Final[Mapping[str, str]] = {
    "offlineFor": "offline_for",
    "installFailures": "install_failures",
    "reconcileFailures": "reconcile_failures",
    "pollInterval": "poll_interval",
    "installDuration": "install_duration",
    "reconcileDuration": "reconcile_duration",
    "allowedHosts": "allowed_hosts",
    "servicePrincipal": "service_principal",
}


@dataclass(frozen=True, slots=True)
class ReconcileFailure:
    """``since`` is how long it has lasted when the emulator starts; it matters only for what was there before."""

    reason: str
    message: str
    since: timedelta = timedelta(0)

    @property
    def is_source(self) -> bool:
        return self.reason in SOURCE_REASONS


@dataclass(frozen=True, slots=True)
class Simulation:
    poll_interval: timedelta
    install_duration: timedelta
    reconcile_duration: timedelta
    offline_for: timedelta | None = None
    install_failures: Mapping[str, str] = field(default_factory=dict)
    reconcile_failures: Mapping[str, ReconcileFailure] = field(default_factory=dict)
    allowed_hosts: tuple[str, ...] | None = None
    service_principal: bool = False

    @classmethod
    def read(cls, value: Mapping[str, JSON], settings: Settings) -> Simulation:
        """Raises InventoryError naming the key that cannot be used."""
        for key in value:
            if key not in _FIELDS:
                raise InventoryError(
                    f"`simulation` has no `{key}`",
                    help=did_you_mean(str(key), _FIELDS) or f"there are {', '.join(_FIELDS)}",
                )
        poll = _length(value, "pollInterval") or settings.poll_interval
        install = _length(value, "installDuration")
        reconcile = _length(value, "reconcileDuration")
        installs = mapping(value.get("installFailures"), "`simulation.installFailures`", _INSTALLS)
        failures = mapping(value.get("reconcileFailures"), "`simulation.reconcileFailures`", _RECONCILES)
        hosts = value.get("allowedHosts")
        return cls(
            poll_interval=poll,
            install_duration=settings.install_duration if install is None else install,
            reconcile_duration=settings.reconcile_duration if reconcile is None else reconcile,
            offline_for=_length(value, "offlineFor"),
            install_failures={str(k): str(v) for k, v in installs.items()},
            reconcile_failures={str(name): _failure(str(name), failure) for name, failure in failures.items()},
            allowed_hosts=None if hosts is None else texts(hosts, "`simulation.allowedHosts`"),
            service_principal=yes_or_no(value.get("servicePrincipal"), "`simulation.servicePrincipal`"),
        )

    def changed(self, changes: Mapping[str, JSON], settings: Settings) -> Simulation:
        """As it is, but for the keys in ``changes``; a null takes a key back to its default. Raises InventoryError."""
        if "offlineFor" in changes:
            raise InventoryError("`offlineFor` is for the beginning: connect or disconnect the cluster instead")
        asked = Simulation.read(changes, settings)
        return replace(self, **{name: getattr(asked, name) for key, name in _FIELDS.items() if key in changes})

    def install_failure(self, extension_type: str) -> str | None:
        """What the agent will report when it installs ``extension_type``; None when that works."""
        message = get_folded(self.install_failures, extension_type, self.install_failures.get("*"))
        return None if message is None else str(message)

    def reconcile_failure(self, configuration: str) -> ReconcileFailure | None:
        failure = get_folded(self.reconcile_failures, configuration, self.reconcile_failures.get("*"))
        return failure if isinstance(failure, ReconcileFailure) else None


def _length(value: Mapping[str, JSON], key: str) -> timedelta | None:
    return None if value.get(key) is None else length(value[key], f"`simulation.{key}`")


def _failure(name: str, value: JSON) -> ReconcileFailure:
    said = mapping(value, f"`simulation.reconcileFailures.{name}`", _RECONCILES)
    return ReconcileFailure(
        reason=str(said.get("reason") or "ReconciliationFailed"),
        message=str(said.get("message") or "reconciliation failed"),
        since=_length(said, "since") or timedelta(0),
    )
