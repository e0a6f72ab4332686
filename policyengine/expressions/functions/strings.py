"""Functions over text. Source: policy language §5.4, "Function semantics that differ from intuition"."""

from __future__ import annotations

import re
from collections.abc import Sequence

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import ANY, ARRAY, INTEGER, SCALAR, TEXT, Function, to_text
from policyengine.expressions.functions.composite_format import composite_format
from policyengine.expressions.limits import MAX_TEXT, check_length
from policyengine.model.values import JSON


def to_lower(text: str) -> str:
    return text.lower()


def to_upper(text: str) -> str:
    return text.upper()


def trim(text: str) -> str:
    return text.strip()


def split(text: str, delimiters: JSON) -> list[str]:
    """The pieces between delimiters, empty ones kept."""
    wanted = [delimiters] if isinstance(delimiters, str) else list(delimiters)
    if not all(isinstance(delimiter, str) for delimiter in wanted):
        raise ExpressionError("the delimiters must be texts")
    pattern = "|".join(re.escape(delimiter) for delimiter in wanted if delimiter)
    return re.split(pattern, text) if pattern else [text]


def replace(text: str, old: str, new: str) -> str:
    if not old:
        raise ExpressionError("the text to replace must not be empty")
    check_length(len(text) + text.count(old) * (len(new) - len(old)))
    return text.replace(old, new)


def substring(text: str, start: int, length: int | None = None) -> str:
    """Raises when any part of the range lies outside the text."""
    size = len(text) - start if length is None else length
    if start < 0 or size < 0 or start + size > len(text):
        raise ExpressionError(f"position {start}, length {size} is outside a text of {len(text)} characters")
    return text[start : start + size]


def starts_with(text: str, prefix: str) -> bool:
    return text.casefold().startswith(prefix.casefold())


def ends_with(text: str, suffix: str) -> bool:
    return text.casefold().endswith(suffix.casefold())


def index_of(text: str, wanted: str) -> int:
    """Position of the first occurrence without regard to case, -1 when there is none."""
    folded, places = _folded(text)
    found = folded.find(wanted.casefold())
    return found if found < 0 else places[found]


def last_index_of(text: str, wanted: str) -> int:
    folded, places = _folded(text)
    found = folded.rfind(wanted.casefold())
    return found if found < 0 else places[found]


def _folded(text: str) -> tuple[str, Sequence[int]]:
    """The text folded, and for each place in it the place in ``text``: folding makes some characters two."""
    folded = text.casefold()
    if len(folded) == len(text):
        return folded, range(len(text) + 1)
    return folded, [at for at, character in enumerate(text) for _ in character.casefold()] + [len(text)]


def pad_left(value: JSON, width: int, padding: str = " ") -> str:
    if len(padding) != 1:
        raise ExpressionError(f"the padding must be one character, got `{padding}`")
    if width > MAX_TEXT:
        raise ExpressionError(f"the width {width} is more than {MAX_TEXT}")
    return to_text(value).rjust(width, padding)


def join(items: list[JSON], delimiter: str) -> str:
    texts = [to_text(item) for item in items]
    check_length(sum(map(len, texts)) + len(delimiter) * max(len(texts) - 1, 0))
    return delimiter.join(texts)


STRINGS = (
    Function("toLower", to_lower, (TEXT,)),
    Function("toUpper", to_upper, (TEXT,)),
    Function("trim", trim, (TEXT,)),
    Function("split", split, (TEXT, TEXT + ARRAY)),
    Function("replace", replace, (TEXT, TEXT, TEXT)),
    Function("substring", substring, (TEXT, INTEGER), (INTEGER,)),
    Function("startsWith", starts_with, (TEXT, TEXT)),
    Function("endsWith", ends_with, (TEXT, TEXT)),
    Function("indexOf", index_of, (TEXT, TEXT)),
    Function("lastIndexOf", last_index_of, (TEXT, TEXT)),
    Function("padLeft", pad_left, (SCALAR, INTEGER), (TEXT,)),
    Function("join", join, (ARRAY, TEXT)),
    Function("format", composite_format, (TEXT,), rest=ANY),
)
