"""The engine agrees with a naive interpreter on random conditions and documents."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from policyengine.errors import ExpressionError
from policyengine.evaluation import Subject, evaluate, trace
from policyengine.model.resource import Resource
from tests import oracle

pytestmark = pytest.mark.filterwarnings("ignore:Generating overly large repr")

TYPE = "Contoso.Test/things"
GROUP = "/subscriptions/5b0c0000-0000-0000-0000-000000000001/resourceGroups/stores-no"

NAMES = st.sampled_from(["a", "b", "B", "properties"])
TEXTS = st.sampled_from(["", "x", "X", "xyz", "y", "a1", "1", " 2 ", "1.5", "true", "False", "ß", "SS", "East US"])
DATES = st.sampled_from(["2026-01-01T00:00:00Z", "2025-12-31T23:30:00-02:00", "2026-01-01"])
SCALARS = st.one_of(st.none(), st.booleans(), st.integers(-2, 3), st.just(1.5), TEXTS, DATES)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3), max_leaves=8
)
# Lists of objects are what most of the language is about, so they come often.
OBJECTS = st.lists(st.dictionaries(NAMES, VALUES | st.lists(SCALARS, max_size=3), max_size=2) | SCALARS, max_size=3)
PROPERTIES = st.dictionaries(NAMES, OBJECTS | VALUES, max_size=3)
TAGS = st.none() | st.dictionaries(st.sampled_from(["a", "A.b", "it's"]), TEXTS, max_size=3)
DOCUMENTS = st.fixed_dictionaries(
    {"properties": PROPERTIES},
    optional={"kind": TEXTS, "location": st.sampled_from(["East US 2", "eastus2", "oslo"]), "tags": TAGS},
)

STEPS = st.lists(st.builds(str.__add__, st.sampled_from("abA"), st.sampled_from(["", "[*]"])), min_size=1, max_size=3)
STARRED = STEPS.map(lambda steps: [*steps[:-1], steps[-1].removesuffix("[*]") + "[*]"])
ROOTS = st.sampled_from(["properties.", f"{TYPE}/", f"{TYPE.lower()}/"])
PATHS = st.builds(lambda root, steps: root + ".".join(steps), ROOTS, STEPS)
COUNTED = st.builds(lambda root, steps: root + ".".join(steps), ROOTS, STARRED)
BUILT_IN = st.sampled_from(["name", "type", "kind", "location", "Location", "fullName"])
TAG_NAMES = st.sampled_from(["tags", "tags.a", "tags['A']", "tags.a.b", "tags['it''s']", "tags[a]", "TAGS.c"])
COMPUTED = st.sampled_from(["[concat('tags.', 'a')]", "[concat('properties.', 'a[*]')]", "[parameters('p')]"])
ANY_FIELD = PATHS | PATHS | COUNTED | BUILT_IN | TAG_NAMES | COMPUTED

FIELDS = st.deferred(lambda: ANY_FIELD)


def called(name: str, *arguments: str) -> str:
    return f"{name}({', '.join(arguments)})"


LITERALS = st.sampled_from(["'x'", "'it''s'", "''", "1", "-2", "true", "null"])
ASKED = st.one_of(
    FIELDS.filter(lambda name: "[" not in name[:1] and name.lower() != "location").map(
        lambda name: called("field", "'" + name.replace("'", "''") + "'")
    ),
    st.sampled_from(["parameters('p')", "parameters('q')", "current()", "current('n')", "current('n').a"]),
)
TREES = st.recursive(
    LITERALS | ASKED | ASKED,
    lambda inner: st.one_of(
        st.builds(called, st.sampled_from(["length", "empty", "toLower", "first", "not", "createArray"]), inner),
        st.builds(called, st.just("concat"), inner, inner),
        st.builds(called, st.just("equals"), inner, st.sampled_from(["'X'", "1", "null"])),
        st.builds(called, st.just("if"), inner, inner, inner),
        st.builds(str.__add__, inner, st.sampled_from([".a", "['b']", "[0]"])).filter(lambda t: t[0] not in "'-1tn"),
    ),
    max_leaves=4,
)
EXPRESSIONS = st.deferred(lambda: TREES.map(lambda tree: f"[{tree}]"))  # deferred: its repr is long

SIDES = st.one_of(SCALARS, SCALARS, VALUES, EXPRESSIONS, st.just("[[x]"))
LISTS = st.lists(SCALARS, max_size=3) | st.lists(SCALARS, min_size=17, max_size=20) | EXPRESSIONS | TEXTS
ABSENT = "[parameters('q').z]"
LIKE = st.sampled_from(["x*", "*z", "X", "x*z", "?", "*y*", "**", "1*", "t?ue", "s*"])
MATCH = st.sampled_from(["?", "?#", "#", "x?.", "X", ".", "1.5", "a#"])
ANY_TEST = st.one_of(
    st.tuples(st.sampled_from(["equals", "notEquals", "EQUALS", "notequals"]), SIDES),
    st.tuples(st.sampled_from(["in", "notIn"]), LISTS),
    st.tuples(st.sampled_from(["contains", "notContains"]), SIDES),
    st.tuples(
        st.sampled_from(["containsKey", "notContainsKey"]), st.sampled_from(["a", "B", 1, "[parameters('q').z]"])
    ),
    st.tuples(st.sampled_from(["like", "notLike"]), LIKE | SCALARS),
    st.tuples(st.sampled_from(["match", "notMatch", "matchInsensitively", "notMatchInsensitively"]), MATCH | SCALARS),
    st.tuples(st.sampled_from(["less", "lessOrEquals", "greater", "greaterOrEquals"]), SCALARS | EXPRESSIONS),
    st.tuples(st.just("exists"), st.sampled_from([True, False, "true", "False", "no", ABSENT])),
)
TESTS = st.deferred(lambda: ANY_TEST)
NUMBERS = st.tuples(st.sampled_from(["equals", "greater", "lessOrEquals"]), st.integers(0, 3))


def counts(where: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Counts of fields and of values, with conditions that ask about what is counted."""
    return st.one_of(
        st.builds(
            lambda path, inner, test: {"count": {"field": path, "where": inner(path)}, test[0]: test[1]},
            COUNTED,
            st.one_of(
                where.map(lambda condition: lambda _path: condition),
                TESTS.map(lambda test: lambda path: {"field": path, test[0]: test[1]}),
                TESTS.map(lambda test: lambda path: {"field": f"{path}.a", test[0]: test[1]}),
                TESTS.map(lambda test: lambda path: {"value": f"[current('{path}')]", test[0]: test[1]}),
                TESTS.map(lambda test: lambda path: {"value": f"[current('{path}.a')]", test[0]: test[1]}),
                TESTS.map(lambda test: lambda path: {"value": f"[first(field('{path}'))]", test[0]: test[1]}),
                NUMBERS.map(lambda test: lambda path: {"count": {"field": f"{path}.b[*]"}, test[0]: test[1]}),
            ),
            NUMBERS,
        ),
        st.builds(
            lambda value, condition, test: {
                "count": {"value": value, "name": "n", "where": condition},
                test[0]: test[1],
            },
            st.lists(SCALARS, max_size=3) | EXPRESSIONS,
            where | TESTS.map(lambda test: {"value": "[current('n')]", test[0]: test[1]}),
            NUMBERS,
        ),
        st.builds(lambda path, test: {"count": {"field": path}, test[0]: test[1]}, COUNTED, NUMBERS),
    )


