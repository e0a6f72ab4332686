"""Every function of the table, with the results that matter. Source: policy language §5.4 and §6.4."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.errors import ExpressionError
from policyengine.expressions.compiled import Where, compile_value
from policyengine.expressions.functions import FUNCTIONS, Calling
from policyengine.expressions.resolve import LAMBDAS

Run = Callable[..., Any]

ANYWHERE: list[tuple[str, Any]] = [
    # text
    ("toLower('ÄbC')", "äbc"),
    ("toUpper('äbC')", "ÄBC"),
    ("trim('  a b\t')", "a b"),
    ("split('a,b,,c', ',')", ["a", "b", "", "c"]),
    ("split('a,b;c', createArray(',', ';'))", ["a", "b", "c"]),
    ("split('a.b', '')", ["a.b"]),
    ("replace('a-b-c', '-', '')", "abc"),
    ("replace('aBb', 'b', '*')", "aB*"),
    ("substring('abcdef', 2, 3)", "cde"),
    ("substring('abc', 3)", ""),
    ("startsWith('Flux', 'fL')", True),
    ("endsWith('Flux', 'UX')", True),
    ("indexOf('Kubernetes', 'BER')", 2),
    ("indexOf('abc', 'z')", -1),
    ("lastIndexOf('aXax', 'AX')", 2),
    ("lastIndexOf('aaa', 'aa')", 1),
    ("padLeft('5', 3)", "  5"),
    ("padLeft(5, 3, '0')", "005"),
    ("padLeft('12345', 3)", "12345"),
    ("join(createArray('a', 1, true()), '-')", "a-1-True"),
    ("format('{0}/{1} {{x}}', 'a', 7)", "a/7 {x}"),
    ("format('{0,4}|{0,-4}|{1:D3}|{2:X2}', 'ab', 7, 255)", "  ab|ab  |007|FF"),
    ("format('{0:N1} {0:F3} {1:000} {2}', 1234.5, 7, null())", "1,234.5 1234.500 007 "),
    # arrays, and what treats texts, arrays and objects alike
    ("concat('a', 1, true, null)", "a1True"),
    ("concat()", ""),
    ("concat(createArray(1), createArray('b'))", [1, "b"]),
    ("contains('Flux', 'flux')", False),
    ("contains('port 80', 80)", True),
    ("contains(createArray(1, 'b'), 'B')", False),
    ("contains(createArray(1, 'b'), 1)", True),
    ("contains(parameters('object'), 'NAME')", True),
    ("empty(null())", True),
    ("empty('')", True),
    ("empty(createObject())", True),
    ("empty(createArray(0))", False),
    ("length('abc')", 3),
    ("length(parameters('object'))", 3),
    ("first('abc')", "a"),
    ("first('')", ""),
    ("first(createArray())", None),
    ("last(createArray(1, 2))", 2),
    ("last('')", ""),
    ("take('abc', 2)", "ab"),
    ("take('abc', 9)", "abc"),
    ("take('abc', -1)", ""),
    ("skip(createArray(1, 2, 3), 1)", [2, 3]),
    ("skip('abc', 9)", ""),
    ("createArray(1, 'a')", [1, "a"]),
    ("array('a')", ["a"]),
    ("array(createArray(1))", [1]),
    ("range(3, 3)", [3, 4, 5]),
    ("union(createArray(1, 2), createArray(2, 3, '2'))", [1, 2, 3, "2"]),
    (
        'union(json(\'{"a":{"x":1},"b":1}\'), json(\'{"A":{"y":2},"b":[2]}\'))',
        {"a": {"x": 1, "y": 2}, "b": [2]},
    ),
    ("intersection(createArray(1, 2, 2, 3), createArray(3, 2))", [2, 3]),
    ("intersection(createObject('a', 1, 'b', 2), createObject('A', 1, 'b', '2'))", {"a": 1}),
    # objects
    ("createObject('a', 1, 'b', createArray())", {"a": 1, "b": []}),
    ("items(createObject('b', 1, 'A', 2))", [{"key": "A", "value": 2}, {"key": "b", "value": 1}]),
    ("tryGet(parameters('object'), 'INNER', 'n')", 1),
    ("tryGet(parameters('array'), 1)", 20),
    ("tryGet(null(), 'a', 'b')", None),
    ("json('null')", None),
    ("json('[1, {\"a\": true}]')", [1, {"a": True}]),
    # numbers
    ("add(1, 2)", 3),
    ("sub(1, 2)", -1),
    ("mul(3, -2)", -6),
    ("div(-7, 2)", -3),
    ("mod(-7, 3)", -1),
    ("min(3, 1, 2)", 1),
    ("max(createArray(3, 7, 2))", 7),
    ("int('-12')", -12),
    ("int(3.9)", 3),
    ("float('1.5')", 1.5),
    ("bool('1')", True),
    ("bool('False')", False),
    ("bool(0)", False),
    ("string(true())", "True"),
    ("string(parameters('array'))", '[10,20,{"n":3}]'),
    ("string(2.0)", "2"),
    # logic
    ("equals(1, 1.0)", True),
    ("equals(true(), 1)", False),
    ("less('a', 'B')", True),
    ("lessOrEquals(2, 2)", True),
    ("greater('A', 'a')", True),
    ("greaterOrEquals('2024-02-01', '2023-12-01')", True),
    ("not(false())", True),
    ("if(true(), 1, substring('', 9))", 1),
    ("and(true(), false(), bool('broken'))", False),
    ("or(false(), true(), bool('broken'))", True),
    ("coalesce(null(), '', 'x')", ""),
    ("coalesce(null())", None),
    ("true()", True),
    ("false()", False),
    ("null()", None),
    # encoding
    ("base64('Flux ü')", "Rmx1eCDDvA=="),
    ("base64ToString('Rmx1eCDDvA==')", "Flux ü"),
    ("base64ToJson('eyJhIjogMX0=')", {"a": 1}),
    ("uri('https://example.org/a/', 'b/c')", "https://example.org/a/b/c"),
    ("uriComponent('a b/c?ü')", "a%20b%2Fc%3F%C3%BC"),
    ("uriComponentToString('a%20b%2Fc')", "a b/c"),
    ("dataUri('Hello')", "data:text/plain;charset=utf8;base64,SGVsbG8="),
    ("dataUriToString('data:text/plain;charset=utf8;base64,SGVsbG8=')", "Hello"),
    ("dataUriToString('data:,a%20b')", "a b"),
    # names derived from values: the published ones
    ("uniqueString('test')", "rbgf3xv4ufgzg"),
    ("uniqueString('hello', 'world')", "a7wkljktk6wne"),
    ("uniqueString('abc')", "cgtzqvhu4i23s"),
    ("uniqueString('foo', 'bar', 'baz')", "xzi4ioaxtmth4"),
    ("uniqueString('/subscriptions/00000000-0000-0000-0000-000000000000/resourceGroups/my-rg')", "bmg7c6xu4tw46"),
    ("guid('a', 'b')", "2d796349-8c7e-55ec-9624-54ece82ed031"),
]

RULE: list[tuple[str, Any]] = [
    ("equals('Flux', 'fLUX')", True),
    ("equals('true', true())", True),
    ("equals(' 3 ', 3)", True),
    ("equals('yes', true())", False),
    ("equals(null(), '')", True),
    ("equals(null(), 0)", False),
    ("equals(createArray('a'), createArray('A'))", False),
    ("utcNow()", "2026-07-02T08:09:10.1234560Z"),
    ("addDays('2026-02-27T00:00:00Z', 2)", "2026-03-01T00:00:00.0000000Z"),
    ("addDays(utcNow(), -1)", "2026-07-01T08:09:10.1234560Z"),
    ("ipRangeContains('10.0.0.0/8', '10.2.3.4')", True),
    ("ipRangeContains('10.0.0.0-10.0.0.9', '10.0.0.8/31')", True),
    ("ipRangeContains('2001:db8::/32', '2001:db9::1')", False),
]

_AKS = "'Microsoft.ContainerService/managedClusters'"

TEMPLATE: list[tuple[str, Any]] = [
    ("equals('Flux', 'flux')", False),
    ("equals('3', 3)", False),
    ("equals(createObject('a', createArray(1)), createObject('A', createArray(1.0)))", True),
    ("utcNow()", "20260702T080910Z"),
    ("utcNow('yyyy-MM-dd HH:mm:ss.fff')", "2026-07-02 08:09:10.123"),
    ("utcNow('d MMMM yyyy, h:mm tt')", "2 July 2026, 8:09 AM"),
    ("dateTimeAdd('2026-01-31T00:00:00Z', 'P1M')", "2026-02-28T00:00:00.0000000Z"),
    ("dateTimeAdd('2026-01-31T00:00:00Z', '-P1DT1.5S', 'o')", "2026-01-29T23:59:58.5000000Z"),
    ("dateTimeAdd('2026-03-01T12:00:00+02:00', 'PT1H', 'u')", "2026-03-01 11:00:00Z"),
    ("dateTimeFromEpoch(1683040573)", "2023-05-02T15:16:13Z"),
    ("dateTimeToEpoch('2023-05-02T15:16:13Z')", 1683040573),
    (
        f"resourceId({_AKS}, 'c')",
        "/subscriptions/s1/resourceGroups/rg1/providers/Microsoft.ContainerService/managedClusters/c",
    ),
    (
        f"resourceId('rg2', concat({_AKS}, '/agentPools'), 'c', 'p')",
        "/subscriptions/s1/resourceGroups/rg2/providers/Microsoft.ContainerService/managedClusters/c/agentPools/p",
    ),
    ("resourceId('s2', 'rg2', 'A.B/c', 'd')", "/subscriptions/s2/resourceGroups/rg2/providers/A.B/c/d"),
    ("subscriptionResourceId('A.B/c', 'd')", "/subscriptions/s1/providers/A.B/c/d"),
    ("subscriptionResourceId('s2', 'A.B/c', 'd')", "/subscriptions/s2/providers/A.B/c/d"),
    ("tenantResourceId('A.B/c', 'd')", "/providers/A.B/c/d"),
    ("extensionResourceId('/subscriptions/s1', 'A.B/c', 'd')", "/subscriptions/s1/providers/A.B/c/d"),
]


@pytest.mark.parametrize(("text", "expected"), ANYWHERE + RULE)
def test_function_in_a_rule(in_rule: Run, text: str, expected: Any) -> None:
    result = in_rule(f"[{text}]")

    assert (type(result), result) == (type(expected), expected)


@pytest.mark.parametrize(("text", "expected"), ANYWHERE + TEMPLATE)
def test_function_in_a_template(in_template: Run, text: str, expected: Any) -> None:
    result = in_template(f"[{text}]")

    assert (type(result), result) == (type(expected), expected)


@pytest.mark.parametrize("name", [f.name for f in FUNCTIONS.values() if f.calling is not Calling.SUPPLIED])
def test_function_has_a_case(name: str) -> None:
    """A function added to the table needs its results written here."""
    assert any(f"{name}(" in text for text, _ in ANYWHERE + RULE + TEMPLATE)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("substring('abc', 2, 2)", "position 2, length 2 is outside a text of 3 characters"),
        ("int('1.5')", "`1.5` is not a whole number"),
        ("float('nan')", "`nan` is not a number"),
        ("bool('yes')", "`yes` is neither true nor false"),
        ("json('{')", "the text is not JSON"),
        ("json('NaN')", "the text is not JSON"),
        ("div(1, 0)", "division by zero"),
        ("min(createArray())", "the array is empty"),
        ("min(createArray('a'))", "the values must be numbers, got a text"),
        ("length(null())", "argument 1 of `length()` must be a text or an array or an object, got null"),
        ("concat('a', createArray())", "arrays join with arrays only, got a text"),
        ("union(createArray(), createObject())", "the arguments must all be arrays or all be objects"),
        ("createObject('a')", "keys and values must come in pairs"),
        ("createObject(1, 2)", "a key must be a text, got a whole number"),
        ("range(0, 10001)", "the count must be 0 to 10000, got 10001"),
        ("padLeft('a', 3, 'xy')", "the padding must be one character, got `xy`"),
        ("padLeft('a', 999999)", "the width 999999 is more than 131072"),
        ("format('{1}', 'a')", "the pattern asks for value 1, only 1 were given"),
        ("format('{', 'a')", "a lone `{` in the pattern"),
        ("format('{0:Q}', 1)", "the format specifier `Q` is not known"),
        ("less(1, 'a')", "two numbers or two texts can be compared, got a whole number and a text"),
        ("if('true', 1, 2)", "a condition must be a boolean, got a text"),
        ("base64ToString('$')", "the text is not base 64 of a UTF-8 text"),
        ("dataUriToString('x')", "the text is not a data URI"),
        ("replace('a', '', 'b')", "the text to replace must not be empty"),
        ("mul(float('1e300'), float('1e300'))", "the result is too large"),
        ("mul(1e300, padLeft('x', 1))", "argument 2 of `mul()` must be a whole number or a number, got a text"),
        ("resourceId('a', 'b')", "a resource type such as"),
        ("resourceId('A.B/c')", "`resourceId()` takes at least 2 arguments, got 1"),
        ("resourceId('A.B/c', 'd', 'e')", "`A.B/c` needs 1 name, got 2"),
        ("dateTimeAdd('2026-01-01', 'tomorrow')", "`tomorrow` is not an ISO 8601 duration"),
        ("dateTimeAdd('soon', 'P1D')", "`soon` is not an ISO 8601 date"),
        ("dateTimeAdd('9999-12-31', 'P1M')", "the date leaves the calendar"),
    ],
)
def test_function_refuses(in_template: Run, text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        in_template(f"[{text}]")

    assert message in caught.value.message
    assert caught.value.offset is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("ipRangeContains('10.0.0.9-10.0.0.1', '10.0.0.2')", "the range `10.0.0.9-10.0.0.1` is empty"),
        ("ipRangeContains('10.0.0.0/8', '::1')", "are of different address families"),
        ("ipRangeContains('ten', '::1')", "`ten` is not an address, a CIDR block or a range"),
    ],
)
def test_address_ranges_are_checked(in_rule: Run, text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        in_rule(f"[{text}]")

    assert message in caught.value.message


NOT_IN_RULES = [
    "copyIndex",
    "dateTimeAdd",
    "dateTimeFromEpoch",
    "dateTimeToEpoch",
    "deployment",
    "environment",
    "extensionResourceId",
    "listKeys",
    "listAccountSas",
    "managementGroup",
    "newGuid",
    "pickZones",
    "providers",
    "reference",
    "resourceId",
    "subscriptionResourceId",
    "tenantResourceId",
    "tenant",
    "variables",
    "filter",
    "map",
    "reduce",
    "sort",
]


@pytest.mark.parametrize("name", NOT_IN_RULES)
def test_template_function_is_refused_in_a_rule(name: str) -> None:
    """Source: policy language §5.4, the list of functions that do not exist in a rule."""
    with pytest.raises(ExpressionError, match="may not be used in a policy rule"):
        compile_value(f"[{name}('a', 'b', 'c')]", where=Where.RULE)


@pytest.mark.parametrize("name", ["field", "current", "addDays", "ipRangeContains", "policy", "requestContext"])
def test_rule_function_is_refused_in_a_template(name: str) -> None:
    with pytest.raises(ExpressionError, match="may not be used in a deployment template"):
        compile_value(f"[{name}('a')]", where=Where.TEMPLATE)


@pytest.mark.parametrize("name", sorted(LAMBDAS))
def test_lambda_is_said_to_be_missing(name: str) -> None:
    with pytest.raises(ExpressionError, match="is not in this release"):
        compile_value(f"[{name}()]", where=Where.TEMPLATE)


def test_results_have_a_limit(in_template: Run) -> None:
    text = "padLeft('', 131072)"
    with pytest.raises(ExpressionError, match="longer than 131072 characters"):
        in_template(f"[concat({text}, 'x')]")
