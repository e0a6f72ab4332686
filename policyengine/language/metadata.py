"""`metadata` of our documents: the name, and what only describes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.language.fields import Fields, first_line
from policyengine.language.scalars import name_of
from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON
from policyengine.text.nodes import ScalarNode, to_value

SEVERITIES: Final = ("low", "medium", "high", "critical")
METADATA_KEYS: Final = (
    *("name", "version", "displayName", "description", "category", "severity", "owner", "runbook", "controls"),
    *("ticket", "labels"),
)


@dataclass(frozen=True, slots=True, eq=False)
class Metadata:
    """``everything`` is the mapping as written."""

    name: str
    version: str | None
    display_name: str
    description: str
    category: str
    severity: str
    owner: str
    runbook: str
    controls: tuple[str, ...]
    ticket: str
    everything: Mapping[str, JSON]
    span: Span


def parse_metadata(document: Fields) -> Metadata:
    """The metadata; an empty name, with an error, when there is none. ``span`` is where the name stands."""
    fields = document.inner("metadata", "`metadata`")
    if fields is None:
        document.missing("metadata", "write `metadata: {name: …}`")
        span = first_line(document.node)
        return Metadata("", None, "", "", "", "medium", "", "", (), "", {}, span)
    name = fields.required_text("name")
    node = fields.node.get("name")
    span = node.span if node is not None else first_line(fields.node)
    metadata = Metadata(
        name=name_of(name, span, document.problems),
        version=_version(fields),
        display_name=fields.text("displayName"),
        description=fields.text("description"),
        category=fields.text("category"),
        severity=fields.choice("severity", {word: word for word in SEVERITIES}, "medium"),
        owner=fields.text("owner"),
        runbook=fields.text("runbook"),
        controls=fields.texts("controls"),
        ticket=fields.text("ticket"),
        everything=to_value(fields.node),
        span=span,
    )
    fields.allow("labels")
    fields.close()
    return metadata


def _version(fields: Fields) -> str | None:
    """`1.2.3`; YAML reads `1.2` as a number, which would lose the zero of `1.10`."""
    node = fields.node.get("version")
    if isinstance(node, ScalarNode) and isinstance(node.value, int | float) and not isinstance(node.value, bool):
        fields.allow("version")
        message = "`version` must be text, got a number"
        fields.problems.error("wrong-type", message, node.span, "write three parts, `1.2.0`, or put it in quotes")
        return None
    return fields.optional_text("version")
