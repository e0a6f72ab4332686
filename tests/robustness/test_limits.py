"""Nothing that people or documents hold takes the machine: everything is answered, or refused with its reason, soon.

Source: policy language §5.5, limits.
"""

# ruff: noqa: E501 (one case a line reads best)
from __future__ import annotations

import json
import re
import resource
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from typing import Any

import pytest

from policyengine import evaluate, parse_definition
from policyengine.errors import ExpressionError, PolicyEngineError, TemplateError
from policyengine.expressions.compiled import Where
from policyengine.templates import DeploymentScope, expand

CPU_S = 10.0
"""What is let run takes a second at most; what should be refused and is not takes minutes, or never ends."""
MEMORY_KIB = 200 * 1024

MANY = 100_000
LONG = "x" * 1_000_000
TEXTS = [str(number) for number in range(MANY)]
OBJECTS = [{"n": number, "s": str(number), "in": [1, 2]} for number in range(MANY)]
STEPS = "the evaluation takes more than 50,000 steps"
TOO_LONG = "the result is longer than 131072 characters"
TOO_MANY = "the result holds more than 32,768 values"

SCOPE = DeploymentScope(
    {"id": "/subscriptions/s", "subscriptionId": "s"},
    {"id": "/subscriptions/s/resourceGroups/g", "name": "g"},
    "d",
    datetime(2026, 11, 22, tzinfo=UTC),
)


@pytest.fixture(autouse=True)
def _within_bounds() -> Iterator[None]:
    before, started = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
    yield
    assert time.process_time() - started < CPU_S
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < MEMORY_KIB


def nested(depth: int, leaf: Any, around: Callable[[Any], Any]) -> Any:
    for _ in range(depth):
        leaf = around(leaf)
    return leaf


def answer(call: Callable[..., Any], *arguments: Any, **named: Any) -> Any:
    """What it gives, or the message it is refused with."""
    try:
        return call(*arguments, **named)
    except PolicyEngineError as error:
        return error.message if "\n" not in error.message else "a message of several lines"


def told(found: Any, expected: Any) -> bool:
    if isinstance(found, str) and isinstance(expected, re.Pattern):
        return expected.search(found) is not None
    return bool(found == expected)


def says(text: str) -> re.Pattern[str]:
    return re.compile(re.escape(text))


READ = {
    "brackets": ("[" * 1_000_000, "x.json", ["too-deep"]),
    "braces": ('{"a":' * 200_000, "x.json", ["too-deep"]),
    "flow": ("[" * 1_000_000, "x.yaml", ["too-deep"]),
    "blocks": ("".join(" " * depth + "a:\n" for depth in range(1_000)), "x.yaml", ["too-deep"]),
    "dashes": ("- " * 100_000, "x.yaml", ["too-deep"]),
    "a long key": (json.dumps({LONG: 1}), "x.json", ["unknown-document"]),
    "a long scalar": (f"a: {LONG}", "x.yaml", ["unknown-document"]),
    "not a number": ('{"a": NaN}', "x.json", ["json-syntax"]),
    "infinity": ("a: .inf", "x.yaml", ["unknown-document", "yaml-syntax"]),
    "a null byte": ('a: "\x00"', "x.yaml", ["yaml-syntax"]),
    "an escaped null byte": ('{"a": "\\u0000"}', "x.json", ["unknown-document"]),
    "a byte order mark": ("\ufeffa: 1", "x.yaml", ["unknown-document"]),
    "half a pair": ("a: \ud800", "x.yaml", ["yaml-syntax"]),
    "half an escaped pair": ('{"a": "\\ud800"}', "x.json", ["json-syntax"]),
    "too many digits": (f'{{"a": {"9" * 5000}}}', "x.json", ["json-syntax"]),
    "too large an exponent": ('{"a": 1e9999}', "x.json", ["json-syntax"]),
}


@pytest.mark.parametrize("name", READ)
def test_reading_stops_at_what_no_document_needs(name: str, load: Callable[..., list[str]]) -> None:
    text, file, codes = READ[name]

    assert load(text, file) == codes


