"""Resources as Resource Manager returns them, and clusters: a resource with the extension resources on it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cached_property
from hashlib import blake2b

from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, get_folded, sorted_bytes, walk

AKS = "Microsoft.ContainerService/managedClusters"
ARC = "Microsoft.Kubernetes/connectedClusters"
EXTENSIONS = "Microsoft.KubernetesConfiguration/extensions"
FLUX_CONFIGURATIONS = "Microsoft.KubernetesConfiguration/fluxConfigurations"

_ETAGS = frozenset({"eTag", "etag", "ETag"})

CLUSTER_TYPES = {"aks": AKS, "arc": ARC}
"""The short names users write (`appliesTo: [aks, arc]`) and the types they stand for."""


@dataclass(frozen=True)
class Resource:
    """One ARM document. ``document`` is read-only by agreement: nobody changes it after construction."""

    id: ResourceId
    document: Mapping[str, JSON]

    @classmethod
    def from_document(cls, document: Mapping[str, JSON]) -> Resource:
        """Raises ValueError when the document has no usable ``id``."""
        id = get_folded(document, "id")
        if not isinstance(id, str):
            raise ValueError("a resource needs an `id`")
        return cls(ResourceId(id), document)

    @property
    def name(self) -> str:
        return self.id.name

    @property
    def type(self) -> str:
        return self.id.type

    @property
    def full_name(self) -> str:
        """The names of the resource and of its ancestors: ``server/database``."""
        return self.id.full_name

    @property
    def written_id(self) -> str | None:
        """The id as the document has it."""
        return self.id.text

    @property
    def location(self) -> str:
        return str(get_folded(self.document, "location") or "")

    @property
    def tags(self) -> Mapping[str, JSON]:
        tags = get_folded(self.document, "tags")
        return tags if isinstance(tags, Mapping) else {}

    def property(self, *path: str) -> JSON:
        """The value under ``properties``, keys folded, or None."""
        return walk(self.document, "properties", *path)


@dataclass(frozen=True)
class LooseResource(Resource):
    """A document that may lack an id, or tell its type and name itself; ``id`` only gives it a place."""

    @property
    def name(self) -> str:
        return self.full_name.rpartition("/")[2]

    @property
    def full_name(self) -> str:
        return self._stated("fullName") or (self.id.full_name if self._is_placed else self._stated("name") or "")

    @property
    def type(self) -> str:
        return self._stated("type") or (self.id.type if self._is_placed else "")

    @property
    def written_id(self) -> str | None:
        return self._stated("id")

    @property
    def _is_placed(self) -> bool:
        return (self.written_id or "").rstrip("/") == self.id.text

    def _stated(self, key: str) -> str | None:
        value = get_folded(self.document, key)
        return value if isinstance(value, str) else None


@dataclass(frozen=True, slots=True)
class Sought:
    """What a policy looks for on a cluster: all resources of a type, or the one of that name."""

    type: str
    name: str | None = None

    @property
    def key(self) -> str:
        """Folded: the type, and behind a colon the name."""
        return (self.type if self.name is None else f"{self.type}:{self.name}").casefold()


@dataclass(frozen=True)
class Cluster:
    """The unit of inventory, storage and evaluation.

    ``looked_for`` says what was asked for on it beside extensions and Flux configurations, by `Sought.key`: None where
    that was read, so that what is not among ``others`` is not there; else why it could not be.
    """

    resource: Resource
    extensions: tuple[Resource, ...] = ()
    flux_configurations: tuple[Resource, ...] = ()
    others: tuple[Resource, ...] = field(default=())
    looked_for: Mapping[str, str | None] = field(default_factory=dict)

    @property
    def id(self) -> ResourceId:
        return self.resource.id

    @property
    def name(self) -> str:
        return self.resource.name

    @property
    def kind(self) -> str:
        """``AKS`` or ``Arc``, for people."""
        return "Arc" if self.resource.type.casefold() == ARC.casefold() else "AKS"

    @property
    def children(self) -> tuple[Resource, ...]:
        return self.extensions + self.flux_configurations + self.others

    def related(self, type: str) -> tuple[Resource, ...]:
        """The extension and child resources of ``type`` on this cluster, in id order."""
        wanted = type.casefold()
        return tuple(r for r in self.children if r.type.casefold() == wanted)

    @property
    def unreachable_reason(self) -> str | None:
        """Why a write would not take effect now, in words; None when the cluster can act on it.

        Arc clusters say it by ``connectivityStatus``; an AKS cluster by ``powerState``.
        Source: configuration API, "Clusters"; GitOps behaviour G39.
        """
        if self.kind == "Arc":
            status = str(self.resource.property("connectivityStatus") or "")
            if status.casefold() in {"", "connected"}:
                return None
            last = self.resource.property("lastConnectivityTime")
            since = f", last seen {_to_the_minute(str(last))}" if last else ""
            return f"agent {status.lower()}{since}"
        power = str(self.resource.property("powerState", "code") or "")
        return "cluster is stopped" if power.casefold() == "stopped" else None

    @cached_property
    def content_hash(self) -> str:
        """Changes when the cluster or anything on it changes, and when more is known of it than was; the same however
        the documents were come by."""
        children = sorted(_content(child.document) for child in self.children)
        children += [sorted_bytes(dict(self.looked_for))] if self.looked_for else []
        return blake2b(b"\n".join((_content(self.resource.document), *children)), digest_size=16).hexdigest()


def _content(document: Mapping[str, JSON]) -> bytes:
    """All but the tag of the version: Resource Graph does not tell it, and it changes without anything else."""
    tags = document.keys() & _ETAGS
    return sorted_bytes({k: v for k, v in document.items() if k not in tags} if tags else document)


def _to_the_minute(instant: str) -> str:
    """``2026-11-20 06:27 UTC`` for an ISO 8601 instant with its zone; any other text as it is."""
    try:
        at = datetime.fromisoformat(instant)
    except ValueError:
        return instant
    return f"{at.astimezone(UTC):%Y-%m-%d %H:%M} UTC" if at.tzinfo is not None else instant


@dataclass(frozen=True)
class ResourceWrite:
    """One request that would create or change a resource.

    ``body`` is exactly what is sent, except that a secret stands as ``{"secretRef": {"env"|"file": …}}``
    and is resolved at the moment of sending. ``depends_on`` names writes that must have succeeded before.
    """

    id: ResourceId
    api_version: str
    body: Mapping[str, JSON]
    method: str = "PUT"
    depends_on: tuple[ResourceId, ...] = ()
