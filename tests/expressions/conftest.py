"""Expressions run in both contexts at one fixed instant."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from policyengine.expressions.compiled import ExpressionContext, Where, compile_value
from policyengine.model.values import JSON, Nothing, get_folded

AT = datetime(2026, 7, 2, 8, 9, 10, 123456, tzinfo=UTC)

VALUES = {
    "text": "Hello",
    "null": None,
    "object": {"Name": "x", "inner": {"n": 1}, "a key": 2},
    "array": [10, 20, {"n": 3}],
    "empty": [],
}

Run = Callable[..., JSON | Nothing]


def _runner(where: Where) -> Run:
    functions: dict[str, Callable[..., JSON]] = {
        "parameters": lambda name: get_folded(VALUES, name),
        "subscription": lambda: {"id": "/subscriptions/s1", "subscriptionId": "s1"},
        "resourcegroup": lambda: {"id": "/subscriptions/s1/resourceGroups/rg1", "name": "rg1"},
    }

    def run(value: JSON, **more: Callable[..., JSON]) -> JSON | Nothing:
        context = ExpressionContext({**functions, **more}, at=AT, where=where)
        return compile_value(value, where=where).evaluate(context)

    return run


@pytest.fixture
def in_rule() -> Run:
    return _runner(Where.RULE)


@pytest.fixture
def in_template() -> Run:
    return _runner(Where.TEMPLATE)
