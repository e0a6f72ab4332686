"""Every lint rule fires on what it is for, and leaves its neighbour alone."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from policyengine.language.alias_file import catalogue_of
from policyengine.language.checker import RULES, check
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.text.reader import read, to_value

FILE = Path(__file__).parent.parent / "conformance" / "lint.yaml"
CASES: dict[str, Any] = to_value(read(FILE.read_text(encoding="utf-8"), FILE.name)[0])
AT = datetime(2026, 11, 23, tzinfo=UTC)

LARGE: dict[str, Any] = {
    "LONG": "x" * 513,
    "MANY": [{"field": "name", "equals": f"n{number}"} for number in range(129)],
    "PARAMETERS": {f"p{number}": {"type": "String"} for number in range(21)},
}
"""What the words in capitals stand for."""


def filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: filled(item) for key, item in value.items()}
    if isinstance(value, list):
        return [filled(item) for item in value]
    return LARGE.get(value, value) if isinstance(value, str) else value


def documents(case: Any) -> list[Any]:
    if "if" in case:
        return [{"if": case["if"], "then": {"effect": "audit"}}]
    return case.get("documents") or [case.get("rule") or case["definition"]]


def codes(case: Any, *, at: datetime | None = AT) -> set[str]:
    text = "\n---\n".join(json.dumps(document) for document in filled(documents(case)))
    aliases = catalogue_of(case.get("catalogue"))
    parsed = parse_documents(f"---\n{text}\n", "case.yaml", aliases)
    library, between = PolicyLibrary.build(parsed.documents)
    assert [d.message for d in (*parsed.diagnostics, *between) if d.is_error] == []
    found = check(library, aliases, at=at)
    assert not any(d.is_error for d in found)
    return {d.code for d in found}


@pytest.mark.parametrize("code", RULES)
def test_it_fires(code: str) -> None:
    assert code in codes(CASES[code]["fires"])


@pytest.mark.parametrize("code", RULES)
def test_it_leaves_the_neighbour_alone(code: str) -> None:
    assert code not in codes(CASES[code]["quiet"])


def test_every_rule_has_its_cases_and_is_in_order() -> None:
    assert list(RULES) == sorted(CASES)
    assert len(RULES) >= 30


def test_rules_about_time_wait_for_an_instant() -> None:
    assert "expired-exemption" not in codes(CASES["expired-exemption"]["fires"], at=None)
    assert "long-exemption" not in codes(CASES["long-exemption"]["fires"], at=None)
