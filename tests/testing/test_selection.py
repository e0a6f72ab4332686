from __future__ import annotations

import pytest

from policyengine.errors import UsageError
from policyengine.testing import compile_selection

NAME = "policies/tests/flux.test.yaml flux-extension Preview train is NonCompliant"


@pytest.mark.parametrize(
    ("expression", "chosen"),
    [
        ("preview", True),
        ("PREVIEW", True),
        ("stable", False),
        ("not stable", True),
        ("preview and stable", False),
        ("preview or stable", True),
        ("not (preview or stable)", False),
        ("stable or preview and train", True),
        ("(stable or preview) and nothing", False),
        ("'train is'", True),
        ('"is train"', False),
        ("'and'", False),
        ("not not train", True),
    ],
)
def test_words_are_joined_as_written(expression: str, chosen: bool) -> None:
    assert compile_selection(expression)(NAME) is chosen


@pytest.mark.parametrize("expression", ["", "and", "a and", "(a", "a)", "not", "a b", "'a"])
def test_what_cannot_be_understood_is_wrong_usage(expression: str) -> None:
    with pytest.raises(UsageError, match="cannot be understood"):
        compile_selection(expression)
