"""Azure's own documents, verbatim: definitions and initiatives as an envelope, bare properties, or a bare rule.

Extra keys outside the rule are tolerated, as Azure's exports carry many. Source: policy language §1.1, §1.4.
"""

from __future__ import annotations

from typing import Final

from policyengine.language.definitions import parse_rule
from policyengine.language.details import check_effect_parameter
from policyengine.language.documents import (
    Initiative,
    InitiativeGroup,
    InitiativeMember,
    Parameter,
    PolicyDefinition,
    Reference,
)
from policyengine.language.fields import Fields, first_line
from policyengine.language.parameters import parse_parameters
from policyengine.language.problems import Problems
from policyengine.language.scalars import check_parameter_names, compile_node, reference_of
from policyengine.language.selectors import MAX_MEMBERS, warn_above
from policyengine.model.diagnostic import Span
from policyengine.text.nodes import MappingNode, Node, ScalarNode, to_value

_POLICY_TYPES: Final = {name: name for name in ("NotSpecified", "BuiltIn", "Custom", "Static")}


def is_azure(node: MappingNode) -> bool:
    """True for every shape in which Azure's definitions and initiatives are passed around."""
    inner = node.get("properties")
    shapes = [node, inner] if isinstance(inner, MappingNode) else [node]
    if any(shape.get(key) is not None for shape in shapes for key in ("policyRule", "policyDefinitions")):
        return True
    return node.get("if") is not None and node.get("then") is not None


def parse_azure(node: MappingNode, problems: Problems, *, fallback_name: str) -> PolicyDefinition | Initiative:
    """``fallback_name`` names a document that does not name itself."""
    envelope = Fields(node, "the document", problems)
    inner = envelope.node.get("properties")
    properties = Fields(inner, "`properties`", problems) if isinstance(inner, MappingNode) else envelope
    azure_id = envelope.optional_text("id")
    name = envelope.optional_text("name") or (azure_id or "").rpartition("/")[2] or fallback_name
    if properties.node.get("policyDefinitions") is not None:
        return _parse_initiative(properties, name, azure_id)
    return _parse_definition(properties, name, azure_id)


def _parse_definition(properties: Fields, name: str, azure_id: str | None) -> PolicyDefinition:
    problems = properties.problems
    parameters = parse_parameters(properties.mapping("parameters"), problems, verbatim=True)
    node = properties.mapping("policyRule") if properties.node.get("policyRule") else properties.node
    rule = Fields(node if node is not None else properties.node, "`policyRule`", problems)
    condition, then = parse_rule(rule)
    check_parameter_names(rule.node, parameters, problems)
    check_effect_parameter(then, parameters, problems)
    return PolicyDefinition(
        name=name,
        condition=condition,
        then=then,
        parameters=parameters,
        display_name=properties.text("displayName"),
        description=properties.text("description"),
        version=_version(properties),
        mode=properties.optional_text("mode"),
        policy_type=properties.choice("policyType", _POLICY_TYPES, "Custom"),
        category=_category(properties),
        metadata=_metadata(properties),
        azure_id=azure_id,
        is_bare_rule=rule.node is properties.node,
        span=first_line(properties.node),
    )


def _metadata(properties: Fields) -> dict[str, object]:
    node = properties.mapping("metadata")
    return to_value(node) if node is not None else {}


def _category(properties: Fields) -> str:
    node = properties.mapping("metadata")
    category = node.get("category") if node is not None else None
    return str(category.value) if isinstance(category, ScalarNode) else ""


def _version(properties: Fields) -> str | None:
    """`version`, or the older `metadata.version`."""
    version = properties.optional_text("version")
    metadata = properties.mapping("metadata")
    older = metadata.get("version") if metadata is not None else None
    return version or (str(older.value) if isinstance(older, ScalarNode) else None)


def _parse_initiative(properties: Fields, name: str, azure_id: str | None) -> Initiative:
    parameters = parse_parameters(properties.mapping("parameters"), properties.problems, verbatim=True)
    members: list[InitiativeMember] = []
    warn_above(MAX_MEMBERS, len(properties.items("policyDefinitions")), "members", properties, "policyDefinitions")
    for item in properties.items("policyDefinitions"):
        member = _parse_member(item, parameters, len(members) + 1, properties)
        if member is not None:
            members.append(member)
    return Initiative(
        name=name,
        members=tuple(members),
        parameters=parameters,
        groups=tuple(_parse_group(item, properties.problems) for item in properties.items("policyDefinitionGroups")),
        display_name=properties.text("displayName"),
        description=properties.text("description"),
        version=_version(properties),
        metadata=_metadata(properties),
        azure_id=azure_id,
        is_built_in=properties.choice("policyType", _POLICY_TYPES, "Custom") == "BuiltIn",
        span=first_line(properties.node),
    )


def _parse_member(
    node: Node, parameters: dict[str, Parameter], number: int, initiative: Fields
) -> InitiativeMember | None:
    problems = initiative.problems
    if not isinstance(node, MappingNode):
        initiative.wrong_type(node, "each of `policyDefinitions`", "a mapping")
        return None
    fields = Fields(node, "a member of `policyDefinitions`", problems)
    id = fields.required_text("policyDefinitionId")
    target = fields.node.get("policyDefinitionId")
    span: Span = target.span if target is not None else first_line(node)
    version = fields.optional_text("definitionVersion")
    reference = reference_of(id, span, problems, version=version) if id else Reference("", None, span)
    values = fields.mapping("parameters")
    for entry in values or ():
        check_parameter_names(entry.value, parameters, problems)
    return InitiativeMember(
        reference=reference,
        reference_id=fields.optional_text("policyDefinitionReferenceId") or f"{id.rpartition('/')[2]}-{number}",
        parameters={entry.name: compile_node(plain_value(entry.value), problems) for entry in values or ()},
        group_names=fields.texts("groupNames"),
        span=first_line(node),
    )


def plain_value(node: Node) -> Node:
    """The value of Azure's ``{value: …}``; any other node is the value itself."""
    if isinstance(node, MappingNode) and len(node.entries) == 1 and node.entries[0].name.casefold() == "value":
        return node.entries[0].value
    return node


def _parse_group(node: Node, problems: Problems) -> InitiativeGroup:
    if not isinstance(node, MappingNode):
        problems.error("wrong-type", "a group must be a mapping", first_line(node))
        return InitiativeGroup("")
    fields = Fields(node, "a group", problems)
    return InitiativeGroup(
        name=fields.required_text("name"),
        display_name=fields.text("displayName"),
        category=fields.text("category"),
        description=fields.text("description"),
    )
