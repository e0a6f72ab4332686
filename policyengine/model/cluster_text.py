"""A cluster with all that is on it as two texts, and back: the form in which fleets are kept and streamed.

The first text is the cluster's own document, the second an object with a list of documents for each kind of child, and
with what was looked for beside them, if anything was.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from itertools import accumulate
from typing import Final

import msgspec

from policyengine.errors import InventoryError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource
from policyengine.model.values import JSON, get_folded

EXTENSIONS_KEY: Final = "extensions"
FLUX_KEY: Final = "fluxConfigurations"
OTHERS_KEY: Final = "others"
LOOKED_FOR_KEY: Final = "lookedFor"

_PLAIN: Final = msgspec.json.Encoder()  # several times as fast as json, which is left what is not ASCII

MAX_LEVELS: Final = 200
"""Whoever reads the texts, from however far down, can walk so deep a document. Azure's have some fifteen levels."""

_QUOTED: Final = re.compile(r'"(?:[^"\\]|\\.)*"')
_BRACKET: Final = re.compile(r"[\[\]{}]")
_STEP: Final = {"{": 1, "[": 1, "}": -1, "]": -1}

CHILD_TYPES: Final = {EXTENSIONS_KEY: EXTENSIONS, FLUX_KEY: FLUX_CONFIGURATIONS}
"""The kinds of children that every cluster has a list of, and their types."""


def to_text(value: JSON) -> str:
    """JSON text in the order of the value; everything beyond ASCII is escaped, so that any database takes it."""
    try:
        text = _PLAIN.encode(value)
    except (TypeError, UnicodeEncodeError):  # names that are no text, other mappings, halves of surrogate pairs
        text = b"\x80"
    return text.decode() if text.isascii() else json.dumps(value, separators=(",", ":"), default=_plain)


def to_texts(cluster: Cluster) -> tuple[str, str]:
    """Raises InventoryError for what is nested deeper than `MAX_LEVELS`."""
    groups = {
        EXTENSIONS_KEY: cluster.extensions,
        FLUX_KEY: cluster.flux_configurations,
        OTHERS_KEY: cluster.others,
    }
    children: dict[str, JSON] = {key: [_document(resource) for resource in group] for key, group in groups.items()}
    if cluster.looked_for:
        children[LOOKED_FOR_KEY] = dict(cluster.looked_for)
    try:
        texts = to_text(cluster.resource.document), to_text(children)
    except RecursionError as error:
        raise _too_deep(cluster) from error
    if any(map(_is_too_deep, texts)):
        raise _too_deep(cluster)
    return texts


def _is_too_deep(text: str) -> bool:
    if text.count("{") + text.count("[") <= MAX_LEVELS:
        return False
    steps = (_STEP[bracket] for bracket in _BRACKET.findall(_QUOTED.sub("", text)))
    return max(accumulate(steps), default=0) > MAX_LEVELS


def _too_deep(cluster: Cluster) -> InventoryError:
    return InventoryError(
        f"cluster `{cluster.id}`, or something on it, is nested deeper than {MAX_LEVELS} levels",
        help="no document of Azure is; mend the source of the inventory",
    )


def from_texts(id: str, document: str | bytes, children: str | bytes) -> Cluster:
    groups = json.loads(children)
    extensions, configurations, others = (
        tuple(Resource.from_document(child) for child in groups[key]) for key in (EXTENSIONS_KEY, FLUX_KEY, OTHERS_KEY)
    )
    head = Resource(ResourceId(id), json.loads(document))
    return Cluster(head, extensions, configurations, others, groups.get(LOOKED_FOR_KEY) or {})


def _document(resource: Resource) -> Mapping[str, JSON]:
    """The document as read; it is given its id where the source left that out."""
    if get_folded(resource.document, "id") is None:
        return {"id": resource.id.text, **resource.document}
    return resource.document


def _plain(value: object) -> JSON:
    if isinstance(value, Mapping):
        return dict(value)
    raise TypeError(f"`{value!r}` is not a JSON value")
