from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.language.documents import Parameter, PolicyDefinition
from policyengine.language.parameters import mismatch, suggestion
from policyengine.language.parser import ParsedFile
from policyengine.model.values import UNDEFINED

RULE = "policyRule: {if: {field: type, equals: x}, then: {effect: audit}}\n"


def test_parameters_are_keyed_by_their_folded_name(spec: Callable[[str], PolicyDefinition]) -> None:
    declared = "{releaseTrain: {TYPE: string, DefaultValue: null, metadata: {displayName: x}}, size: {type: integer}}"
    parameters = spec(f"parameters: {declared}\n{RULE}").parameters

    assert set(parameters) == {"releasetrain", "size"}
    train, size = parameters["releasetrain"], parameters["size"]
    assert (train.name, train.type, train.default) == ("releaseTrain", "String", None)
    assert train.metadata == {"displayName": "x"}
    assert (size.type, size.default, size.allowed_values) == ("Integer", UNDEFINED, None)


@pytest.mark.parametrize(
    ("declaration", "code"),
    [
        ("p: {type: Text}", "unknown-value"),
        ("p: {}", "missing-key"),
        ("p: String", "wrong-type"),
        ("p: {type: String, default: x}", "unknown-key"),
        ("p: {type: String, defaultValue: 7}", "wrong-type"),
        ("p: {type: Boolean, defaultValue: 'true'}", "wrong-type"),
        ("p: {type: Integer, defaultValue: 1.5}", "wrong-type"),
        ("p: {type: Array, defaultValue: x}", "wrong-type"),
        ("p: {type: String, defaultValue: stable, allowedValues: [Stable]}", "not-allowed"),
        ("p: {type: Array, defaultValue: [a, c], allowedValues: [a, b]}", "not-allowed"),
        ("p: {type: String, allowedValues: Stable}", "wrong-type"),
        ("{p: {type: String}, P: {type: String}}", "duplicate-key"),
    ],
)
def test_declarations_are_checked(
    spec_problems: Callable[[str], list[tuple[str, int]]], declaration: str, code: str
) -> None:
    body = declaration if declaration.startswith("{") else f"{{{declaration}}}"

    assert [found for found, _ in spec_problems(f"parameters: {body}\n{RULE}")] == [code]


@pytest.mark.parametrize(
    ("type", "fitting", "unfitting"),
    [
        ("String", ["", "x"], [1, True, [], {}]),
        ("Array", [[], [1]], ["x", {}]),
        ("Object", [{}, {"a": 1}], ["x", []]),
        ("Boolean", [True, False], ["true", 1, 0]),
        ("Integer", [0, -3], ["3", 3.5, True]),
        ("Float", [1.5, 2], ["2", False]),
        ("DateTime", ["2026-01-01T00:00:00Z"], [2026]),
    ],
)
def test_values_fit_their_type_or_they_do_not(type: str, fitting: list[Any], unfitting: list[Any]) -> None:
    parameter = Parameter("p", type)

    assert [mismatch(parameter, value) for value in [*fitting, None]] == [None] * (len(fitting) + 1)
    assert [(mismatch(parameter, value) or ("fits",))[0] for value in unfitting] == ["wrong-type"] * len(unfitting)


def test_allowed_values_tell_case_and_type() -> None:
    parameter = Parameter("p", "String", allowed_values=("Stable", "Preview"))

    assert mismatch(parameter, "Stable") is None
    assert mismatch(parameter, "stable") == ("not-allowed", "must be `Stable` or `Preview`, got `stable`")
    assert suggestion(parameter, "stabel") == "did you mean `Stable`?"
    assert mismatch(Parameter("p", "Integer", allowed_values=(True,)), 1) is not None
    assert mismatch(Parameter("p", "String", allowed_values=()), "x") is None


def test_a_list_is_allowed_when_each_element_is() -> None:
    parameter = Parameter("p", "Array", allowed_values=("a", "b"))

    assert mismatch(parameter, ["a", "b", "a"]) is None
    assert mismatch(parameter, ["a", "c"]) == ("not-allowed", "must be `a` or `b`, got `c`")


def test_a_default_of_azures_that_does_not_fit_is_a_warning(load: Callable[..., ParsedFile]) -> None:
    parsed = load('{"policyDefinitions": [], "parameters": {"p": {"type": "String", "defaultValue": []}}}')

    assert [(d.code, d.is_error) for d in parsed.diagnostics] == [("wrong-type", False)]


SCHEMA = {
    "type": "object",
    "properties": {"labels": {"type": "array", "items": {"type": "string"}}, "n": {"$ref": "#/$defs/count"}},
    "required": ["labels"],
    "additionalProperties": False,
    "$defs": {"count": {"type": "integer", "minimum": 1}},
}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ({"labels": ["a"]}, None),
        ({"labels": ["a"], "n": 2}, None),
        (None, None),
        ({}, "does not fit its schema: 'labels' is a required property"),
        ({"labels": ["a", 7]}, "does not fit its schema at `labels[1]`: 7 is not of type 'string'"),
        ({"labels": [], "n": 0}, "does not fit its schema at `n`: 0 is less than the minimum of 1"),
    ],
)
def test_an_object_fits_its_schema(value: Any, text: str | None) -> None:
    found = mismatch(Parameter("p", "Object", schema=SCHEMA), value)

    assert found == (("schema-mismatch", text) if text is not None else None)


@pytest.mark.parametrize(
    ("schema", "text"),
    [
        ({"$ref": "https://example.com/schema"}, "refers to `https://example.com/schema`, which is not in it"),
        ({"$ref": "#/definitions/none"}, "which is not in it"),
        ({"$ref": "#"}, "refers to itself without end"),
        ({"additionalProperties": {"pattern": "("}}, "is no regular expression"),
    ],
)
def test_nothing_is_fetched_and_no_schema_is_fatal(schema: Any, text: str) -> None:
    code, message = mismatch(Parameter("p", "Object", schema=schema), {"a": "b"}) or ("", "")

    assert code == "schema-mismatch"
    assert message.startswith("cannot be checked: ")
    assert message.endswith(text) or text in message


@pytest.mark.parametrize(
    ("declaration", "codes"),
    [
        ("{type: Object, schema: {type: object}, defaultValue: {}}", []),
        ("{type: Object, schema: {type: objekt}}", ["invalid-schema"]),
        ("{type: Object, schema: 7, defaultValue: {}}", ["invalid-schema"]),
        ("{type: Object, schema: {type: objekt}, defaultValue: {}}", ["invalid-schema"]),
        ("{type: Object, schema: {required: [a]}, defaultValue: {}}", ["schema-mismatch"]),
        ("{type: String, schema: {type: string}}", ["invalid-schema"]),
    ],
)
def test_schemas_are_checked(
    spec_problems: Callable[[str], list[tuple[str, int]]], declaration: str, codes: list[str]
) -> None:
    assert [found for found, _ in spec_problems(f"parameters: {{p: {declaration}}}\n{RULE}")] == codes
