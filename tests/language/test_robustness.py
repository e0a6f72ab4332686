"""Whatever a file holds, reading it gives documents and diagnostics, never an exception."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.diagnostic import render

GOLDEN = Path(__file__).parent.parent / "golden" / "diagnostics"
TEXTS = [file.read_text(encoding="utf-8") for file in sorted(GOLDEN.glob("*.yaml"))]

WORDS = """
    allOf anyOf not field value count name where equals in like exists jmespath if then effect details type deployment
    properties template parameters existenceCondition extension fluxConfiguration extensionType gitRepository url
    kustomizations configurationProtectedSettings secretRef within policy ref id dependsOn groups cron interval mode
    defaultValue allowedValues message
"""
SPEC_WORDS = """
    parameters appliesTo when require reconciled dependsOn policyRule nonComplianceMessage mode groups policies policy
    initiative scope notScopes enforcementMode schedule remediation nonComplianceMessages assignment scopes category
    expiresOn policyDefinitionReferenceIds approvedBy
"""
KEYS = st.sampled_from(WORDS.split())
SPEC_KEYS = st.sampled_from(SPEC_WORDS.split())
SCALARS = st.sampled_from(
    [
        None,
        True,
        0,
        -1,
        1.5,
        "",
        "x",
        "[",
        "[x]",
        "[[x]",
        "[parameters('x')]",
        "[concat('a',",
        "*",
        "String",
        "30m",
        "/subscriptions/a",
        "audit",
    ]
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=3), max_leaves=12
)
KINDS = st.sampled_from(["PolicyDefinition", "Initiative", "Assignment", "Exemption"])


def read_all_the_way(text: str) -> None:
    aliases = AliasCatalogue.packaged()
    parsed = parse_documents(text, "file.yaml", aliases)
    library, between = PolicyLibrary.build(parsed.documents)
    for diagnostic in (*parsed.diagnostics, *between, *check(library, aliases)):
        assert render(diagnostic)
        assert "\n" not in diagnostic.message


@settings(max_examples=300, deadline=None)
@given(KINDS, st.dictionaries(SPEC_KEYS, VALUES, max_size=6), VALUES)
def test_no_document_of_ours_is_too_strange(kind: str, spec: dict[str, Any], metadata: Any) -> None:
    document = {"apiVersion": "policyengine/v1", "kind": kind, "metadata": metadata, "spec": spec}

    read_all_the_way(json.dumps(document))


@settings(max_examples=200, deadline=None)
@given(VALUES, VALUES, VALUES)
def test_no_document_of_azures_is_too_strange(condition: Any, then: Any, parameters: Any) -> None:
    rule = {"if": condition, "then": then}

    read_all_the_way(json.dumps({"properties": {"parameters": parameters, "policyRule": rule}, "name": "x"}))
    read_all_the_way(json.dumps({"policyDefinitions": [parameters, then], "policyDefinitionGroups": condition}))


@settings(max_examples=200, deadline=None)
@given(st.sampled_from(TEXTS), st.data())
def test_no_slip_of_the_hand_is_too_strange(text: str, data: st.DataObject) -> None:
    at = data.draw(st.integers(0, len(text)))
    length = data.draw(st.integers(0, 12))
    typed = data.draw(st.text(st.sampled_from("{}[]:-,'\"\n\t &*!|>#x"), max_size=4))

    read_all_the_way(text[:at] + typed + text[at + length :])
