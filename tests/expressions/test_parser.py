from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.errors import ExpressionError
from policyengine.expressions.parser import MAX_NESTING, is_expression, parse
from policyengine.expressions.syntax import Access, Call, Literal
from policyengine.model.values import JSON


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[a()]", True),
        ("[[a()]", False),
        ("[a()", False),
        ("a()]", False),
        ("[]", True),
        ("", False),
        (" [a()]", False),
    ],
)
def test_expression_is_recognised(text: str, expected: bool) -> None:
    assert is_expression(text) is expected


def test_access_binds_to_what_stands_before() -> None:
    tree = parse("[f('x').a[1]]")

    call = Call("f", (Literal("x", 3),), 1)
    assert tree == Access(Access(call, Literal("a", 8), 7), Literal(1, 10), 9)


def test_index_bracket_beside_the_closing_one_is_not_an_escape() -> None:
    """`]]` at the end: one closes the index, the other the expression."""
    tree = parse("[resourceGroup().tags[parameters('x')]]")

    assert isinstance(tree, Access)
    assert tree.key == Call("parameters", (Literal("x", 33),), 22)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("['it''s']", "it's"),
        ("['a]b']", "a]b"),
        ("[-3]", -3),
        ("[ - 2.5 ]", -2.5),
        ("[1e3]", 1000.0),
        ("[true]", True),
        ("[NULL]", None),
        ("[\n\t'x'\r\n]", "x"),
    ],
)
def test_literals(text: str, value: JSON) -> None:
    tree = parse(text)

    assert isinstance(tree, Literal)
    assert (type(tree.value), tree.value) == (type(value), value)


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("[]", 1, "the expression is empty"),
        ("[a(]", 3, "expected a value, found the end of the expression"),
        ("[a('x' 'y')]", 7, "expected `,` or `)`, found `'y'`"),
        ("[a() b()]", 5, "expected the end of the expression, found `b`"),
        ("[a().]", 5, "expected a property name after `.`, found the end of the expression"),
        ("[a()['x'].]", 10, "expected a property name after `.`, found the end of the expression"),
        ("[a()[0]", 6, "expected `]` after the index, found the end of the expression"),
        ("[a(,)]", 3, "expected a value, found `,`"),
        ("[-'x']", 2, "expected a number after `-`, found `'x'`"),
        ("[a]b]", 1, "`a` is neither a text nor a function call"),
        ("[a()]b]", 4, "expected the end of the expression, found `]`"),
    ],
)
def test_errors_say_where_and_what(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        parse(text)

    assert (caught.value.message, caught.value.offset) == (message, offset)
    assert caught.value.help


def test_nesting_is_limited() -> None:
    fits = MAX_NESTING - 1
    parse("[" + "f(" * fits + "1" + ")" * fits + "]")

    with pytest.raises(ExpressionError, match="nests deeper than 64 levels"):
        parse("[" + "f(" * MAX_NESTING + "1" + ")" * MAX_NESTING + "]")
    with pytest.raises(ExpressionError, match="nests deeper than 64 levels"):
        parse("[f()" + ".a" * MAX_NESTING + "]")


def test_arguments_are_limited() -> None:
    with pytest.raises(ExpressionError, match="at most 128 arguments, got 129"):
        parse("[f(" + ",".join("1" * 129) + ")]")


@pytest.mark.parametrize("digits", ["9" * 5000, "1e999"])
def test_huge_numbers_are_refused(digits: str) -> None:
    with pytest.raises(ExpressionError, match="is too large"):
        parse(f"[{digits}]")


@given(st.text(alphabet="[]()'.,-ab1 \n{#", max_size=30))
def test_any_text_parses_or_is_refused(text: str) -> None:
    """No input makes the parser raise anything else, or lose its place."""
    assert 0 <= _offset_of_trouble(f"[{text}]") <= len(text) + 1


def _offset_of_trouble(text: str) -> int:
    try:
        parse(text)
    except ExpressionError as error:
        return -1 if error.offset is None else error.offset
    return 0
