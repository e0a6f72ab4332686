"""Documents that speak of others (initiatives, assignments, exemptions, enrollments) → the JSON that Azure takes.

Ours name each other; Azure's have full ids, so it has to be known where in Azure our own definitions stand.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC
from typing import Final

from policyengine.language.azure import is_azure
from policyengine.language.azure_children import azure_child_type
from policyengine.language.documents import (
    Assignment,
    Cloud,
    EnforcementMode,
    Enrollment,
    Exemption,
    Initiative,
    InitiativeMember,
    PolicyDefinition,
    Reference,
)
from policyengine.language.exportable import Obstacle
from policyengine.language.exporter import (
    DEFINITION_TYPE,
    OWN_KEYS,
    Losses,
    compact,
    enveloped,
    export_definition,
    write_parameters,
)
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document
from policyengine.language.problems import Problems
from policyengine.language.rule_writer import write_value
from policyengine.model.diagnostic import Span, did_you_mean
from policyengine.model.ids import ResourceId
from policyengine.model.values import JSON, walk
from policyengine.text.nodes import MappingNode, to_value
from policyengine.text.paths import place_of

INITIATIVE_TYPE: Final = "Microsoft.Authorization/policySetDefinitions"
ASSIGNMENT_TYPE: Final = "Microsoft.Authorization/policyAssignments"
EXEMPTION_TYPE: Final = "Microsoft.Authorization/policyExemptions"
ENROLLMENT_TYPE: Final = "Microsoft.Authorization/policyEnrollments"


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What a document is exported among. ``scope`` is where in Azure our own definitions and initiatives stand.

    ``nodes`` are what the documents were read from.
    """

    library: PolicyLibrary
    nodes: Mapping[Document, MappingNode]
    scope: ResourceId | None = None


def export_document(document: Document, around: Surroundings, losses: Losses) -> list[dict[str, JSON]]:
    """One document of Azure's, or one for each scope of an exemption or enrollment."""
    node = around.nodes[document]
    if isinstance(document, PolicyDefinition):
        return [export_definition(document, node, losses)]
    if is_azure(node) and isinstance(document, Initiative):
        return [enveloped(node, document.name, INITIATIVE_TYPE)]
    if (type := azure_child_type(node)) is not None:
        return [enveloped(node, document.name, f"Microsoft.Authorization/{_CHILDREN[type]}")]
    writer = _Writer(around, losses, node)
    if isinstance(document, Initiative):
        return [writer.initiative(document)]
    if isinstance(document, Assignment):
        return [writer.assignment(document)]
    if isinstance(document, Exemption | Enrollment):
        return list(writer.leave(document))
    message = "an attestation stands on one resource in Azure, and ours speaks of scopes"
    losses.problems.error("not-exportable", message, document.span)
    return []


_CHILDREN: Final = {
    "policyassignments": "policyAssignments",
    "policyexemptions": "policyExemptions",
    "policyenrollments": "policyEnrollments",
}


