"""Azure resource ids: parse, compare without case, walk up, contain on segment borders."""

from __future__ import annotations

from dataclasses import dataclass, field
from functools import cached_property

_MANAGEMENT_GROUP = "/providers/microsoft.management/managementgroups/"


@dataclass(frozen=True, eq=False)
class ResourceId:
    """One place in the Resource Manager tree: a resource or a container.

    The text keeps the case it was written in; equality, hash and containment fold it.
    Raises ValueError for text that is not an id (no leading slash, an empty segment, a dangling type).
    """

    text: str
    key: str = field(init=False, repr=False)

    def __post_init__(self) -> None:
        text = self.text.rstrip("/") or "/"
        if not self.text.startswith("/") or "//" in text:
            raise ValueError(f"`{self.text}` is not a resource id: it must start with `/` and have no empty segment")
        object.__setattr__(self, "text", text)
        object.__setattr__(self, "key", text.casefold())

    @classmethod
    def for_subscription(cls, subscription: str) -> ResourceId:
        return cls(f"/subscriptions/{subscription}")

    @classmethod
    def for_management_group(cls, name: str) -> ResourceId:
        return cls(f"/providers/Microsoft.Management/managementGroups/{name}")

    def __eq__(self, other: object) -> bool:
        return isinstance(other, ResourceId) and self.key == other.key

    def __hash__(self) -> int:
        return hash(self.key)

    def __lt__(self, other: ResourceId) -> bool:
        return self.key < other.key

    def __str__(self) -> str:
        return self.text

    @cached_property
    def segments(self) -> tuple[str, ...]:
        return tuple(s for s in self.text.split("/") if s)

    @property
    def subscription(self) -> str | None:
        """The subscription's id, or None above subscriptions."""
        return self._after("subscriptions", 0)

    @property
    def resource_group(self) -> str | None:
        return self._after("resourcegroups", 2)

    @property
    def management_group(self) -> str | None:
        """The management group's name when this *is* one, else None."""
        if self.key.startswith(_MANAGEMENT_GROUP) and len(self.segments) == 4:
            return self.segments[3]
        return None

    @property
    def name(self) -> str:
        """The last segment."""
        return self.segments[-1] if self.segments else ""

    @cached_property
    def type(self) -> str:
        """The full type path, such as ``Microsoft.ContainerService/managedClusters/agentPools``.

        Containers answer with their ARM types: ``Microsoft.Resources/subscriptions`` and so on.
        """
        at = self._last_provider()
        if at is None:
            if self.resource_group is not None:
                return "Microsoft.Resources/subscriptions/resourceGroups"
            return "Microsoft.Resources/subscriptions" if self.subscription else "Microsoft.Resources/tenants"
        rest = self.segments[at + 1 :]
        return "/".join((rest[0], *rest[1::2])) if rest else ""

    @property
    def full_name(self) -> str:
        """Names of the resource and its ancestors of the same provider: ``server/database``."""
        at = self._last_provider()
        if at is None:
            return self.name
        return "/".join(self.segments[at + 3 :: 2])

    @property
    def parent(self) -> ResourceId | None:
        """One level up: the resource an extension resource or child hangs on, else group, subscription, None."""
        segments = self.segments
        at = self._last_provider()
        if at is None:
            return ResourceId("/" + "/".join(segments[:-2])) if len(segments) > 2 else None
        if len(segments) - at > 4:
            return ResourceId("/" + "/".join(segments[:-2]))
        return ResourceId("/" + "/".join(segments[:at])) if at else None

    def extension(self, type: str, name: str) -> ResourceId:
        """The id of extension resource ``name`` of ``type`` (``Namespace/type``) on this resource."""
        return ResourceId(f"{self.text}/providers/{type}/{name}")

    def contains(self, other: ResourceId) -> bool:
        """True when ``other`` is this place or below it. Management groups need the scope tree instead."""
        return self.key == "/" or other.key == self.key or other.key.startswith(self.key + "/")

    def _after(self, word: str, position: int) -> str | None:
        segments = self.segments
        if len(segments) > position + 1 and segments[position].casefold() == word:
            return segments[position + 1]
        return None

    def _last_provider(self) -> int | None:
        for at in range(len(self.segments) - 1, -1, -1):
            if self.segments[at].casefold() == "providers":
                return at
        return None
