"""Questions about the inventory in the store."""

from __future__ import annotations

from policyengine.clock import SystemClock
from policyengine.errors import UsageError
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.resource import Cluster
from policyengine.model.values import JSON
from policyengine.store.store import Store


def one_cluster(store: Store, name: str) -> Cluster:
    """The cluster of that name or id. Raises UsageError when there is none, or more than one."""
    found = store.find_clusters(name)
    if len(found) == 1:
        return found[0]
    if found:
        ids = "\n    ".join(cluster.id.text for cluster in found)
        raise UsageError(f"{len(found)} clusters are called `{name}`", help=f"use the full id:\n    {ids}")
    near = did_you_mean(name, (cluster.name for cluster in store.clusters()))
    raise UsageError(
        f"no cluster in the inventory is called `{name}`", help=near or "see `policyengine inventory list`"
    )


def list_clusters(store: Store, where: str | None) -> list[Cluster]:
    """All clusters in id order, or those for which the JMESPath ``where`` over `cluster_document` is true.

    Raises ExpressionError for an expression that is not JMESPath.
    """
    clusters = list(store.clusters())
    if where is None:
        return clusters
    expression = compile_jmespath(where)
    now = SystemClock().now()
    return [cluster for cluster in clusters if expression.search(cluster_document(cluster), at=now)]


def cluster_document(cluster: Cluster) -> dict[str, JSON]:
    """The cluster's ARM document with what is on it under ``extensions`` and ``fluxConfigurations``.

    Whatever else was found there is under ``others``, where there is any.
    """
    others = [dict(other.document) for other in cluster.others]
    return {
        **cluster.resource.document,
        "extensions": [dict(e.document) for e in cluster.extensions],
        "fluxConfigurations": [dict(f.document) for f in cluster.flux_configurations],
        **({"others": others} if others else {}),
    }
