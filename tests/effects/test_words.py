"""Reasons in words: what a resource has, and what it should have. Policy language §8.4."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.effects import words
from policyengine.evaluation import Context, Subject, Trace, trace
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import AllOf
from policyengine.model.resource import Cluster

Define = Callable[[str], PolicyDefinition]
MakeCluster = Callable[..., Cluster]
MakeContext = Callable[..., Context]


@pytest.fixture
def look(definition: Define, cluster: MakeCluster, context: MakeContext) -> Callable[..., Trace]:
    def look(condition: str, **properties: object) -> Trace:
        on = cluster(properties=properties)
        rule = definition(f"policyRule: {{if: {condition}, then: {{effect: audit}}}}").condition
        return trace(rule, Subject.of(on.resource, context(on)))

    return look


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        ("{field: properties.train, equals: Stable}", 'train is "Preview", wanted "Stable"'),
        ("{field: properties.none, equals: Stable}", 'none is missing, wanted "Stable"'),
        ("{field: properties.train, notEquals: preview}", 'train must not equal "preview"'),
        ("{field: properties.train, in: [Stable, LTS]}", 'train must be in ["Stable", "LTS"], is "Preview"'),
        ("{field: properties.train, notIn: [Preview]}", 'train must not be in ["Preview"], is "Preview"'),
        ("{field: properties.train, like: 'S*'}", 'train must be like "S*", is "Preview"'),
        ("{field: properties.train, notLike: 'P*'}", 'train must not be like "P*", is "Preview"'),
        ("{field: properties.train, match: 'a#'}", 'train must match, with case, "a#", is "Preview"'),
        ("{field: properties.train, contains: x}", 'train must contain "x", is "Preview"'),
        ("{field: properties.n, greater: 5}", "n must be greater than 5, is 3"),
        ("{field: properties.n, lessOrEquals: 2}", "n must be at most 2, is 3"),
        ("{field: properties.none, exists: true}", "none is missing"),
        ("{field: properties.train, exists: 'false'}", 'train must not exist, is "Preview"'),
        ("{not: {field: properties.train, equals: preview}}", 'train must not equal "preview"'),
        ("{not: {field: properties.train, notEquals: x}}", 'train is "Preview", wanted "x"'),
        (
            "{anyOf: [{field: properties.none, equals: a}, {field: properties.train, equals: b}]}",
            'none is missing, wanted "a" (or 1 other)',
        ),
        (
            "{count: {field: 'properties.list[*]'}, greater: 2}",
            "count(list[*]) must be greater than 2, is 1",
        ),
        ("{field: 'properties.list[*]', equals: a}", 'list[*] is "x", wanted "a"'),
        ("{field: 'properties.gone[*]', equals: a}", 'gone[*] is missing, wanted "a"'),
        ("{field: properties.flag, equals: true}", "flag is false, wanted true"),
    ],
)
def test_an_unmet_clause_says_what_it_wanted(look: Callable[..., Trace], condition: str, text: str) -> None:
    found = look(condition, train="Preview", n=3, list=["x"], flag=False)

    assert words.of_unmet(found) == text


TYPE = "{field: type, equals: Microsoft.Kubernetes/connectedClusters}"


@pytest.mark.parametrize(
    ("condition", "text"),
    [
        (f"{{allOf: [{TYPE}, {{field: properties.train, equals: preview}}]}}", 'train must not equal "preview"'),
        (f"{{allOf: [{TYPE}, {{field: properties.flag, notEquals: true}}]}}", "flag is false, wanted true"),
        (f"{{allOf: [{TYPE}, {{field: properties.none, exists: false}}]}}", "none is missing"),
        (
            f"{{allOf: [{TYPE}, {{not: {{field: properties.train, in: [Stable]}}}}]}}",
            'train must be in ["Stable"], is "Preview"',
        ),
        (
            "{allOf: [{field: properties.n, less: 5}, {field: properties.flag, equals: false}]}",
            "n must be at least 5, is 3; flag is false, wanted true",
        ),
        (
            "{anyOf: [{field: properties.n, equals: 9}, {field: properties.flag, equals: false}]}",
            "flag is false, wanted true",
        ),
        (TYPE, words.HOLDS_ALWAYS),
        (f"{{allOf: [{TYPE}, {{field: name, like: '*'}}]}}", 'name must not be like "*", is "edge-1"'),
        (
            f"{{allOf: [{TYPE}, {{field: name, like: '*'}}, {{field: location, exists: true}}]}}",
            'location must not exist, is "norwayeast"',
        ),
    ],
)
def test_a_match_says_what_should_be_different(look: Callable[..., Trace], condition: str, text: str) -> None:
    found = look(condition, train="Preview", n=3, flag=False)

    assert words.of_match(found) == text


@pytest.mark.parametrize(
    ("operator", "expected", "text"),
    [
        ("less", 900 / 86_400, "last changed 160 d ago, allowed 15 m"),
        ("lessOrEquals", 1 + 5_400 / 86_400, "last changed 160 d ago, allowed 1 d 1 h 30 m"),
        ("greater", 200, "last changed 160 d ago, wanted at least 200 d"),
        ("equals", 3, "age_days(systemData.lastModifiedAt) is 160.8, wanted 3"),
        ("less", "xy", 'age_days(systemData.lastModifiedAt) must be less than "xy", is 160.8'),
    ],
)
def test_an_age_is_told_in_units_people_use(operator: str, expected: object, text: str) -> None:
    age = Trace(AllOf(()), "jmespath", "age_days(systemData.lastModifiedAt)", operator, False, 160.8, expected)

    assert words.of_unmet(age) == text


@pytest.mark.parametrize(
    ("label", "actual", "text"),
    [
        ("age_days(systemData.createdAt)", 0.5, "created 12 h ago, allowed 7 d"),
        ("age_days( properties.lastSeen )", 30.2, "properties.lastSeen was 30 d ago, allowed 7 d"),
        ("age_days(properties.lastSeen)", 0, "properties.lastSeen was 0 s ago, allowed 7 d"),
        ("age_days(properties.lastSeen)", None, "properties.lastSeen is missing"),
    ],
)
def test_any_age_is_told_by_what_it_is_the_age_of(label: str, actual: float | None, text: str) -> None:
    assert words.of_unmet(Trace(AllOf(()), "jmespath", label, "less", False, actual, 7)) == text


def test_long_values_are_cut(look: Callable[..., Trace]) -> None:
    found = look("{field: properties.x, equals: y}", x="z" * 500)

    assert len(words.of_unmet(found)) < 120


def test_secrets_are_not_told(look: Callable[..., Trace]) -> None:
    found = look(
        "{field: properties.configurationProtectedSettings.key, equals: hunter3}",
        configurationProtectedSettings={"key": "hunter2"},
    )

    assert "hunter" not in words.of_unmet(found)
