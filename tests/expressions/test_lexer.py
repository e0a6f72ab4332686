from __future__ import annotations

import pytest

from policyengine.errors import ExpressionError
from policyengine.expressions.lexer import tokenize


def test_tokens_keep_their_offsets() -> None:
    tokens = tokenize("[ a( 'it''s', -1.5)\n.b[0] ]")

    assert [(t.kind, t.text, t.offset) for t in tokens] == [
        ("name", "a", 2),
        ("(", "(", 3),
        ("string", "'it''s'", 5),
        (",", ",", 12),
        ("-", "-", 14),
        ("number", "1.5", 15),
        (")", ")", 18),
        (".", ".", 20),
        ("name", "b", 21),
        ("[", "[", 22),
        ("number", "0", 23),
        ("]", "]", 24),
        ("end", "", 26),
    ]


@pytest.mark.parametrize(
    ("text", "offset", "message"),
    [
        ("[a('x]", 3, "the text has no closing quote"),
        ('[a("x")]', 3, '`"` does not belong in an expression'),
        ("[a(#)]", 3, "`#` does not belong in an expression"),
        ("[a(٣)]", 3, "`٣` does not belong in an expression"),
    ],
)
def test_stray_characters_are_named(text: str, offset: int, message: str) -> None:
    with pytest.raises(ExpressionError) as caught:
        tokenize(text)

    assert (caught.value.message, caught.value.offset) == (message, offset)


def test_length_is_limited() -> None:
    with pytest.raises(ExpressionError, match="has 81921 characters, 81920 are allowed"):
        tokenize("[" + " " * 81_919 + "]")
