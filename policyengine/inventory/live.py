"""Named clusters, as they are this moment: what a plan is made from."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final

from policyengine.arm.client import ArmClient
from policyengine.errors import ArmNotFound, PolicyEngineError
from policyengine.inventory.resource_manager import API_VERSIONS
from policyengine.model.fleet import ScopeFailure, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS, Cluster

_AT_ONCE: Final = 16
_VERSIONS: Final = {type.casefold(): version for type, version in API_VERSIONS.items()}


@dataclass(frozen=True, slots=True)
class LiveClusters:
    """In the order asked for. A cluster that is gone is in neither part; one that could not be read has a failure."""

    clusters: tuple[Cluster, ...]
    failures: tuple[ScopeFailure, ...] = ()


async def read_clusters(
    arm: ArmClient, ids: Sequence[ResourceId], *, on_progress: Callable[[int, int | None], None]
) -> LiveClusters:
    """Each cluster with its extensions and Flux configurations; one that cannot be read does not stop the others.

    Raises ArmError or InventoryError when none could be read.
    """
    at_once = asyncio.Semaphore(_AT_ONCE)
    done = 0

    async def one(id: ResourceId) -> Cluster | PolicyEngineError | None:
        nonlocal done
        async with at_once:
            try:
                return await read_cluster(arm, id)
            except ArmNotFound:
                return None
            except PolicyEngineError as error:
                return error
            finally:
                done += 1
                on_progress(done, len(ids))

    async with asyncio.TaskGroup() as tasks:
        reading = [tasks.create_task(one(id)) for id in ids]
    found = [task.result() for task in reading]
    clusters = tuple(item for item in found if isinstance(item, Cluster))
    errors = [(id, item) for id, item in zip(ids, found, strict=True) if isinstance(item, PolicyEngineError)]
    if errors and not clusters:
        raise errors[0][1]
    return LiveClusters(clusters, tuple(ScopeFailure(id, error.message) for id, error in errors))


async def read_cluster(arm: ArmClient, id: ResourceId) -> Cluster:
    """Raises ArmNotFound when it is gone, ArmError when it cannot be read whole."""
    head = await arm.get(id.text, _VERSIONS[id.type.casefold()])
    children = [
        child
        for type in (EXTENSIONS, FLUX_CONFIGURATIONS)
        async for child in arm.list(f"{id}/providers/{type}", API_VERSIONS[type])
    ]
    return assemble([head, *children])[0][0]
