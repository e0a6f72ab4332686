"""Azure's own assignments, exemptions and enrollments, verbatim: child resources of the place they speak for.

They are known by their `type`, by their `id`, or by the keys only they have. Keys nobody reads are tolerated, as
Azure's exports carry many. Source: policy language §1.5, §1.6, §1.8.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from policyengine.language.assignments import parse_azure_assignment
from policyengine.language.documents import Assignment, Enrollment, Exemption
from policyengine.language.exemptions import parse_azure_enrollment, parse_azure_exemption
from policyengine.language.fields import Fields
from policyengine.language.problems import Problems
from policyengine.model.ids import ResourceId
from policyengine.text.nodes import MappingNode, ScalarNode

Child: TypeAlias = Assignment | Exemption | Enrollment
_Parse: TypeAlias = Callable[[Fields, str, ResourceId | None], Child]

_NAMESPACE: Final = "microsoft.authorization/"
_TYPES: Final[Mapping[str, _Parse]] = {
    "policyassignments": parse_azure_assignment,
    "policyexemptions": parse_azure_exemption,
    "policyenrollments": parse_azure_enrollment,
}
_TELLING: Final = {"policyDefinitionId": "policyassignments", "exemptionCategory": "policyexemptions"}
"""Keys of `properties` that only documents of one type have."""


def azure_child_type(node: MappingNode) -> str | None:
    """The folded type name, None for every other document."""
    type = _text(node, "type").casefold()
    if type:
        return next((name for name in _TYPES if type == _NAMESPACE + name), None)
    owner = _owner_and_type(_text(node, "id"))
    if owner is not None:
        return owner[1]
    properties = node.get("properties")
    inner = properties if isinstance(properties, MappingNode) else node
    return next((name for key, name in _TELLING.items() if inner.get(key) is not None), None)


def parse_azure_child(node: MappingNode, type: str, problems: Problems, *, fallback_name: str) -> Child:
    """``fallback_name`` names a document that does not name itself."""
    envelope = Fields(node, "the document", problems)
    id = envelope.text("id")
    owner = _owner_and_type(id)
    name = envelope.optional_text("name") or id.rpartition("/")[2] or fallback_name
    return _TYPES[type](envelope, name, owner[0] if owner is not None else None)


def _owner_and_type(id: str) -> tuple[ResourceId, str] | None:
    """The place a child resource stands on and its folded type name, from its full id."""
    owner, provider, rest = id.rpartition("/providers/")
    namespace, _, tail = rest.partition("/")
    type = tail.partition("/")[0].casefold()
    if not provider or f"{namespace.casefold()}/" != _NAMESPACE or type not in _TYPES:
        return None
    try:
        return ResourceId(owner or "/"), type
    except ValueError:
        return None


def _text(node: MappingNode, key: str) -> str:
    value = node.get(key)
    return value.value if isinstance(value, ScalarNode) and isinstance(value.value, str) else ""
