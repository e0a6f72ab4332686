"""Our Initiative documents. Source: experience, "Policy file format", "Initiative"."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from policyengine.language.documents import Initiative, InitiativeGroup, InitiativeMember, Parameter, Reference
from policyengine.language.fields import Fields, first_line
from policyengine.language.metadata import METADATA_KEYS, parse_metadata
from policyengine.language.parameters import parse_parameters
from policyengine.language.problems import Problems
from policyengine.language.scalars import check_parameter_names, compile_node, is_name, reference_of, references_of
from policyengine.language.selectors import MAX_MEMBERS, warn_above
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.text.nodes import MappingNode, Node

_MEMBER_NOT_YET = ("effect", "overrides", "resourceSelectors")


def parse_initiative(document: Fields) -> Initiative:
    """A document of kind Initiative."""
    metadata = parse_metadata(document)
    spec = document.inner("spec", "the spec of an Initiative")
    if spec is None:
        document.missing("spec")
        return Initiative(metadata.name, (), span=metadata.span)
    parameters = parse_parameters(spec.mapping("parameters"), spec.problems)
    groups = tuple(_parse_group(item, spec.problems) for item in spec.items("groups"))
    members = _parse_members(spec, parameters, [group.name for group in groups])
    initiative = Initiative(
        name=metadata.name,
        members=members,
        parameters=parameters,
        groups=groups,
        depends_on=references_of(spec, "dependsOn"),
        display_name=metadata.display_name,
        description=metadata.description,
        version=metadata.version,
        metadata=metadata.everything,
        span=metadata.span,
    )
    spec.not_yet("overrides", "resourceSelectors", "remediation")
    spec.close({"metadata": METADATA_KEYS})
    return initiative


def _parse_group(node: Node, problems: Problems) -> InitiativeGroup:
    if not isinstance(node, MappingNode):
        problems.error("wrong-type", "a group must be a mapping", first_line(node), "write `{name: …}`")
        return InitiativeGroup("")
    fields = Fields(node, "a group", problems)
    group = InitiativeGroup(
        name=fields.required_text("name"),
        display_name=fields.text("displayName"),
        category=fields.text("category"),
        description=fields.text("description"),
        controls=fields.texts("controls"),
    )
    fields.close()
    return group


def _parse_members(
    spec: Fields, parameters: Mapping[str, Parameter], groups: Sequence[str]
) -> tuple[InitiativeMember, ...]:
    if spec.node.entry("policies") is None:
        spec.missing("policies", "write `policies: [{ref: …, id: …}]`")
    warn_above(MAX_MEMBERS, len(spec.items("policies")), "members", spec, "policies")
    members: list[InitiativeMember] = []
    for item in spec.items("policies"):
        if not isinstance(item, MappingNode):
            spec.wrong_type(item, "each of `policies`", "a mapping")
            continue
        member = _parse_member(Fields(item, "a member of `policies`", spec.problems), parameters, groups)
        twin = next((m for m in members if m.reference_id.casefold() == member.reference_id.casefold()), None)
        if twin is not None:
            help = "give each a different `id`"
            message = f"two members have the id `{member.reference_id}`"
            spec.problems.error("duplicate-name", message, member.span, help)
        members.append(member)
    return tuple(members)


def _parse_member(fields: Fields, parameters: Mapping[str, Parameter], groups: Sequence[str]) -> InitiativeMember:
    problems = fields.problems
    span: Span = first_line(fields.node)
    ref = fields.required_text("ref")
    node = fields.node.get("ref")
    version = fields.optional_text("definitionVersion")
    pinned = reference_of(ref, node.span, problems, version=version) if ref and node is not None else None
    if pinned is not None and "@" in ref and version is not None:
        message = f"`{ref}` and `definitionVersion` both give a version"
        problems.error("invalid-reference", message, pinned.span, "remove one of the two")
    reference = pinned or Reference("", None, span)
    values = fields.mapping("parameters")
    for entry in values or ():
        check_parameter_names(entry.value, parameters, problems)
    member = InitiativeMember(
        reference=reference,
        reference_id=_reference_id(fields, reference),
        parameters={entry.name: compile_node(entry.value, problems) for entry in values or ()},
        group_names=_group_names(fields, groups),
        depends_on=fields.texts("dependsOn"),
        span=span,
    )
    fields.not_yet(*_MEMBER_NOT_YET)
    fields.close()
    return member


def _reference_id(fields: Fields, reference: Reference) -> str:
    """`id`, or the definition's name."""
    id = fields.optional_text("id")
    node = fields.node.get("id")
    if id is not None and node is not None and not is_name(id):
        help = "use letters, digits, `-`, `_` and `.`"
        fields.problems.error("invalid-name", f"`{id}` cannot be the id of a member", node.span, help)
    if id is None and " " in reference.name:
        fields.missing("id", "a display name is too long to be one")
    return id or reference.name.rpartition("/")[2]


def _group_names(fields: Fields, groups: Sequence[str]) -> tuple[str, ...]:
    names = fields.texts("groups")
    node = fields.node.get("groups")
    for name in names:
        if name.casefold() not in {group.casefold() for group in groups} and node is not None:
            message = f"the initiative has no group `{name}`"
            fields.problems.error("missing-reference", message, node.span, did_you_mean(name, groups))
    return names