@dataclass(frozen=True, slots=True)
class _Writer:
    """Writes one of our documents, read from ``node``."""

    around: Surroundings
    losses: Losses
    node: MappingNode

    def initiative(self, initiative: Initiative) -> dict[str, JSON]:
        members = [m for member in initiative.members if (m := self._member(initiative, member)) is not None]
        order = {member.reference_id: list(member.depends_on) for member in initiative.members if member.depends_on}
        controls = {group.name: list(group.controls) for group in initiative.groups if group.controls}
        own = {"dependsOn": [str(r) for r in initiative.depends_on], "memberOrder": order, "groupControls": controls}
        properties: dict[str, JSON] = {
            "displayName": initiative.display_name,
            "policyType": "Custom",
            "description": initiative.description,
            "metadata": compact({**self._described(), **own}),
            "parameters": write_parameters(initiative.parameters),
            "policyDefinitions": members,
            "policyDefinitionGroups": [
                compact(
                    {
                        "name": group.name,
                        "displayName": group.display_name,
                        "category": group.category,
                        "description": group.description,
                    }
                )
                for group in initiative.groups
            ],
        }
        return {"name": initiative.name, "type": INITIATIVE_TYPE, "properties": compact(properties)}

    def _member(self, initiative: Initiative, member: InitiativeMember) -> dict[str, JSON] | None:
        definition = self.around.library.definition_of(initiative, member)
        if definition is not None and (reason := self._why_not(definition)) is not None:
            sentence = f"`{member.reference_id}` is a policy that cannot be exported: {reason}"
            if self.losses.note(
                Obstacle(sentence, member.span), "export the policy by itself to see all", loosens=True
            ):
                return None
        id = self._definition_id(member.reference, definition, member.span)
        return compact(
            {
                "policyDefinitionId": id,
                "definitionVersion": self._version(member.reference, id),
                "policyDefinitionReferenceId": member.reference_id,
                "parameters": {name: {"value": write_value(value)} for name, value in member.parameters.items()},
                "groupNames": list(member.group_names),
            }
        )

    def _why_not(self, definition: PolicyDefinition) -> str | None:
        """The first thing that keeps a member's definition from being exported."""
        problems = Problems()
        node = self.around.nodes[definition]
        export_definition(definition, node, Losses(problems, self.losses.manner))
        return next((d.message for d in problems.found if d.is_error), None)

    def assignment(self, assignment: Assignment) -> dict[str, JSON]:
        reference = assignment.policy or assignment.initiative
        assert reference is not None
        if assignment.policy is not None:
            definition = self.around.library.definition(reference, assignment.cloud)
            id = self._definition_id(reference, definition, reference.span, assignment.scope)
        else:
            id = self._initiative_id(reference, assignment.cloud, assignment.scope)
        for number, pattern in enumerate(assignment.not_scopes):
            self._check_wildcard(pattern.text, number, "notScopes")
        is_default = assignment.enforcement_mode is EnforcementMode.DEFAULT
        messages = [
            compact({"message": m.message, "policyDefinitionReferenceId": m.reference_id})
            for m in assignment.non_compliance_messages
        ]
        own = {
            "assignedBy": assignment.owner,
            "schedule": self._written("spec", "schedule"),
            "remediation": self._written("spec", "remediation"),
        }
        properties: dict[str, JSON] = {
            "displayName": assignment.display_name,
            "description": assignment.description,
            "metadata": compact({**self._described(), **own}),
            "scope": assignment.scope.text,
            "policyDefinitionId": id,
            "definitionVersion": self._version(reference, id),
            "notScopes": [pattern.text for pattern in assignment.not_scopes],
            "enforcementMode": None if is_default else assignment.enforcement_mode.value,
            "parameters": {name: {"value": value} for name, value in assignment.parameters.items()},
            "nonComplianceMessages": messages,
            "resourceSelectors": self._written("spec", "resourceSelectors"),
            "overrides": self._written("spec", "overrides"),
        }
        outer = {"location": self._written("spec", "location"), "identity": self._written("spec", "identity")}
        head = {"id": assignment.id, "name": assignment.name, "type": ASSIGNMENT_TYPE}
        return {**head, **compact(outer), "properties": compact(properties)}

    def leave(self, document: Exemption | Enrollment) -> Iterator[dict[str, JSON]]:
        assignment = self.around.library.assignment(document.assignment)
        id = assignment.id if assignment is not None else document.assignment
        if not id.startswith("/"):
            help = did_you_mean(id, [a.name for a in self.around.library.assignments])
            self.losses.problems.error("missing-reference", f"there is no assignment `{id}`", document.span, help)
        type = EXEMPTION_TYPE if isinstance(document, Exemption) else ENROLLMENT_TYPE
        properties: dict[str, JSON] = {
            **self._of_exemption(document),
            "policyAssignmentId": id,
            "policyDefinitionReferenceIds": list(document.reference_ids),
            "assignmentScopeValidation": "DoNotValidate" if document.any_scope else None,
            "resourceSelectors": self._written("spec", "resourceSelectors"),
        }
        for number, pattern in enumerate(document.scopes):
            self._check_wildcard(pattern.text, number, "scopes")
            own = f"{pattern.text.rstrip('/')}/providers/{type}/{document.name}"
            yield {"id": own, "name": document.name, "type": type, "properties": compact(properties)}

    def _of_exemption(self, document: Exemption | Enrollment) -> dict[str, JSON]:
        described = self._described()
        if isinstance(document, Enrollment):
            return {"metadata": described}
        expiry = document.expires_on
        own = {"approvedBy": list(document.approved_by), "remindBefore": self._written("spec", "remindBefore")}
        return {
            "displayName": self._written("metadata", "displayName"),
            "description": document.reason,
            "metadata": compact({**described, **own}),
            "exemptionCategory": document.category.value,
            "expiresOn": expiry.astimezone(UTC).isoformat().replace("+00:00", "Z") if expiry is not None else None,
        }

    def _definition_id(
        self, reference: Reference, found: PolicyDefinition | None, span: Span | None, near: ResourceId | None = None
    ) -> str:
        known = found.azure_id if found is not None else None
        name = found.name if found is not None else reference.name
        return known or self._own_id(name, DEFINITION_TYPE, found is not None, span, near)

    def _initiative_id(self, reference: Reference, cloud: Cloud, near: ResourceId) -> str:
        found = self.around.library.initiative(reference, cloud)
        known = found.azure_id if found is not None else None
        name = found.name if found is not None else reference.name
        return known or self._own_id(name, INITIATIVE_TYPE, found is not None, reference.span, near)

    def _own_id(self, name: str, type: str, is_found: bool, span: Span | None, near: ResourceId | None) -> str:
        """The id one of our own documents will have in Azure."""
        if name.startswith("/"):
            return name
        if not is_found:
            self.losses.problems.error("missing-reference", f"`{name}` is not defined", span)
        scope = self.around.scope or (_home(near) if near is not None else None)
        if scope is None:
            help = "say where with `--scope`: a management group or a subscription"
            message = f"Azure needs the full id of `{name}`, and it is not known where in Azure it will stand"
            self.losses.note(Obstacle(message, span), help)
        return f"{scope or ''}/providers/{type}/{name}"

    def _version(self, reference: Reference, id: str) -> str | None:
        """Azure's own are pinned, to a minor version at most; it knows no versions of others."""
        if reference.version is None or not id.casefold().startswith("/providers/microsoft.authorization/"):
            return None
        numbers, dash, preview = reference.version.partition("-")
        parts = [*numbers.split("."), "*", "*"][:3]
        if parts[2] != "*":
            reason = f"`{reference.version}` pins a patch, and Azure takes every patch of a minor version"
            self.losses.note(Obstacle(reason, reference.span), f"write `{parts[0]}.{parts[1]}.*`", loosens=True)
        return ".".join([*parts[:2], "*"]) + dash + preview

    def _check_wildcard(self, text: str, number: int, key: str) -> None:
        if "*" in text:
            reason = f"`{text}` has a wildcard, and Azure's scopes have none"
            span = place_of(self.node, ("spec", key, number))
            self.losses.note(Obstacle(reason, span), "name each place, or use `resourceSelectors`")

    def _described(self) -> dict[str, JSON]:
        metadata = self._written("metadata")
        return {key: value for key, value in metadata.items() if key.casefold() not in OWN_KEYS}

    def _written(self, *path: str) -> JSON:
        """What stands in the document, verbatim."""
        return walk(to_value(self.node), *path)


def _home(scope: ResourceId) -> ResourceId | None:
    """The management group or subscription that a scope is or is in: definitions stand in such places only."""
    if scope.management_group is not None:
        return scope
    return ResourceId.for_subscription(scope.subscription) if scope.subscription is not None else None