def test_aliases_do_not_multiply(load: Callable[..., list[str]]) -> None:
    lines = ["a0: &a0 [x,x,x,x,x,x,x,x,x,x]"]
    lines += [f"a{n}: &a{n} [{','.join([f'*a{n - 1}'] * 10)}]" for n in range(1, 9)]

    assert load("\n".join(lines)) == ["alias-bomb"]


def test_so_many_problems_are_not_all_listed(load: Callable[..., list[str]]) -> None:
    condition = {"allOf": [{"field": "type", f"equls{number}": 1} for number in range(4_000)]}
    keys = ",".join('"a": 1' for _ in range(20_000))

    assert [load(text)[-1] for text in (_definition(condition), "- 1\n" * 5_000)] == ["too-many", "too-many"]
    assert load(f"{{{keys}}}", "x.json")[-1] == "too-many"


@pytest.mark.parametrize(("before", "after"), [('{"not": ', "}"), ('{"allOf": [', "]}")])
def test_512_conditions_may_nest(before: str, after: str) -> None:
    condition = before * 512 + '{"field": "name", "equals": "a"}' + after * 512
    rule = f'{{"if": {condition}, "then": {{"effect": "audit"}}}}'
    frames = sys.getrecursionlimit()
    sys.setrecursionlimit(1_000)  # as Python starts
    try:
        definition = parse_definition(f'{{"properties": {{"mode": "All", "policyRule": {rule}}}}}')
        found = evaluate(definition, {"name": "a", "type": "Microsoft.ContainerService/managedClusters"})
    finally:
        sys.setrecursionlimit(frames)

    assert found.effect == "audit"


def test_a_policy_has_at_most_4096_conditions(load: Callable[..., list[str]]) -> None:
    condition = {"field": "type", "equals": "x"}
    around = {"allOf": [{"not": {"anyOf": [condition] * 1024}}] * 4}

    assert "too-large" not in load(_definition(around), "x.json")
    assert load(_definition({"anyOf": [around, condition]}), "x.json") == ["too-large"]


def _definition(condition: Any) -> str:
    return json.dumps({"name": "x", "properties": {"policyRule": {"if": condition, "then": {"effect": "audit"}}}})


def test_a_suggestion_is_not_sought_for_a_word_without_end(load: Callable[..., list[str]]) -> None:
    parameters = {"ab" * 40_000 + "c": {"type": "String"}}
    text = {"if": {"value": f"[parameters('{'ab' * 40_000}')]", "equals": 1}, "then": {"effect": "audit"}}

    assert load(json.dumps({"name": "x", "properties": {"parameters": parameters, "policyRule": text}}), "x.json")[
        :1
    ] == ["unknown-parameter"]


def over(*, where: Any = None, field: str = "properties.a[*]") -> dict[str, Any]:
    count: dict[str, Any] = {"field": field}
    return {"count": count | ({"where": where} if where else {}), "greater": 3}


