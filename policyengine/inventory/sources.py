"""Which sources there are, by URL scheme."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol

from policyengine.errors import ConfigError, InventoryError
from policyengine.inventory.files import open_file
from policyengine.inventory.reading import Reading, collected
from policyengine.inventory.related import Wanted, nothing
from policyengine.inventory.resource_graph import open_resource_graph
from policyengine.inventory.resource_manager import ProgressListener, open_resource_manager
from policyengine.inventory.synthetic import read_synthetic
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.fleet import Fleet

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient


@dataclass(frozen=True, slots=True)
class Request:
    """What a source may need: ``rest`` is what follows the scheme."""

    rest: str
    arm: ArmClient | None
    on_progress: ProgressListener | None
    wanted: Wanted


class _Way(Protocol):
    async def __call__(
        self, arm: ArmClient, *, wanted: Wanted = nothing, on_progress: ProgressListener | None = None
    ) -> Reading: ...


WAYS: Mapping[str, _Way] = {"": open_resource_graph, "list": open_resource_manager}
"""What may follow `arm:`."""


async def _arm(request: Request) -> Reading:
    if request.arm is None:
        raise ConfigError("inventory `arm:` needs an endpoint", help="set `arm.endpoint`")
    way = WAYS.get(request.rest)
    if way is None:
        raise ConfigError(
            f"`arm:{request.rest}` is no inventory source",
            help="write `arm:`, or `arm:list` to go without Resource Graph",
        )
    return await way(request.arm, wanted=request.wanted, on_progress=request.on_progress)


async def _file(request: Request) -> Reading:
    if not request.rest:
        raise InventoryError("inventory `file:` names no file", help="write `file:PATH`")
    return await open_file(request.rest, request.on_progress)


async def _synthetic(request: Request) -> Reading:
    return read_synthetic(request.rest, request.on_progress)


SOURCES: Mapping[str, Callable[[Request], Awaitable[Reading]]] = {
    "arm": _arm,
    "file": _file,
    "synthetic": _synthetic,
}


async def open_source(
    source_url: str,
    *,
    arm: ArmClient | None = None,
    on_progress: ProgressListener | None = None,
    wanted: Wanted = nothing,
) -> Reading:
    """The fleet as the source knows it now, batch after batch.

    ``wanted`` is read on clusters by sources that can be asked; files have what they have.
    Raises ConfigError for an unknown scheme, InventoryError or ArmError when nothing can be read.
    """
    scheme, _, rest = source_url.partition(":")
    source = SOURCES.get(scheme)
    if source is None:
        known = ", ".join(f"`{name}:`" for name in sorted(SOURCES))
        near = did_you_mean(scheme, SOURCES)
        raise ConfigError(f"`{source_url}` is no inventory source: there are {known}", help=near)
    return await source(Request(rest, arm, on_progress, wanted))


async def read(
    source_url: str,
    *,
    arm: ArmClient | None = None,
    on_progress: ProgressListener | None = None,
    wanted: Wanted = nothing,
) -> Fleet:
    """The same, all in memory: clusters in id order; see ``Fleet.failures`` for what it lacks."""
    return await collected(await open_source(source_url, arm=arm, on_progress=on_progress, wanted=wanted))
