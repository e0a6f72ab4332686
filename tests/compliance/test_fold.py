"""What depends on parameters alone is evaluated once, when a policy is bound."""

from __future__ import annotations

import json
from typing import Any

import pytest

from policyengine.compliance.fold import folded
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.parser import parse_documents
from policyengine.language.syntax import Condition, Count, Field


def definition(condition: Any, then: Any = None) -> PolicyDefinition:
    rule = {"if": condition, "then": then or {"effect": "audit"}}
    parameters = {"p": {"type": "String"}, "list": {"type": "Array"}}
    text = json.dumps({"name": "x", "properties": {"parameters": parameters, "policyRule": rule}})
    (found,) = parse_documents(text, "x.json", AliasCatalogue.packaged()).documents
    assert isinstance(found, PolicyDefinition)
    return found


def condition_of(condition: Any, **parameters: Any) -> Condition:
    found = folded(definition(condition), parameters).condition
    assert isinstance(found, Condition)
    return found


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("[parameters('p')]", "Prod"),
        ("[toLower(concat(parameters('P'), '-', first(parameters('list'))))]", "prod-a"),
        ("[if(equals(parameters('p'), 'Prod'), 1, int('x'))]", 1),
        ("[concat('a', 'b')]", "ab"),
    ],
)
def test_what_stands_on_parameters_becomes_a_constant(expression: str, value: Any) -> None:
    found = condition_of({"field": "name", "equals": expression}, p="Prod", list=["a"])

    assert (found.expected.is_constant, found.expected.constant) == (True, value)
    assert found.expected.source == expression


@pytest.mark.parametrize(
    "expression",
    [
        "[field('name')]",
        "[concat(parameters('p'), resourceGroup().name)]",
        "[utcNow()]",
        "[policy().assignmentId]",
        "[int(parameters('p'))]",
        "[parameters('unknown')]",
        "[parameters('list')[7]]",
    ],
)
def test_what_varies_or_fails_stays(expression: str) -> None:
    """It fails where it is evaluated, if it ever is."""
    assert not condition_of({"field": "name", "equals": expression}, p="Prod", list=["a"]).expected.is_constant


def test_names_of_fields_and_the_where_of_a_count_are_folded() -> None:
    where = {"value": "[current()]", "equals": "[parameters('p')]"}
    name = condition_of({"field": "[concat('tags.', parameters('p'))]", "exists": True}, p="env")
    count = condition_of({"count": {"value": "[parameters('list')]", "where": where}, "greater": 0}, p="a", list=["a"])

    assert isinstance(name.operand, Field)
    assert name.operand.name.constant == "tags.env"
    assert isinstance(count.operand, Count)
    assert isinstance(count.operand.where, Condition)
    assert count.operand.where.expected.constant == "a"


def test_what_must_exist_is_folded() -> None:
    condition = {"field": "name", "equals": "[parameters('p')]"}
    details = {"type": "[concat('A.B', '/c')]", "name": "[parameters('p')]", "existenceCondition": condition}
    found = folded(
        definition({"field": "name", "exists": True}, {"effect": "auditIfNotExists", "details": details}), {"p": "x"}
    )

    assert found.then.details is not None
    assert found.then.details.name is not None
    assert (found.then.details.type.constant, found.then.details.name.constant) == ("A.B/c", "x")
    assert isinstance(found.then.details.existence_condition, Condition)
    assert found.then.details.existence_condition.expected.constant == "x"
