from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.errors import ExpressionError
from policyengine.expressions.compiled import Where, compile_value, constant
from policyengine.model.values import JSON

Run = Callable[..., Any]


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("plain", "plain"),
        ("[[concat('a')]", "[concat('a')]"),
        ("[not closed", "[not closed"),
        ("['literal']", "literal"),
        (3, 3),
        (None, None),
        ({"a": ["[[x]", 1]}, {"a": ["[x]", 1]}),
    ],
)
def test_value_without_functions_is_constant(source: JSON, value: JSON) -> None:
    compiled = compile_value(source)

    assert compiled.is_constant
    assert (compiled.constant, compiled.source) == (value, source)
    assert compiled.functions == frozenset()


def test_functions_are_never_folded() -> None:
    compiled = compile_value("[concat('a', 'b')]")

    assert not compiled.is_constant
    assert compiled.functions == {"concat"}


def test_functions_are_collected_from_everywhere() -> None:
    compiled = compile_value({"[a]": "[Field('x')]", "b": ["[utcNow()]", "[parameters('p')[toLower('X')]]"]})

    assert compiled.functions == {"field", "utcnow", "parameters", "tolower"}


def test_constant_takes_text_literally() -> None:
    assert constant("[field('x')]").constant == "[field('x')]"
    assert constant("[[x]").constant == "[[x]"


def test_expressions_nest_in_arrays_and_objects(in_rule: Run) -> None:
    value = {"list": ["[parameters('text')]", {"n": "[add(1, 1)]"}], "same": "x"}

    assert in_rule(value) == {"list": ["Hello", {"n": 2}], "same": "x"}


def test_keys_are_expressions_in_templates_only(in_rule: Run, in_template: Run) -> None:
    value = {"[parameters('text')]": {"path": "./a"}, "[[b]": 1}

    assert in_template(value) == {"Hello": {"path": "./a"}, "[b]": 1}
    assert in_rule(value) == value


def test_key_must_give_a_text(in_template: Run) -> None:
    with pytest.raises(ExpressionError, match="must give a text, got a whole number"):
        in_template({"kustomizations": {"[add(1, 1)]": {}}})


def test_error_names_the_path_and_keeps_the_offset() -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_value({"properties": {"list": ["a", "[concta('x')]"]}})

    assert caught.value.message == "`properties.list[1]`: `concta` is not a function"
    assert caught.value.offset == 1
    assert caught.value.help == "did you mean `concat`?"


def test_evaluation_error_names_the_path(in_template: Run) -> None:
    with pytest.raises(ExpressionError, match=r"^`a\.b`: `int\(\)`: `x` is not a whole number$"):
        in_template({"a": {"b": "[int('x')]"}})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[toLower()]", "`toLower()` takes 1 argument, got 0"),
        ("[tolower('a', 'b')]", "`toLower()` takes 1 argument, got 2"),
        ("[substring('a')]", "`substring()` takes 2 to 3 arguments, got 1"),
        ("[utcNow('a', 'b')]", "`utcNow()` takes 0 to 1 argument, got 2"),
        ("[true(1)]", "`true()` takes no arguments, got 1"),
        ("[and(true())]", "`and()` takes at least 2 arguments, got 1"),
    ],
)
def test_number_of_arguments_is_checked_when_compiled(text: str, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        compile_value(text, where=Where.TEMPLATE)

    assert (caught.value.message, caught.value.offset) == (message, 1)
