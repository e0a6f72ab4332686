from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from policyengine.errors import ExpressionError, TemplateError
from policyengine.model.values import NO_RESULT, UNDEFINED

Run = Callable[..., Any]


def test_members_are_found_without_case(in_rule: Run, in_template: Run) -> None:
    for run in (in_rule, in_template):
        assert run("[parameters('object').NAME]") == "x"
        assert run("[parameters('object')['a key']]") == 2
        assert run("[parameters('array')[2].n]") == 3


@pytest.mark.parametrize(
    "text",
    [
        "parameters('object').missing",
        "parameters('null').a",
        "parameters('text').a",
        "parameters('array')[3]",
        "parameters('array')['n']",
        "parameters('array')[true]",
        "parameters('object')[0]",
        "parameters('object').missing.deeper",
    ],
)
class TestMissingMember:
    def test_has_no_result_in_a_rule(self, in_rule: Run, text: str) -> None:
        assert in_rule(f"[{text}]") is NO_RESULT

    def test_makes_what_is_computed_from_it_have_none(self, in_rule: Run, text: str) -> None:
        assert in_rule(f"[concat('a', {text})]") is NO_RESULT
        assert in_rule(f"[equals({text}, '')]") is NO_RESULT
        assert in_rule(f"[if({text}, 1, 2)]") is NO_RESULT
        assert in_rule({"a": ["x", f"[{text}]"]}) is NO_RESULT

    def test_is_passed_over_by_coalesce(self, in_rule: Run, text: str) -> None:
        assert in_rule(f"[coalesce({text}, 'other')]") == "other"

    def test_is_an_error_in_a_template(self, in_template: Run, text: str) -> None:
        with pytest.raises(ExpressionError, match="has no member") as caught:
            in_template(f"[{text}]")
        assert caught.value.help is not None
        assert "tryGet" in caught.value.help


def test_branch_not_taken_is_not_evaluated(in_template: Run) -> None:
    guarded = "if(empty(parameters('empty')), 'none', parameters('empty')[0].name)"

    assert in_template(f"[{guarded}]") == "none"


def test_wrong_argument_is_pointed_at(in_rule: Run) -> None:
    with pytest.raises(ExpressionError) as caught:
        in_rule("[toLower(parameters('array'))]")

    assert caught.value.message == "argument 1 of `toLower()` must be a text, got an array"
    assert caught.value.offset == len("[toLower(")


def test_innermost_failing_function_is_named(in_rule: Run) -> None:
    with pytest.raises(ExpressionError) as caught:
        in_rule("[concat('a', int('x'))]")

    assert caught.value.message == "`int()`: `x` is not a whole number"
    assert caught.value.offset == len("[concat('a', ")


def test_supplied_functions_get_evaluated_arguments(in_rule: Run) -> None:
    result = in_rule("[field(concat('tags[', 'ring', ']'))]", field=lambda name: {"tags[ring]": "canary"}[name])

    assert result == "canary"


def test_supplied_nothing_stays_what_it_is(in_rule: Run) -> None:
    assert in_rule("[current('a[*].b')]", current=lambda _: UNDEFINED) is UNDEFINED
    assert in_rule("[empty(current('a[*].b'))]", current=lambda _: UNDEFINED) is NO_RESULT


def test_function_nobody_supplies_has_no_answer(in_template: Run) -> None:
    with pytest.raises(ExpressionError, match=r"`environment\(\)` has no answer here"):
        in_template("[environment()]")


def test_list_functions_are_one(in_template: Run) -> None:
    def refuse(*_: object) -> None:
        raise TemplateError("keys are not read")

    with pytest.raises(TemplateError, match="keys are not read"):
        in_template("[listCallbackUrl('/x', '2020-01-01').value]", **{"list*": refuse})
