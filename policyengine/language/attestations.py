"""Our Attestation documents. Source: policy language §1.9; the shape follows our Exemption."""

from __future__ import annotations

from datetime import datetime
from typing import Final

from policyengine.language.documents import Attestation, Evidence
from policyengine.language.fields import Fields, first_line, one_of
from policyengine.language.metadata import METADATA_KEYS, Metadata, parse_metadata
from policyengine.language.problems import Problems
from policyengine.language.scalars import instant_of
from policyengine.language.scopes import patterns_of
from policyengine.model.states import ComplianceState
from policyengine.text.nodes import MappingNode, Node, describe

STATES: Final = {
    state.value: state for state in (ComplianceState.COMPLIANT, ComplianceState.NON_COMPLIANT, ComplianceState.UNKNOWN)
}


def parse_attestation(document: Fields) -> Attestation:
    """A document of kind Attestation."""
    metadata = parse_metadata(document)
    spec = document.inner("spec", "the spec of an Attestation")
    if spec is None:
        document.missing("spec")
        return Attestation(metadata.name, "", (), ComplianceState.UNKNOWN, span=metadata.span)
    if not spec.items("scopes"):
        spec.missing("scopes", "name the clusters, or the places they are in")
    if spec.take("complianceState") is None:
        spec.missing("complianceState", one_of(STATES))
    attestation = _attestation(metadata, spec)
    spec.close({"metadata": METADATA_KEYS})
    return attestation


def _attestation(metadata: Metadata, spec: Fields) -> Attestation:
    return Attestation(
        name=metadata.name,
        assignment=spec.required_text("assignment"),
        scopes=patterns_of(spec, "scopes"),
        state=spec.choice("complianceState", STATES, ComplianceState.UNKNOWN),
        reference_id=spec.optional_text("policyDefinitionReferenceId"),
        expires_on=_instant(spec, "expiresOn"),
        assessed_at=_instant(spec, "assessmentDate"),
        owner=metadata.owner,
        comments=spec.text("comments"),
        evidence=tuple(_evidence(item, spec.problems) for item in spec.items("evidence")),
        span=metadata.span,
    )


def _instant(spec: Fields, name: str) -> datetime | None:
    text = spec.optional_text(name)
    node = spec.node.get(name)
    return instant_of(text, node.span, spec.problems) if text is not None and node is not None else None


def _evidence(node: Node, problems: Problems) -> Evidence:
    if not isinstance(node, MappingNode):
        problems.error("wrong-type", f"each of `evidence` must be a mapping, got {describe(node)}", first_line(node))
        return Evidence()
    fields = Fields(node, "an `evidence`", problems)
    evidence = Evidence(fields.text("description"), fields.text("sourceUri"))
    fields.close()
    return evidence