A, S = "properties.a", "properties.a[*].s"
RULES: dict[str, tuple[Any, Any, Any]] = {
    "deep negation": (nested(190, {"field": "type", "exists": True}, lambda c: {"not": c}), {}, True),
    "counts in counts": (
        nested(
            40, {"value": 1, "equals": 1}, lambda c: {"count": {"value": [1, 2], "name": "x", "where": c}, "equals": 2}
        ),
        {},
        STEPS,
    ),
    "long equal texts": ({"field": A, "equals": LONG}, {"a": LONG.upper()}, True),
    "a long part": ({"field": A, "contains": "x" * 500_000 + "y"}, {"a": LONG}, False),
    "stars": ({"field": A, "like": "*" + "x*" * 50 + "y"}, {"a": LONG}, False),
    "as many stars as characters": ({"field": A, "like": "x*" * 500_000}, {"a": LONG}, True),
    "question marks": ({"field": A, "like": "*" + "x" * 500 + "?y*"}, {"a": LONG}, says("is too long for a pattern")),
    "a long match": ({"field": A, "match": "#?." * 100_000}, {"a": "1ax" * 100_000}, True),
    "a long folded match": ({"field": A, "matchInsensitively": LONG.upper()}, {"a": LONG}, True),
    "every element": ({"field": f"{A}[*]", "notEquals": "q"}, {"a": TEXTS}, True),
    "every element like": ({"field": f"{A}[*]", "notLike": "q*z"}, {"a": TEXTS}, True),
    "every element in": ({"field": f"{A}[*]", "notIn": TEXTS[:10_000]}, {"a": ["x"] * MANY}, True),
    "in a long list": ({"field": A, "in": TEXTS}, {"a": "q"}, False),
    "in a list of objects": (
        {"field": f"{A}[*]", "in": [{"x": n} for n in range(5_000)]},
        {"a": [{"x": 1}] * 5_000},
        True,
    ),
    "a long array contains": ({"field": A, "contains": "q"}, {"a": TEXTS}, False),
    "a long count": (over() | {}, {"a": TEXTS}, True),
    "a long count with a condition": (over(where={"field": S, "like": "1*"}), {"a": OBJECTS}, STEPS),
    "a shorter one": (over(where={"field": S, "like": "1*"}), {"a": OBJECTS[:5_000]}, True),
    "a count of one array for another": (
        over(where=over(field="properties.b[*]", where={"field": "properties.b[*]", "equals": 1})),
        {"a": OBJECTS, "b": TEXTS},
        STEPS,
    ),
    "a count that looks through another array": (
        over(where={"value": "[length(field('properties.b[*]'))]", "equals": 2}),
        {"a": OBJECTS, "b": TEXTS},
        says(STEPS),
    ),
    "a path without end": ({"field": "properties." + ".".join(["a"] * 20_000), "exists": True}, {"a": 1}, False),
    "a deep document": (
        {"field": A, "equals": "[field('properties.b')]"},
        {"a": nested(5_000, 1, lambda c: [c]), "b": nested(5_000, 1, lambda c: [c])},
        "what is compared nests too deeply",
    ),
    "a number of many digits": ({"field": A, "like": "1*"}, {"a": 10**5_000}, says("has too many digits")),
    "not a number": ({"field": A, "less": 5}, {"a": float("nan")}, False),
    "infinity": ({"field": A, "less": 5}, {"a": float("inf")}, False),
    "a null byte": ({"field": A, "like": "a\x00*"}, {"a": "a\x00b"}, True),
}


@pytest.mark.parametrize("name", RULES)
def test_conditions_are_answered_or_refused_soon(name: str, rule: Callable[..., bool]) -> None:
    condition, properties, expected = RULES[name]

    assert told(answer(rule, condition, properties), expected)


