"""Exemptions and enrollments, ours and Azure's own: both speak about scopes of one assignment.

Source: experience, "Policy file format", "Exemption"; policy language §1.6, §1.8.
"""

from __future__ import annotations

from datetime import datetime
from typing import Any, Final

from policyengine.language.documents import Enrollment, Exemption, ExemptionCategory
from policyengine.language.fields import Fields, first_line
from policyengine.language.metadata import METADATA_KEYS, Metadata, parse_metadata
from policyengine.language.scalars import instant_of
from policyengine.language.scopes import patterns_of
from policyengine.language.selectors import parse_resource_selectors
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopePattern

_CATEGORIES: Final = {category.value: category for category in ExemptionCategory}
VALIDATION: Final = {"Default": False, "DoNotValidate": True}


def parse_exemption(document: Fields) -> Exemption:
    """A document of kind Exemption."""
    metadata = parse_metadata(document)
    spec = document.inner("spec", "the spec of an Exemption")
    if spec is None:
        document.missing("spec")
        return Exemption(metadata.name, "", (), ExemptionCategory.WAIVER, span=metadata.span)
    if not spec.items("scopes"):
        spec.missing("scopes", "name the places that are exempt")
    exemption = _exemption(metadata, spec)
    spec.allow("remindBefore")
    spec.close({"metadata": METADATA_KEYS})
    return exemption


def parse_enrollment(document: Fields) -> Enrollment:
    """A document of kind Enrollment."""
    metadata = parse_metadata(document)
    spec = document.inner("spec", "the spec of an Enrollment")
    if spec is None:
        document.missing("spec")
        return Enrollment(metadata.name, "", (), span=metadata.span)
    if not spec.items("scopes"):
        spec.missing("scopes", "name the places from which on the assignment is enforced")
    enrollment = Enrollment(
        name=metadata.name,
        assignment=spec.required_text("assignment"),
        scopes=patterns_of(spec, "scopes"),
        span=metadata.span,
        **_narrowing(spec),
    )
    spec.close({"metadata": METADATA_KEYS})
    return enrollment


def parse_azure_exemption(envelope: Fields, name: str, scope: ResourceId | None) -> Exemption:
    """Azure's own document; ``scope`` is where its id says it stands."""
    properties = envelope.inner("properties", "`properties`") or envelope
    return Exemption(
        name=name,
        assignment=properties.required_text("policyAssignmentId"),
        scopes=_own_scope(properties, scope),
        category=_parse_category(properties, "exemptionCategory"),
        expires_on=_parse_expiry(properties),
        reason=properties.text("description") or properties.text("displayName"),
        span=first_line(properties.node),
        **_narrowing(properties),
    )


def parse_azure_enrollment(envelope: Fields, name: str, scope: ResourceId | None) -> Enrollment:
    """Azure's own document; ``scope`` is where its id says it stands."""
    properties = envelope.inner("properties", "`properties`") or envelope
    return Enrollment(
        name=name,
        assignment=properties.required_text("policyAssignmentId"),
        scopes=_own_scope(properties, scope),
        span=first_line(properties.node),
        **_narrowing(properties),
    )


def _exemption(metadata: Metadata, spec: Fields) -> Exemption:
    return Exemption(
        name=metadata.name,
        assignment=spec.required_text("assignment"),
        scopes=patterns_of(spec, "scopes"),
        category=_parse_category(spec, "category"),
        expires_on=_parse_expiry(spec),
        reason=spec.text("reason"),
        owner=metadata.owner,
        ticket=metadata.ticket,
        approved_by=spec.texts("approvedBy"),
        span=metadata.span,
        **_narrowing(spec),
    )


def _narrowing(fields: Fields) -> dict[str, Any]:
    """What both kinds share, as arguments: members, selectors, and whether scopes are checked."""
    return {
        "reference_ids": fields.texts("policyDefinitionReferenceIds"),
        "reference_spans": tuple(item.span for item in fields.items("policyDefinitionReferenceIds")),
        "resource_selectors": parse_resource_selectors(fields),
        "any_scope": fields.choice("assignmentScopeValidation", VALIDATION, False),
    }


def _own_scope(properties: Fields, scope: ResourceId | None) -> tuple[ScopePattern, ...]:
    if scope is None:
        properties.missing("id", "the place it speaks for is the beginning of its full `id`")
        return ()
    return (ScopePattern(scope.text),)


def _parse_category(fields: Fields, name: str) -> ExemptionCategory:
    if fields.take(name) is None:
        fields.missing(name, "choose `Waiver` (accepted) or `Mitigated` (solved by other means)")
    return fields.choice(name, _CATEGORIES, ExemptionCategory.WAIVER)


def _parse_expiry(spec: Fields) -> datetime | None:
    text = spec.optional_text("expiresOn")
    node = spec.node.get("expiresOn")
    return instant_of(text, node.span, spec.problems) if text is not None and node is not None else None
