"""Assignments, ours and Azure's own. Source: experience, "Policy file format", "Assignment"; policy language §1.5."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from policyengine.language.azure import plain_value
from policyengine.language.documents import (
    Assignment,
    EnforcementMode,
    NonComplianceMessage,
    Reference,
    RemediationMode,
)
from policyengine.language.fields import Fields, first_line
from policyengine.language.metadata import METADATA_KEYS, parse_metadata
from policyengine.language.problems import Problems
from policyengine.language.scalars import reference_of, version_pattern_of
from policyengine.language.schedules import parse_schedule
from policyengine.language.scopes import patterns_of, scope_of
from policyengine.language.selectors import parse_overrides, parse_resource_selectors, warn_above
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopePattern
from policyengine.text.nodes import MappingNode, Node, ScalarNode, to_value

MAX_NOT_SCOPES: Final = 400

_NOT_YET: Final = ("recheck", "notify")
_REMEDIATION_NOT_YET: Final = (
    *("parallel", "failureThreshold", "windows", "rings", "approvals", "blastRadius", "timeout", "onFailure"),
    *("quarantine", "maxDuration"),
)
_MODES: Final = {mode.value: mode for mode in RemediationMode}
_ENFORCEMENT: Final = {mode.value: mode for mode in EnforcementMode}


def parse_assignment(document: Fields) -> Assignment:
    """A document of kind Assignment."""
    metadata = parse_metadata(document)
    spec = document.inner("spec", "the spec of an Assignment")
    if spec is None:
        document.missing("spec")
        return Assignment(metadata.name, ResourceId("/"), span=metadata.span)
    policy, initiative = _parse_target(spec)
    values = _parse_parameters(spec)
    schedule = spec.inner("schedule", "`schedule`")
    assignment = Assignment(
        name=metadata.name,
        scope=scope_of(spec),
        policy=policy,
        initiative=initiative,
        not_scopes=_parse_not_scopes(spec),
        enforcement_mode=spec.choice("enforcementMode", _ENFORCEMENT, EnforcementMode.DEFAULT),
        parameters={name: to_value(node) for name, node in values.items()},
        parameter_spans={name: first_line(node) for name, node in values.items()},
        non_compliance_messages=parse_messages(spec),
        resource_selectors=parse_resource_selectors(spec),
        overrides=parse_overrides(spec),
        schedule=parse_schedule(schedule) if schedule else None,
        remediation_mode=_parse_remediation(spec),
        display_name=metadata.display_name,
        description=metadata.description,
        owner=metadata.owner,
        span=metadata.span,
    )
    spec.not_yet(*_NOT_YET)
    spec.allow("identity", "location")  # Azure's: who deploys, and where that identity lives
    spec.close({"metadata": METADATA_KEYS})
    return assignment


def parse_azure_assignment(envelope: Fields, name: str, scope: ResourceId | None) -> Assignment:
    """Azure's own document. ``scope`` is where its id says it stands."""
    properties = envelope.inner("properties", "`properties`") or envelope
    target = properties.required_text("policyDefinitionId")
    node = properties.node.get("policyDefinitionId")
    reference = reference_of(target, node.span, properties.problems) if target and node is not None else None
    is_set = "/policysetdefinitions/" in target.casefold()
    version = _parse_version(properties)
    if reference is not None and version is not None:
        reference = replace(reference, version=version)
    values = _parse_parameters(properties)
    return Assignment(
        name=name,
        scope=scope or scope_of(properties),
        policy=None if is_set else reference,
        initiative=reference if is_set else None,
        not_scopes=_parse_not_scopes(properties),
        enforcement_mode=properties.choice("enforcementMode", _ENFORCEMENT, EnforcementMode.DEFAULT),
        parameters={name: to_value(node) for name, node in values.items()},
        parameter_spans={name: first_line(node) for name, node in values.items()},
        non_compliance_messages=parse_messages(properties),
        resource_selectors=parse_resource_selectors(properties),
        overrides=parse_overrides(properties),
        display_name=properties.text("displayName"),
        description=properties.text("description"),
        owner=_assigned_by(properties),
        span=first_line(properties.node),
    )


