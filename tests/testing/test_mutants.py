"""Every kind of change is made, one at a time, and the policy itself is left alone."""

from __future__ import annotations

import pytest

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.parser import parse_documents
from policyengine.testing import mutants


def policy(condition: str) -> PolicyDefinition:
    text = f'{{"policyRule": {{"if": {condition}, "then": {{"effect": "audit"}}}}}}'
    parsed = parse_documents(text, "p.json", AliasCatalogue.packaged())
    assert not parsed.diagnostics
    (definition,) = parsed.documents
    assert isinstance(definition, PolicyDefinition)
    return definition


KIND = '{"field": "kind", "equals": "x"}'
NAME = '{"field": "name", "exists": true}'


@pytest.mark.parametrize(
    ("condition", "changes"),
    [
        (KIND, ["made `notEquals`", 'compared with "x-mutant"']),
        (NAME, ["compared with false"]),
        ('{"field": "kind", "less": 3}', ["made `lessOrEquals`", "made `greaterOrEquals`", "compared with 4"]),
        ('{"field": "kind", "in": ["a", "b"]}', ["made `notIn`", 'without "a"', 'without "b"']),
        ('{"field": "kind", "equals": null}', ["made `notEquals`"]),
        ('{"field": "kind", "equals": "[field(\'name\')]"}', ["made `notEquals`"]),
        (
            f'{{"not": {KIND}}}',
            ["`not` dropped", "made `notEquals`", 'compared with "x-mutant"'],
        ),
        (
            f'{{"anyOf": [{NAME}, {NAME}]}}',
            ["`anyOf` made `allOf`", "dropped", "compared with false", "dropped", "compared with false"],
        ),
        (f'{{"allOf": [{NAME}]}}', ["compared with false"]),
        (
            f'{{"count": {{"field": "Microsoft.Test/x/y[*]", "where": {NAME}}}, "greater": 0}}',
            ["made `greaterOrEquals`", "made `lessOrEquals`", "compared with 1", "compared with false"],
        ),
    ],
)
def test_changes_of_a_condition(condition: str, changes: list[str]) -> None:
    definition = policy(condition)
    before = definition.condition
    made = list(mutants(definition))

    assert all(mutant.change.endswith(change) for mutant, change in zip(made, changes, strict=True))
    assert definition.condition is before
    assert all(m.definition.condition is not before and m.place is not None for m in made)
