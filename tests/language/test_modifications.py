"""`details` of modify and append, and Attestation documents, as text. Policy language §1.9, §6.1, §6.2."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Attestation, PolicyDefinition
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import ParsedFile, parse_documents
from policyengine.model.states import ComplianceState


def parsed(text: str) -> ParsedFile:
    return parse_documents(text, "file.yaml", AliasCatalogue.packaged())


def rule(details: Any, effect: str = "modify") -> ParsedFile:
    return parsed(json.dumps({"if": {"field": "type", "equals": "x"}, "then": {"effect": effect, "details": details}}))


def modify(*operations: Any, **more: Any) -> ParsedFile:
    return rule({"roleDefinitionIds": ["/r"], "operations": list(operations), **more})


ADD = {"operation": "Add", "field": "tags.a", "value": "[parameters('x')]"}


def test_operations_are_read() -> None:
    remove = {"Operation": "REMOVE", "field": "tags['b']", "condition": "[equals(requestContext().apiVersion, 'x')]"}
    (definition,) = modify({**ADD, "value": None}, remove, conflictEffect="Audit").documents

    assert isinstance(definition, PolicyDefinition)
    read = definition.then.modification
    assert read is not None
    assert [(o.kind, o.field.constant, o.value is None) for o in read.operations] == [
        ("add", "tags.a", False),
        ("remove", "tags['b']", True),
    ]
    assert read.operations[1].condition is not None
    assert (read.conflict_effect.constant, read.role_definition_ids) == ("Audit", ("/r",))


def test_the_conflict_effect_is_deny_unless_it_is_said() -> None:
    (definition,) = modify({**ADD, "value": 1}).documents

    assert isinstance(definition, PolicyDefinition)
    assert definition.then.modification is not None
    assert definition.then.modification.conflict_effect.constant == "deny"


@pytest.mark.parametrize(
    ("file", "code", "words"),
    [
        (modify(), "missing-key", "`operations`"),
        (modify({"operation": "add", "field": "tags.a"}), "missing-key", "needs `value`"),
        (modify({"operation": "add", "value": 1}), "missing-key", "needs `field`"),
        (modify({"field": "tags.a", "value": 1}), "missing-key", "needs `operation`"),
        (modify({"operation": "ad", "field": "tags.a", "value": 1}), "unknown-value", "`ad`"),
        (modify({"operation": "remove", "field": "location"}), "invalid-value", "`location` is none"),
        (modify({**ADD, "value": 1}, conflictEffect="denny"), "unknown-value", "`denny`"),
        (modify({**ADD, "value": 1, "condition": "[empty(field('kind'))]"}), "invalid-expression", "`field()`"),
        (
            modify({**ADD, "value": 1, "condition": "[empty(resourceGroup().tags)]"}),
            "invalid-expression",
            "`resourceGroup()`",
        ),
        (modify("x"), "wrong-type", "an operation must be a mapping"),
        (modify({**ADD, "value": 1}, condition="x"), "unknown-key", "`condition`"),
        (rule(None), "missing-key", "needs `details`"),
        (rule(None, "append"), "missing-key", "needs `details`"),
        (rule([{"field": "tags.a"}], "append"), "missing-key", "needs `value`"),
        (rule([{"value": "a"}], "append"), "missing-key", "needs `field`"),
        (rule(["x"], "append"), "wrong-type", "a field to append must be a mapping"),
    ],
)
def test_what_is_wrong_is_pointed_at(file: ParsedFile, code: str, words: str) -> None:
    (problem,) = file.diagnostics

    assert problem.code == code
    assert words in problem.message
    assert problem.span is not None


def test_appended_fields_are_read() -> None:
    (definition,) = rule([{"field": "[concat('tags.', 'a')]", "value": {"b": 1}}], "append").documents

    assert isinstance(definition, PolicyDefinition)
    assert definition.then.modification is not None
    (operation,) = definition.then.modification.operations
    assert (operation.kind, operation.field.source) == ("append", "[concat('tags.', 'a')]")
    assert operation.value is not None
    assert operation.value.constant == {"b": 1}


ATTESTATION = """
apiVersion: policyengine/v1
kind: Attestation
metadata: {name: restored, owner: ada}
spec:
  assignment: backup
  policyDefinitionReferenceId: restore
  scopes: [/subscriptions/77aa/resourceGroups/payments-*]
  complianceState: noncompliant
  expiresOn: 2027-01-05
  assessmentDate: 2026-10-01T12:00:00Z
  comments: took a day
  evidence: [{description: protocol, sourceUri: "https://wiki.example/1"}]
"""


def test_an_attestation_is_read() -> None:
    file = parsed(ATTESTATION)
    (attestation,) = file.documents

    assert file.diagnostics == ()
    assert isinstance(attestation, Attestation)
    assert (attestation.name, attestation.assignment, attestation.reference_id) == ("restored", "backup", "restore")
    assert attestation.state is ComplianceState.NON_COMPLIANT
    assert attestation.expires_on == datetime(2027, 1, 5, tzinfo=UTC)
    assert attestation.assessed_at == datetime(2026, 10, 1, 12, tzinfo=UTC)
    assert (attestation.owner, attestation.comments) == ("ada", "took a day")
    assert [(e.description, e.source_uri) for e in attestation.evidence] == [("protocol", "https://wiki.example/1")]


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ("  complianceState: noncompliant\n", "", "missing-key"),
        ("noncompliant", "Exempt", "unknown-value"),
        ("[/subscriptions/77aa/resourceGroups/payments-*]", "[]", "missing-key"),
        ("  assignment: backup\n", "", "missing-key"),
        ("2027-01-05", "soon", "invalid-date"),
        ("sourceUri", "uri", "unknown-key"),
        ('[{description: protocol, sourceUri: "https://wiki.example/1"}]', "[protocol]", "wrong-type"),
    ],
)
def test_an_attestation_is_checked(old: str, new: str, code: str) -> None:
    assert old in ATTESTATION
    assert [d.code for d in parsed(ATTESTATION.replace(old, new)).diagnostics] == [code]


def test_an_attestation_names_an_assignment_that_exists() -> None:
    _, problems = PolicyLibrary.build(parsed(ATTESTATION).documents)

    assert [problem.message for problem in problems] == ["there is no assignment `backup`"]
