"""Reasons in words: what a resource has, and what it should have. Policy language §8.4."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from policyengine.effects import words
from policyengine.evaluation import Context, Subject, Trace, trace
from policyengine.language.documents import PolicyDefinition
from policyengine.language.operators import OPERATORS
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


@pytest.mark.parametrize(
    ("operator", "target", "met_by", "must", "must_not"),
    [
        ("equals", '"a"', "a", 'must equal "a"', 'must not equal "a"'),
        ("notEquals", '"a"', "b", 'must not equal "a"', 'must equal "a"'),
        ("like", '"a*"', "ab", 'must be like "a*"', 'must not be like "a*"'),
        ("notLike", '"a*"', "b", 'must not be like "a*"', 'must be like "a*"'),
        ("match", '"#"', "1", 'must match, with case, "#"', 'must not match, with case, "#"'),
        ("notMatch", '"#"', "x", 'must not match, with case, "#"', 'must match, with case, "#"'),
        ("matchInsensitively", '"a#"', "A1", 'must match, without case, "a#"', 'must not match, without case, "a#"'),
        ("notMatchInsensitively", '"a#"', "x", 'must not match, without case, "a#"', 'must match, without case, "a#"'),
        ("contains", '"a"', "cab", 'must contain "a"', 'must not contain "a"'),
        ("notContains", '"a"', "b", 'must not contain "a"', 'must contain "a"'),
        ("in", '["a", "b"]', "a", 'must be in ["a", "b"]', 'must not be in ["a", "b"]'),
        ("notIn", '["a", "b"]', "c", 'must not be in ["a", "b"]', 'must be in ["a", "b"]'),
        ("containsKey", '"a"', {"a": 1}, 'must contain the key "a"', 'must not contain the key "a"'),
        ("notContainsKey", '"a"', {"b": 1}, 'must not contain the key "a"', 'must contain the key "a"'),
        ("less", "3", 2, "must be less than 3", "must be at least 3"),
        ("lessOrEquals", "3", 3, "must be at most 3", "must be greater than 3"),
        ("greater", "3", 4, "must be greater than 3", "must be at most 3"),
        ("greaterOrEquals", "3", 3, "must be at least 3", "must be less than 3"),
        ("exists", "true", "a", "must exist", "must not exist"),
        ("exists", "false", None, "must not exist", "must exist"),
    ],
)
def test_every_operator_has_its_words_in_both_directions(
    look: Callable[..., Trace], operator: str, target: str, met_by: object, must: str, must_not: str
) -> None:
    """§8.4: the direction is what the resource should be, and `not` inverts it."""
    condition = f"{{field: properties.x, {operator}: {target}}}"
    unmet_by = {"exists": "a" if met_by is None else None, "less": 3, "greaterOrEquals": 2, "lessOrEquals": 4}.get(
        operator, {"notContainsKey": {"a": 1}, "notIn": "a", "greater": 3}.get(operator, _opposite(target, operator))
    )
    met, unmet = look(condition, x=met_by), look(condition, x=unmet_by)
    inverted = look(f"{{not: {condition}}}", x=met_by)

    assert (met.result, unmet.result) == (True, False)
    assert [demand.must for demand in words.demands_of_match(met)] == [must_not]
    assert [demand.must for demand in words.demands_of_unmet(unmet)] == [must]
    assert [demand.must for demand in words.demands_of_unmet(inverted)] == [must_not]


def _opposite(target: str, operator: str) -> object:
    """A text that the operator does not hold for."""
    return {"notLike": "ab", "notMatch": "1", "notMatchInsensitively": "a1"}.get(
        operator, target.strip('"') if operator.startswith("not") else "zz"
    )


def test_no_operator_is_without_words() -> None:
    names = {operator.name for operator in OPERATORS.values()}

    assert names == set(words.SHOULD) | set(words.NEGATED)
    assert set(words.NEGATED.values()) <= set(words.SHOULD)


def test_every_value_to_blame_is_listed(look: Callable[..., Trace]) -> None:
    found = look(
        "{allOf: [{field: properties.a, equals: 1}, {anyOf: [{field: properties.b, exists: true}, "
        "{not: {field: properties.c, in: [x]}}]}, {field: properties.d, exists: true}]}",
        a=2,
        c="x",
        d=4,
    )

    assert [(d.leaf.label, d.must) for d in words.demands_of_unmet(found)] == [
        ("a", "must equal 1"),
        ("b", "must exist"),
        ("c", 'must not be in ["x"]'),
    ]


def test_a_secret_is_in_no_demand(look: Callable[..., Trace]) -> None:
    (demand,) = words.demands_of_unmet(
        look(
            "{field: properties.configurationProtectedSettings.key, equals: hunter3}",
            configurationProtectedSettings={"key": "hunter2"},
        )
    )

    assert "hunter" not in f"{demand.must} {demand.leaf.actual} {demand.leaf.expected}"
