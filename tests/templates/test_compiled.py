from __future__ import annotations

import pytest

from policyengine.errors import ExpressionError
from policyengine.templates.compiled import piece, sent_of


def test_one_object_is_compiled_once() -> None:
    """Every cluster expands the same definition; an equal object of another definition is another piece."""
    body = {"a": "[concat('x', parameters('p'))]"}

    assert piece(body) is piece(body)
    assert piece(body) is not piece(dict(body))
    assert piece("[parameters('p')]") is piece("[parameters('p')]")


def test_what_is_sent_of_a_resource_is_the_same_object_each_time() -> None:
    resource = {"type": "A.B/c", "Name": "x", "apiVersion": "1", "properties": {"a": 1}, "tags": {}}

    assert sent_of(resource) == {"properties": {"a": 1}, "tags": {}}
    assert sent_of(resource) is sent_of(resource)


def test_text_that_cannot_be_compiled_fails_each_time() -> None:
    for _ in range(2):
        with pytest.raises(ExpressionError):
            piece({"a": "[concta()]"})