EXPRESSIONS: dict[str, tuple[str, dict[str, Any], Any]] = {
    "range": ("[range(0, 1000000000)]", {}, says("the count must be 0 to 10000")),
    "range far away": ("[range(9223372036854775807, 5)]", {}, [9223372036854775807 + n for n in range(5)]),
    "padLeft": ("[padLeft('x', 1000000000)]", {}, says("more than 131072")),
    "alignment": ("[format('{0,100000000}', 'x')]", {}, says("more than 131072")),
    "index of a value": (f"[format('{{{'9' * 5000}}}', 1)]", {}, says("a lone `{`")),
    "format of lists": (f"[format('{'{0}' * 20000}', parameters('a'))]", {"a": TEXTS}, says(TOO_LONG)),
    "format of texts": (f"[format('{'{0}' * 20000}', parameters('t'))]", {"t": LONG[:100_000]}, says(TOO_LONG)),
    "concat": (f"[concat({', '.join(['parameters(`t`)'.replace('`', chr(39))] * 128)})]", {"t": LONG[:9_000]}, says(TOO_LONG)),
    "concat of lists": ("[concat(parameters('a'), parameters('a'))]", {"a": TEXTS[:20_000]}, says(TOO_MANY)),
    "replace": ("[replace(parameters('t'), 'x', parameters('t'))]", {"t": LONG[:130_000]}, says(TOO_LONG)),
    "join": ("[join(parameters('a'), parameters('t'))]", {"a": TEXTS[:9_000], "t": LONG[:100_000]}, says(TOO_LONG)),
    "split": ("[split(parameters('t'), 'x')]", {"t": LONG[:100_000]}, says(TOO_MANY)),
    "a text that is too long": ("[toLower(parameters('t'))]", {"t": LONG}, says(TOO_LONG)),
    "indexOf": ("[indexOf(parameters('t'), parameters('u'))]", {"t": LONG[:130_000], "u": LONG[:65_000] + "y"}, -1),
    "uniqueString": ("[length(uniqueString(parameters('t')))]", {"t": LONG[:131_000]}, 13),
    "intersection": ("[length(intersection(parameters('a'), parameters('b')))]", {"a": {f"k{n}": 1 for n in range(9_000)}, "b": {f"K{n}": 1 for n in range(9_000)}}, 9_000),
    "equality": ("[equals(parameters('a'), parameters('b'))]", {"a": {f"k{n}": 1 for n in range(9_000)}, "b": {f"K{n}": 1 for n in range(9_000)}}, True),
    "deep JSON": (f"[json('{'[' * 50_000}')]", {}, says("the text is not JSON")),
    "deep results": (f"[json('{'[' * 200}{']' * 200}')]", {}, says("nests deeper than 128 levels")),
    "a product": ("[mul(9223372036854775807, 2)]", {}, says("beyond ±9223372036854775807")),
    "a sum": ("[add(1e308, 1e308)]", {}, says("too large")),
    "many digits": ("[string(parameters('n'))]", {"n": 10**5_000}, says("too large")),
    "not a number": ("[int(parameters('n'))]", {"n": float("nan")}, says("too large")),
    "half a surrogate pair": ("[base64(parameters('t'))]", {"t": "\ud800"}, says("half of a surrogate pair")),
    "half a pair hashed": ("[uniqueString(parameters('t'))]", {"t": "\ud800"}, says("half of a surrogate pair")),
    "a bad address": ("[uri('http://[', 'x')]", {}, says("make no URI")),
    "a far date": ("[addDays('0001-01-01T00:00:00+10:00', 1)]", {}, says("leaves the calendar")),
    "nesting": (f"[{'concat(' * 70}'x'{')' * 70}]", {}, says("nests deeper than 64")),
    "arguments": (f"[concat({','.join(['1'] * 5000)})]", {}, says("at most 128 arguments")),
    "quotes": (f"[{chr(39) * 80_001}]", {}, says("has no closing quote")),
    "digits": (f"[{'9' * 80_000}]", {}, says("is too large")),
    "characters": (f"[{LONG}]", {}, says("81920 are allowed")),
    "parameters in parameters": ("[parameters('a')]", {"a": "[parameters('a')]"}, "[parameters('a')]"),
}  # fmt: skip


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_expressions_are_answered_or_refused_soon(name: str, expression: Callable[..., Any]) -> None:
    text, values, expected = EXPRESSIONS[name]

    assert told(answer(expression, text, **values), expected)


