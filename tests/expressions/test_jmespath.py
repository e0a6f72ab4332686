from __future__ import annotations

from datetime import UTC, datetime

import pytest

from policyengine.errors import ExpressionError
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.model.values import JSON

AT = datetime(2026, 7, 2, 12, 0, tzinfo=UTC)

CLUSTER: JSON = {
    "name": "edge-1",
    "tags": {"Ring": "canary"},
    "properties": {"version": "1.29.4", "lastSeen": "2026-06-30T00:00:00.0000000Z", "address": "10.1.2.3"},
    "related": {"fluxConfigurations": [{"name": "a"}, {"name": "b"}]},
}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("length(related.fluxConfigurations)", 2),
        ("related.fluxConfigurations[?name=='b'].name | [0]", "b"),
        ("missing.deeply", None),
        ("semver_compare(properties.version, '1.30')", -1),
        ("semver_compare('v1.29.4', properties.version)", 0),
        ("semver_compare('2.0.0', '2.0.0-rc.2')", 1),
        ("semver_compare('2.0.0-rc.10', '2.0.0-rc.2')", 1),
        ("semver_compare('1.0.0-alpha', '1.0.0-alpha.1')", -1),
        ("semver_compare('1.0.0-1', '1.0.0-a')", -1),
        ("semver_compare('1.0.0+b1', '1.0.0+b2')", 0),
        ("semver_compare(missing, '1.0')", None),
        ("version_minor(properties.version)", 29),
        ("version_minor(missing)", None),
        ("age_days(properties.lastSeen)", 2.5),
        ("age_days(missing)", None),
        ("lower(name) == 'edge-1'", True),
        ("lower(missing)", None),
        ("matches(name, '^edge-[0-9]+$')", True),
        ("matches(missing, 'x')", False),
        ("get_tag(@, 'ring')", "canary"),
        ("get_tag(@, 'owner')", None),
        ("get_tag(missing, 'owner')", None),
        ("cidr_contains('10.0.0.0/8', properties.address)", True),
        ("cidr_contains('10.0.0.0/8', missing)", False),
    ],
)
def test_expression_finds(text: str, expected: JSON) -> None:
    assert compile_jmespath(text).search(CLUSTER, at=AT) == expected


def test_text_is_kept_as_written() -> None:
    assert compile_jmespath(" a . b ").text == " a . b "


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("", 0, "the JMESPath expression is empty"),
        ("a[", 2, "the JMESPath expression is cut short"),
        ("a..b", 2, "`.` does not belong here"),
        ("a ^ b", 2, "`^` does not belong here"),
        ("length(a) + lenght(b)", 10, "`+` does not belong here"),
        ("a && lenght(b)", 5, "`lenght` is not a JMESPath function"),
        ("semver_compare(a)", 0, "`semver_compare()` takes 2 arguments, got 1"),
        ("merge()", 0, "`merge()` takes at least 1 argument, got 0"),
        ("!" * 5000 + "a", 0, "the JMESPath expression nests too deeply"),
    ],
)
def test_bad_expression_is_refused_when_compiled(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_jmespath(text)

    assert (caught.value.message, caught.value.offset) == (message, offset)


def test_unknown_function_gets_a_suggestion() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_jmespath("semver_comapre(a, b)")

    assert caught.value.help == "did you mean `semver_compare`?"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("length(properties.count)", "`length()` takes string or array or object, got null"),
        ("contains(name, `3`)", "`contains(name, `3`)` cannot be evaluated"),
        ("semver_compare('one', 'two')", "`one` is not a version"),
        ("matches(name, '[')", "`[` is not a regular expression"),
        ("age_days('soon')", "`soon` is not an ISO 8601 date"),
        ("cidr_contains('ten', '10.0.0.1')", "`ten` is not an address"),
    ],
)
def test_wrong_value_is_an_expression_error(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_jmespath(text).search(CLUSTER, at=AT)

    assert message in caught.value.message
    assert "\n" not in caught.value.message
