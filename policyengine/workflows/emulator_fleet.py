"""What an emulator begins with: a fleet file, a synthetic fleet, or clusters as Azure's own tools exported them."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Final

from policyengine.errors import InventoryError
from policyengine.inventory.files import read_file
from policyengine.inventory.graph_rows import resource_document
from policyengine.model.fleet import FleetFile
from policyengine.model.resource import Cluster, Resource
from policyengine.model.synthetic import SyntheticFleet
from policyengine.model.values import JSON
from policyengine.workflows.demo import load_fleet, sample_fleet

SYNTHETIC: Final = "synthetic:"
_EXPORTS: Final = frozenset({".json", ".ndjson", ".jsonl"})


def read_emulator_fleet(given: str | None) -> FleetFile | SyntheticFleet:
    """`synthetic:1000?seed=7`, or the path of a file; without any, the shipped sample. Raises InventoryError."""
    if given is None:
        return load_fleet(sample_fleet())
    if given.startswith(SYNTHETIC):
        return SyntheticFleet.parse(given.removeprefix(SYNTHETIC))
    path = Path(given)
    if not _is_export(path):
        return load_fleet(path)
    fleet = asyncio.run(read_file(given))
    if not fleet.complete:
        reasons = "; ".join(dict.fromkeys(failure.reason for failure in fleet.failures))
        help = "export every page, clusters and what is on them"
        raise InventoryError(f"`{given}` does not hold a whole fleet: {reasons}", help=help)
    return FleetFile(replace(fleet, clusters=tuple(_cluster(cluster) for cluster in fleet.clusters)))


def _is_export(path: Path) -> bool:
    """True for JSON that is no fleet file, in one piece or line by line, whatever the file is called."""
    try:
        text = path.read_text(encoding="utf-8-sig").strip()
    except (OSError, ValueError):
        return path.suffix.casefold() in _EXPORTS  # whoever reads it next says why
    value = _json(text)
    if value is None:
        return path.suffix.casefold() in _EXPORTS or _json(text.partition("\n")[0]) is not None
    return not (isinstance(value, Mapping) and value.get("kind") == "Fleet")


def _json(text: str) -> Mapping[str, JSON] | list[JSON] | None:
    """The object or list; None for any other text."""
    try:
        value = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return value if isinstance(value, Mapping | list) else None


def _cluster(cluster: Cluster) -> Cluster:
    return Cluster(
        _resource(cluster.resource),
        tuple(_resource(extension) for extension in cluster.extensions),
        tuple(_resource(configuration) for configuration in cluster.flux_configurations),
    )


def _resource(resource: Resource) -> Resource:
    """The document that a row of Resource Graph stands for; what is a document already stays as it is."""
    return Resource(resource.id, resource_document(resource.document))