SEARCHES: dict[str, tuple[str, Any, Any]] = {
    "deep": ("(" * 5_000 + "a" + ")" * 5_000, {}, says("nests too deeply")),
    "long": (LONG, {}, says("81920 are allowed")),
    "doubling lists": ("@" + "|[@,@][]" * 30, {}, STEPS),
    "doubling trees": ("@" + "|[@,@]" * 30 + "|to_string(@)", {}, STEPS),
    "comparing doubled trees": (f"[@{'|[@,@]' * 28}, @{'|[@,@]' * 28}] | [0]==[1]", {"a": 1}, STEPS),
    "a filter": ("a[?s=='q']", {"a": OBJECTS[:20_000]}, []),
    "a filter over everything": ("a[?contains(in, `1`)].in[]", {"a": OBJECTS}, STEPS),
    "a far element": (f"a[{'9' * 5_000}]", {"a": [1]}, says("too large")),
    "join": ("join(a, b)", {"a": LONG, "b": TEXTS[:10_000]}, says(TOO_LONG)),
    "an average": ("avg(a)", {"a": [10**400, 1.5]}, says("cannot be evaluated")),
    "infinity": ("ceil(to_number(a))", {"a": "inf"}, says("cannot be evaluated")),
    "a far date": ("age_days(a)", {"a": "0001-01-01T00:00:00+14:00"}, says("leaves the calendar")),
    "repeats in repeats": ("matches(a, '^(a+)+$')", {"a": "a" * 5_000 + "!"}, False),
    "repeats beside repeats": ("matches(a, 'a*a*a*a*a*a*b')", {"a": "a" * 3_000}, False),
    "choices in repeats": ("matches(a, '^(a|aa)+$')", {"a": "a" * 3_000}, True),
    "brackets": (f"matches(a, '{'(' * 2_000}')", {"a": "a"}, says("is not a regular expression")),
    "repeats of repeats": ("matches(a, '((x{100}){100}){100}')", {"a": "a"}, says("more than 5000 parts")),
    "a text without end": ("matches(a, '(x+x+)+y')", {"a": LONG}, says("is too long for a pattern")),
    "looking back": (r"matches(a, '(a+)\1')", {"a": "aa"}, says("bounded time")),
}


@pytest.mark.parametrize("name", SEARCHES)
def test_searches_are_answered_or_refused_soon(name: str, search: Callable[..., Any]) -> None:
    text, document, expected = SEARCHES[name]

    assert told(answer(search, text, document), expected)


def resource_of(**more: Any) -> dict[str, Any]:
    return {"type": "Microsoft.X/y", "name": "n", "apiVersion": "1", **more}


def doubling(first: Any, each: Callable[[str], Any]) -> dict[str, Any]:
    variables = {"v0": first, **{f"v{n}": each(f"variables('v{n - 1}')") for n in range(1, 40)}}
    return {"variables": variables, "resources": [resource_of(properties={"a": "[variables('v39')]"})]}


TEMPLATES: dict[str, tuple[dict[str, Any], str]] = {
    "deep": ({"resources": [resource_of(properties=nested(5_000, 1, lambda c: [c]))]}, "nests deeper than 128"),
    "doubling texts": (doubling("x", lambda v: f"[concat({v}, {v})]"), TOO_LONG),
    "doubling arrays": (doubling([1], lambda v: f"[createArray({v}, {v})]"), TOO_MANY),
    "doubling literals": (doubling([1], lambda v: [f"[{v}]", f"[{v}]"]), TOO_MANY),
    "a circle": (
        {"variables": {"a": "[variables('b')]", "b": "[variables('a')]"}, "resources": [resource_of(name="[variables('a')]")]},
        "in a circle",
    ),
    "a long chain": (
        {"variables": {"v0": "x", **{f"v{n}": f"[variables('v{n - 1}')]" for n in range(1, 3_000)}}, "resources": [resource_of(name="[variables('v2999')]")]},
        "too large",
    ),
    "loops in loops": (
        {"resources": [resource_of(copy={"name": "a", "count": 800}, resources=[resource_of(type="b", copy={"name": "b", "count": 800})])]},
        STEPS,
    ),
    "many resources": ({"resources": [resource_of(name=f"n{n}") for n in range(900)]}, "more than 800 resources"),
    "an odd batch": ({"resources": [resource_of(copy={"name": "a", "count": 3, "mode": "serial", "batchSize": "x"})]}, "must be a whole number"),
}  # fmt: skip


@pytest.mark.parametrize("name", TEMPLATES)
def test_templates_are_refused_soon(name: str) -> None:
    template, reason = TEMPLATES[name]

    with pytest.raises(TemplateError, match=re.escape(reason)):
        expand(template, {}, SCOPE)


def test_a_far_date_is_refused_in_a_template_too(expression: Callable[..., Any]) -> None:
    with pytest.raises(ExpressionError, match=r"too large|calendar"):
        expression(f"[dateTimeAdd('2020-01-01', 'P{'9' * 400}D')]", Where.TEMPLATE)
