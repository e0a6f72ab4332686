from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.errors import TemplateError
from policyengine.model.resource import ResourceWrite
from policyengine.templates import DeploymentScope, expand

Expand = Callable[..., tuple[ResourceWrite, ...]]

RESOURCE = {"type": "A.B/c", "name": "x", "apiVersion": "1", "properties": "[parameters('p')]"}


def value_of(expanded: Expand, declaration: Any, **given: Any) -> Any:
    (write,) = expanded(
        RESOURCE, parameters={"P": declaration, "q": {"type": "string", "defaultValue": "Q"}}, given=given
    )
    return write.body["properties"]


@pytest.mark.parametrize(
    ("type", "value"),
    [
        ("string", "a"),
        ("SecureString", "s"),
        ("int", 3),
        ("integer", 3),
        ("bool", False),
        ("object", {"a": None}),
        ("secureObject", {}),
        ("array", [1]),
    ],
)
def test_value_of_its_type_is_taken(expanded: Expand, type: str, value: Any) -> None:
    assert value_of(expanded, {"type": type}, p=value) == value


@pytest.mark.parametrize(
    ("type", "value", "message"),
    [
        ("string", 3, "parameter `P` must be a text, got a whole number"),
        ("int", "3", "parameter `P` must be a whole number, got a text"),
        ("int", True, "parameter `P` must be a whole number, got a boolean"),
        ("bool", "yes", "parameter `P` must be a boolean, got a text"),
        ("array", {}, "parameter `P` must be an array, got an object"),
        ("text", "a", "parameter `P` has the unknown type `text`"),
        ("string", None, "parameter `P` is null, and the template has no default for it"),
    ],
)
def test_value_of_another_type_is_refused(expanded: Expand, type: str, value: Any, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        value_of(expanded, {"type": type}, p=value)

    assert caught.value.message == message


def test_default_stands_in_for_what_is_not_given_or_null(expanded: Expand) -> None:
    declaration = {"type": "string", "defaultValue": "[concat(parameters('q'), '-', resourceGroup().name)]"}

    assert value_of(expanded, declaration) == "Q-rg-edge"
    assert value_of(expanded, declaration, p=None) == "Q-rg-edge"
    assert value_of(expanded, declaration, p="") == ""


@pytest.mark.parametrize(("text", "value"), [("true", True), ("False", False)])
def test_boolean_may_be_written_as_text(expanded: Expand, text: str, value: bool) -> None:
    assert value_of(expanded, {"type": "bool", "defaultValue": text}) is value


def test_nullable_parameter_may_be_left_out(expanded: Expand) -> None:
    assert value_of(expanded, {"type": "string", "nullable": True}) is None


def test_defaults_that_need_each_other_are_refused(expanded: Expand) -> None:
    with pytest.raises(TemplateError, match="parameters need each other in a circle: P → P"):
        value_of(expanded, {"type": "string", "defaultValue": "[parameters('p')]"})


def test_default_is_checked_even_when_unused(expanded: Expand) -> None:
    with pytest.raises(TemplateError, match="parameter `unused` must be a whole number"):
        expanded(parameters={"unused": {"type": "int", "defaultValue": "three"}})


@pytest.mark.parametrize(
    ("declaration", "value", "message"),
    [
        ({"type": "string", "allowedValues": ["a", "b"]}, "c", "parameter `P` does not allow `c`"),
        ({"type": "array", "allowedValues": ["a", "b"]}, ["a", "c"], "parameter `P` does not allow `['a', 'c']`"),
        ({"type": "secureString", "allowedValues": ["a"]}, "hush", "parameter `P` does not allow that value"),
        ({"type": "int", "minValue": 3}, 2, "parameter `P` does not allow `2`: its minValue is 3"),
        ({"type": "string", "maxLength": 3}, "four", "parameter `P` does not allow `four`: its maxLength is 3"),
    ],
)
def test_value_that_is_not_allowed_is_refused(expanded: Expand, declaration: Any, value: Any, message: str) -> None:
    with pytest.raises(TemplateError) as caught:
        value_of(expanded, declaration, p=value)

    assert caught.value.message == message


def test_array_of_allowed_elements_is_allowed(expanded: Expand) -> None:
    assert value_of(expanded, {"type": "array", "allowedValues": ["a", "b"]}, p=["b"]) == ["b"]


def test_unknown_and_missing_parameters_are_named(expanded: Expand) -> None:
    with pytest.raises(TemplateError, match="the template has no parameter `clusterNam`") as caught:
        expanded(parameters={"clusterName": {"type": "string"}}, given={"clusterNam": "x"})
    assert caught.value.help == "did you mean `clusterName`?"

    with pytest.raises(TemplateError, match="parameter `clusterName` is not given"):
        expanded(parameters={"clusterName": {"type": "string"}})


def test_value_must_stand_in_a_value_object(scope: DeploymentScope) -> None:
    with pytest.raises(TemplateError, match=r'parameter `a` must be given as `{"value": …}`, got a text'):
        expand({"parameters": {"a": {"type": "string"}}, "resources": []}, {"a": "bare"}, scope)
