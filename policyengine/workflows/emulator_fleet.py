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
from policyengine.model.fleet import FleetFile
from policyengine.model.resource import EXTENSIONS, Cluster, Resource
from policyengine.model.synthetic import SyntheticFleet
from policyengine.workflows.demo import load_fleet, sample_fleet

SYNTHETIC: Final = "synthetic:"
_EXPORTS: Final = frozenset({".json", ".ndjson", ".jsonl"})
_GRAPH_COLUMNS: Final = frozenset({"tenantId", "subscriptionId", "resourceGroup"})
"""Columns of Resource Graph that no document has."""


def read_emulator_fleet(given: str | None) -> FleetFile | SyntheticFleet:
    """`synthetic:1000?seed=7`, or the path of a file; without any, the shipped sample. Raises InventoryError."""
    if given is None:
        return load_fleet(sample_fleet())
    if given.startswith(SYNTHETIC):
        return SyntheticFleet.parse(given.removeprefix(SYNTHETIC))
    path = Path(given)
    if path.suffix.casefold() not in _EXPORTS or _is_fleet_file(path):
        return load_fleet(path)
    fleet = asyncio.run(read_file(given))
    if not fleet.complete:
        reasons = "; ".join(dict.fromkeys(failure.reason for failure in fleet.failures))
        raise InventoryError(f"`{given}` does not hold a whole fleet: {reasons}", help="export the clusters as well")
    return FleetFile(replace(fleet, clusters=tuple(_cluster(cluster) for cluster in fleet.clusters)))


def _is_fleet_file(path: Path) -> bool:
    try:
        value = json.loads(path.read_text(encoding="utf-8-sig"))
    except (OSError, ValueError):
        return False  # whoever reads it next says why
    return isinstance(value, Mapping) and value.get("kind") == "Fleet"


def _cluster(cluster: Cluster) -> Cluster:
    return Cluster(
        _resource(cluster.resource),
        tuple(_resource(extension) for extension in cluster.extensions),
        tuple(_resource(configuration) for configuration in cluster.flux_configurations),
    )


def _resource(resource: Resource) -> Resource:
    """The document that a row of Resource Graph stands for; what is a document already stays as it is."""
    document = {
        name: value
        for name, value in resource.document.items()
        if name not in _GRAPH_COLUMNS and value is not None and value != ""
    }
    document["type"] = resource.type
    properties = document.get("properties")
    if resource.type.casefold() == EXTENSIONS.casefold() and isinstance(properties, Mapping):
        document["properties"] = {_uncapitalised(name): value for name, value in properties.items()}
    return Resource(resource.id, document)


def _uncapitalised(name: str) -> str:
    return name[:1].lower() + name[1:]
