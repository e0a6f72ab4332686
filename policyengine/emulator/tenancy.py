"""Who may do what on a cluster: role bindings of `flux-applier` (G20) and multi-tenancy (G21). Decides, does nothing.

Source: GitOps behaviour G20, G21.
"""

from __future__ import annotations

from policyengine.emulator.cluster_objects import FLUX_APPLIER, ClusterObjects
from policyengine.emulator.flux_objects import FluxConfigObject
from policyengine.emulator.simulation import ReconcileFailure
from policyengine.emulator.source_script import ScriptedObject


def forbidden(objects: ClusterObjects, config: FluxConfigObject, said: ScriptedObject) -> str | None:
    """Why the service account of ``config`` may not apply ``said``; None when it may."""
    if said.namespace == config.namespace or _binds_cluster(objects, config.namespace):
        return None
    kind = said.type
    where = f'in the namespace "{said.namespace}"' if kind.namespaced else "at the cluster scope"
    return (
        f'{_path(said)} dry-run failed (Forbidden): {_plural(said)} "{said.name}" is forbidden: '
        f'User "{_user(config.namespace, FLUX_APPLIER)}" cannot patch resource "{kind.plural}" '
        f'in API group "{kind.group}" {where}'
    )


def tenancy_failure(objects: ClusterObjects, said: ScriptedObject) -> ReconcileFailure | None:
    """Why a HelmRelease or Kustomization on the cluster is refused; None when it is not."""
    if not objects.multi_tenancy or said.kind not in {"HelmRelease", "Kustomization"}:
        return None
    if said.source is not None and said.source[1] != said.namespace:
        message = f"can't access '{'/'.join(said.source)}', cross-namespace references have been blocked"
        return ReconcileFailure("AccessDenied", message)
    account = said.service_account or FLUX_APPLIER
    if objects.service_account_exists(said.namespace, account):
        return None
    reason = "InstallFailed" if said.kind == "HelmRelease" else "ReconciliationFailed"
    message = (
        f'{_path(said)} is forbidden: User "{_user(said.namespace, account)}" cannot create resources: '
        f'serviceaccounts "{account}" not found in the namespace "{said.namespace}"'
    )
    return ReconcileFailure(reason, message)


def _binds_cluster(objects: ClusterObjects, namespace: str) -> bool:
    """True when a configuration of cluster scope has bound the namespace's account to the whole cluster."""
    return any(c.is_cluster_scoped for c in objects.flux_configs.values() if c.namespace == namespace)


def _user(namespace: str, account: str) -> str:
    return f"system:serviceaccount:{namespace}:{account}"


def _path(said: ScriptedObject) -> str:
    return "/".join(part for part in said.key if part)


def _plural(said: ScriptedObject) -> str:
    return said.type.definition.rstrip(".")