def _assigned_by(properties: Fields) -> str:
    metadata = properties.inner("metadata", "`metadata`")
    return metadata.text("assignedBy") if metadata is not None else ""


def _parse_parameters(spec: Fields) -> dict[str, Node]:
    """`{name: value}`, or Azure's `{name: {value: …}}`."""
    return {entry.name: plain_value(entry.value) for entry in spec.mapping("parameters") or ()}


def _parse_not_scopes(spec: Fields) -> tuple[ScopePattern, ...]:
    patterns = patterns_of(spec, "notScopes")
    warn_above(MAX_NOT_SCOPES, len(patterns), "excluded scopes", spec, "notScopes")
    return patterns


def _parse_version(fields: Fields) -> str | None:
    text, node = fields.optional_text("definitionVersion"), fields.node.get("definitionVersion")
    return version_pattern_of(text, node.span, fields.problems) if text is not None and node is not None else None


def _parse_target(spec: Fields) -> tuple[Reference | None, Reference | None]:
    policy, initiative = _parse_reference(spec, "policy"), _parse_reference(spec, "initiative")
    written = [entry for entry in spec.node if entry.name.casefold() in {"policy", "initiative"}]
    if not written:
        spec.missing("policy", "name one definition (`policy`) or one initiative (`initiative`)")
    elif policy is not None and initiative is not None:
        message = "an assignment has a `policy` or an `initiative`, not both"
        spec.problems.error("unknown-key", message, written[1].key.span, "make two assignments")
        return policy, None
    version = _parse_version(spec)
    return _pinned(policy, version, spec), _pinned(initiative, version, spec)


def _pinned(reference: Reference | None, version: str | None, spec: Fields) -> Reference | None:
    if reference is None or version is None:
        return reference
    if reference.version is not None:
        node = spec.node.get("definitionVersion")
        message = f"`{reference}` and `definitionVersion` both give a version"
        span = node.span if node is not None else reference.span
        spec.problems.error("invalid-reference", message, span, "remove one of the two")
    return replace(reference, version=version)


def _parse_reference(spec: Fields, name: str) -> Reference | None:
    text = spec.optional_text(name)
    node = spec.node.get(name)
    return reference_of(text, node.span, spec.problems) if text and node is not None else None


def _parse_remediation(spec: Fields) -> RemediationMode:
    fields = spec.inner("remediation", "`remediation`")
    if fields is None:
        return RemediationMode.PLAN
    mode = fields.choice("mode", _MODES, RemediationMode.PLAN, later=("approve",))
    fields.not_yet(*_REMEDIATION_NOT_YET)
    fields.close()
    return mode


def parse_messages(spec: Fields) -> tuple[NonComplianceMessage, ...]:
    """`nonComplianceMessages: [{message, policyDefinitionReferenceId}]`, or one text for all."""
    node = spec.node.get("nonComplianceMessages")
    if isinstance(node, ScalarNode) and isinstance(node.value, str):
        return (NonComplianceMessage(spec.text("nonComplianceMessages")),)
    return tuple(_parse_message(item, spec.problems) for item in spec.items("nonComplianceMessages"))


def _parse_message(node: Node, problems: Problems) -> NonComplianceMessage:
    if not isinstance(node, MappingNode):
        problems.error("wrong-type", "a message must be a mapping", first_line(node), "write `{message: …}`")
        return NonComplianceMessage("")
    fields = Fields(node, "a message", problems)
    id = fields.node.get("policyDefinitionReferenceId")
    message = NonComplianceMessage(
        fields.required_text("message"),
        fields.optional_text("policyDefinitionReferenceId"),
        id.span if id is not None else None,
    )
    fields.close()
    return message
