"""Our Exemption documents. Source: experience, "Policy file format", "Exemption"; policy language §1.8."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from policyengine.language.documents import Exemption, ExemptionCategory
from policyengine.language.fields import Fields
from policyengine.language.metadata import METADATA_KEYS, Metadata, parse_metadata
from policyengine.language.scalars import instant_of
from policyengine.language.scopes import patterns_of

_CATEGORIES: Final = {category.value: category for category in ExemptionCategory}
_NOT_YET: Final = ("resourceSelectors", "assignmentScopeValidation")


def parse_exemption(document: Fields) -> Exemption:
    """A document of kind Exemption."""
    metadata = parse_metadata(document)
    spec = document.inner("spec", "the spec of an Exemption")
    if spec is None:
        document.missing("spec")
        return Exemption(metadata.name, "", (), ExemptionCategory.WAIVER, span=metadata.span)
    if not spec.items("scopes"):
        spec.missing("scopes", "name the places that are exempt")
    if spec.take("category") is None:
        spec.missing("category", "choose `Waiver` (accepted) or `Mitigated` (solved by other means)")
    exemption = _exemption(metadata, spec)
    spec.not_yet(*_NOT_YET)
    spec.allow("remindBefore")
    spec.close({"metadata": METADATA_KEYS})
    return exemption


def _exemption(metadata: Metadata, spec: Fields) -> Exemption:
    return Exemption(
        name=metadata.name,
        assignment=spec.required_text("assignment"),
        scopes=patterns_of(spec, "scopes"),
        category=spec.choice("category", _CATEGORIES, ExemptionCategory.WAIVER),
        reference_ids=spec.texts("policyDefinitionReferenceIds"),
        expires_on=_parse_expiry(spec),
        reason=spec.text("reason"),
        owner=metadata.owner,
        ticket=metadata.ticket,
        approved_by=spec.texts("approvedBy"),
        span=metadata.span,
    )


def _parse_expiry(spec: Fields) -> datetime | None:
    text = spec.optional_text("expiresOn")
    node = spec.node.get("expiresOn")
    return instant_of(text, node.span, spec.problems) if text is not None and node is not None else None