LEAVES = st.one_of(
    st.builds(lambda path, test: {"field": path, test[0]: test[1]}, FIELDS, TESTS),
    st.builds(lambda value, test: {"value": value, test[0]: test[1]}, SIDES, TESTS),
)


@st.composite
def rules(draw: st.DrawFn, depth: int = 3) -> Any:
    if depth == 0:
        return draw(LEAVES)
    inner = rules(depth - 1)
    kind = draw(st.sampled_from(["leaf", "leaf", "count", "count", "allOf", "anyOf", "not"]))
    if kind in {"leaf", "count"}:
        return draw(LEAVES if kind == "leaf" else counts(inner))
    return {kind: draw(inner if kind == "not" else st.lists(inner, min_size=1, max_size=3))}


RULES = rules()
GIVEN = st.fixed_dictionaries({"p": VALUES | st.just("properties.b"), "q": VALUES})
BOUNDED = settings(max_examples=250, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])


def resource(name: str, document: dict[str, Any]) -> dict[str, Any]:
    return {"id": f"{GROUP}/providers/{TYPE}/{name}", "name": name, "type": TYPE, **document}


def outcome(call: Any, error: type[Exception]) -> Any:
    try:
        return call()
    except error:
        return "an error"


@BOUNDED
@given(rule=RULES, document=DOCUMENTS, owner=st.none() | DOCUMENTS, parameters=GIVEN)
def test_the_engine_agrees_with_the_oracle(
    rule: Any,
    document: Any,
    owner: Any,
    parameters: Any,
    condition: Any,
    context: Any,
    cluster: Any,
) -> None:
    """As an `if`, and as an existence condition: there a related resource is tested, and `field()` asks its owner."""
    tested = resource("thing", document)
    root = tested if owner is None else resource("owner", owner)
    logic = condition(json.dumps(rule))
    on = context(cluster(), **parameters)
    tested_resource = Resource.from_document(tested)
    subject = Subject(tested_resource, tested_resource if owner is None else Resource.from_document(root), on)

    found = outcome(lambda: evaluate(logic, subject), ExpressionError)

    world = oracle.World(tested, root, parameters)
    assert found == outcome(lambda: oracle.holds(rule, world), oracle.Wrong)
    assert outcome(lambda: trace(logic, subject).result, ExpressionError) == found


@settings(BOUNDED, max_examples=80)
@given(rule=RULES, document=DOCUMENTS, parameters=GIVEN)
def test_not_not_is_nothing(
    rule: Any, document: Any, parameters: Any, condition: Any, context: Any, cluster: Any
) -> None:
    tested = Resource.from_document(resource("thing", document))
    subject = Subject.of(tested, context(cluster(), **parameters))

    plain, twice = (condition(json.dumps(each)) for each in (rule, {"not": {"not": rule}}))

    assert outcome(lambda: evaluate(twice, subject), ExpressionError) == outcome(
        lambda: evaluate(plain, subject), ExpressionError
    )
