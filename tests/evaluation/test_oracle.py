"""The engine agrees with a naive interpreter on random conditions and documents."""

from __future__ import annotations

import json
from types import ModuleType
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policyengine.evaluation import evaluate, trace

NAMES = st.sampled_from(["a", "b", "c"])
TEXTS = st.sampled_from(["", "x", "X", "xyz", "y"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-3, 3), TEXTS)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
DOCUMENTS = st.dictionaries(NAMES, VALUES, max_size=3)
STEPS = st.lists(st.builds(lambda name, star: name + star, NAMES, st.sampled_from(["", "[*]"])), min_size=1, max_size=3)
PATHS = STEPS.map(lambda steps: ".".join(["properties", *steps]))
COUNTED = STEPS.map(lambda steps: ".".join(["properties", *steps[:-1], steps[-1].removesuffix("[*]") + "[*]"]))

# No number meets text on either side: how text becomes a number is the business of the operator tests.
TESTS = st.one_of(
    st.tuples(st.sampled_from(["equals", "notEquals"]), st.one_of(st.booleans(), st.just(""), st.sampled_from("xy"))),
    st.tuples(st.sampled_from(["in", "notIn"]), st.lists(st.sampled_from(["", "x", "Y"]), max_size=3)),
    st.tuples(st.sampled_from(["contains", "notContains"]), st.sampled_from(["x", "Y", "yz"])),
    st.tuples(st.sampled_from(["like", "notLike"]), st.sampled_from(["x*", "*z", "X", "x*z"])),
    st.tuples(st.just("exists"), st.booleans()),
)
CONDITIONS = st.one_of(
    st.builds(lambda path, test: {"field": path, test[0]: test[1]}, PATHS, TESTS),
    st.builds(lambda path, number: {"count": {"field": path}, "greater": number}, COUNTED, st.integers(-1, 3)),
    st.builds(lambda path, number: {"count": {"field": path}, "equals": number}, COUNTED, st.integers(0, 3)),
)
RULES = st.recursive(
    CONDITIONS,
    lambda inner: st.one_of(
        st.builds(
            lambda name, children: {name: children}, st.sampled_from(["allOf", "anyOf"]), st.lists(inner, min_size=1)
        ),
        st.builds(lambda child: {"not": child}, inner),
    ),
    max_leaves=6,
)


@settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=RULES, properties=DOCUMENTS)
def test_the_engine_agrees_with_the_oracle(
    rule: dict[str, Any], properties: dict[str, Any], oracle: ModuleType, condition: Any, subject: Any
) -> None:
    logic = condition(json.dumps(rule))
    on = subject({"properties": properties})

    assert evaluate(logic, on) is oracle.holds(rule, {"properties": properties})
    assert trace(logic, on).result is evaluate(logic, on)


@settings(max_examples=50, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(rule=RULES, properties=DOCUMENTS)
def test_not_not_is_nothing(rule: dict[str, Any], properties: dict[str, Any], condition: Any, subject: Any) -> None:
    on = subject({"properties": properties})

    assert evaluate(condition(json.dumps({"not": {"not": rule}})), on) is evaluate(condition(json.dumps(rule)), on)
