"""Our Assignment documents. Source: experience, "Policy file format", "Assignment"; policy language §1.5."""

from __future__ import annotations

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
from policyengine.language.scalars import reference_of
from policyengine.language.schedules import parse_schedule
from policyengine.language.scopes import patterns_of, scope_of
from policyengine.model.ids import ResourceId
from policyengine.text.nodes import MappingNode, Node, ScalarNode, to_value

_NOT_YET: Final = ("resourceSelectors", "overrides", "recheck", "notify", "definitionVersion", "identity", "location")
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
    parameters = spec.mapping("parameters")
    values = {entry.name: plain_value(entry.value) for entry in parameters or ()}
    schedule = spec.inner("schedule", "`schedule`")
    assignment = Assignment(
        name=metadata.name,
        scope=scope_of(spec),
        policy=policy,
        initiative=initiative,
        not_scopes=patterns_of(spec, "notScopes"),
        enforcement_mode=spec.choice("enforcementMode", _ENFORCEMENT, EnforcementMode.DEFAULT, later=("Enroll",)),
        parameters={name: to_value(node) for name, node in values.items()},
        parameter_spans={name: first_line(node) for name, node in values.items()},
        non_compliance_messages=_parse_messages(spec),
        schedule=parse_schedule(schedule) if schedule else None,
        remediation_mode=_parse_remediation(spec),
        display_name=metadata.display_name,
        description=metadata.description,
        owner=metadata.owner,
        span=metadata.span,
    )
    spec.not_yet(*_NOT_YET)
    spec.close({"metadata": METADATA_KEYS})
    return assignment


def _parse_target(spec: Fields) -> tuple[Reference | None, Reference | None]:
    policy, initiative = _parse_reference(spec, "policy"), _parse_reference(spec, "initiative")
    written = [entry for entry in spec.node if entry.name.casefold() in {"policy", "initiative"}]
    if not written:
        spec.missing("policy", "name one definition (`policy`) or one initiative (`initiative`)")
    elif policy is not None and initiative is not None:
        message = "an assignment has a `policy` or an `initiative`, not both"
        spec.problems.error("unknown-key", message, written[1].key.span, "make two assignments")
        return policy, None
    return policy, initiative


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


def _parse_messages(spec: Fields) -> tuple[NonComplianceMessage, ...]:
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
    message = NonComplianceMessage(fields.required_text("message"), fields.optional_text("policyDefinitionReferenceId"))
    fields.close()
    return message
