"""Named clusters, as they are this moment: what a plan is made from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Final

from policyengine.errors import ArmNotFound, InventoryError, PolicyEngineError
from policyengine.inventory.listing import API_VERSIONS, list_documents, version_of
from policyengine.inventory.related import Related
from policyengine.model.fleet import Fleet, ScopeFailure, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS, Cluster

_AT_ONCE: Final = 16


@dataclass(frozen=True, slots=True)
class LiveClusters:
    """In the order asked for. A cluster that is gone is in neither part; one that could not be read has a failure."""

    clusters: tuple[Cluster, ...]
    failures: tuple[ScopeFailure, ...] = ()


async def read_clusters(
    related: Related, ids: Sequence[ResourceId], *, on_progress: Callable[[int, int | None], None]
) -> LiveClusters:
    """Each cluster with its extensions and Flux configurations, and with what is ``related`` to it.

    One that cannot be read does not stop the others. Raises ArmError or InventoryError when none could be read.
    """
    found = await _each(related, ids, on_progress)
    live = _sorted_out(ids, found)
    if live.failures and not live.clusters:
        raise next(item for item in found if isinstance(item, PolicyEngineError))
    return replace(live, failures=live.failures + related.failures)


async def look_again(related: Related, fleet: Fleet, ids: Sequence[ResourceId]) -> Fleet:
    """``fleet`` with these clusters as they are this moment: without those that are gone, and with a failure for each
    that could not be read.
    """
    if not ids:
        return fleet
    live = _sorted_out(ids, await _each(related, ids, _unwatched))
    asked = set(ids)
    others = (cluster for cluster in fleet.clusters if cluster.id not in asked)
    clusters = sorted((*others, *live.clusters), key=lambda cluster: cluster.id)
    return replace(fleet, clusters=tuple(clusters), failures=(*fleet.failures, *live.failures))


def _unwatched(done: int, total: int | None) -> None:
    """Nobody watches."""


async def _each(
    related: Related, ids: Sequence[ResourceId], on_progress: Callable[[int, int | None], None]
) -> list[Cluster | PolicyEngineError | None]:
    """What became of reading each; None for one that is gone."""
    at_once = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def one(id: ResourceId) -> Cluster | PolicyEngineError | None:
        nonlocal done
        async with at_once:
            try:
                return await read_cluster(related, id)
            except ArmNotFound:
                return None
            except PolicyEngineError as error:
                return error
            finally:
                done += 1
                on_progress(done, len(ids))

    async with asyncio.TaskGroup() as tasks:
        reading = [tasks.create_task(one(id)) for id in ids]
    return [task.result() for task in reading]


def _sorted_out(ids: Sequence[ResourceId], found: Sequence[Cluster | PolicyEngineError | None]) -> LiveClusters:
    clusters = tuple(item for item in found if isinstance(item, Cluster))
    errors = [(id, item) for id, item in zip(ids, found, strict=True) if isinstance(item, PolicyEngineError)]
    return LiveClusters(clusters, tuple(ScopeFailure(id, error.told) for id, error in errors))


async def read_cluster(related: Related, id: ResourceId) -> Cluster:
    """Raises ArmNotFound when it is gone, ArmError or InventoryError when it cannot be read whole."""
    arm, version = related.arm, version_of(id.type)
    head = await arm.get(id.text, version)
    try:
        children = [
            child
            for type in (EXTENSIONS, FLUX_CONFIGURATIONS)
            for child in await list_documents(arm, f"{id}/providers/{type}", API_VERSIONS[type])
        ]
    except ArmNotFound as error:
        await arm.get(id.text, version)  # a 404 below it alone does not say that the cluster is gone
        raise InventoryError(error.message, help=error.help) from error
    for cluster in await related.on(assemble([head, *children])[0]):
        return cluster
    await arm.get(id.text, version)
    raise InventoryError(f"`{id}` comes and goes while it is read")
