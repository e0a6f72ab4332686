""".NET composite format, as far as `format()` is used with it: ``{index[,alignment][:specifier]}``."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping

from policyengine.errors import ExpressionError
from policyengine.expressions.functions.base import to_text
from policyengine.expressions.limits import MAX_TEXT, check_length
from policyengine.model.values import JSON, is_array

_PIECE = re.compile(
    r"\{\{|\}\}|\{(?P<index>\d{1,6})(?:,\s*(?P<width>-?\d{1,9}))?(?::(?P<specifier>[^{}]*))?\}|[{}]", re.ASCII
)
_STANDARD = re.compile(r"(?P<letter>[DdNnFfXxGg])(?P<digits>\d{0,2})", re.ASCII)
_ZEROS = re.compile(r"0+")


def composite_format(pattern: str, *values: JSON) -> str:
    """``pattern`` with every ``{i}`` replaced by argument i; ``{{`` and ``}}`` are braces.

    Specifiers known: D, N, F, X, G with a precision, and a run of zeros. Source: .NET composite formatting.
    """

    length = 0

    def piece(match: re.Match[str]) -> str:
        nonlocal length
        text = written(match)
        length += len(text)
        check_length(length)
        return text

    def written(match: re.Match[str]) -> str:
        if match["index"] is None:
            return _brace(match.group())
        index = int(match["index"])
        if index >= len(values):
            raise ExpressionError(f"the pattern asks for value {index}, only {len(values)} were given")
        return _align(_format(values[index], match["specifier"] or ""), int(match["width"] or 0))

    return _PIECE.sub(piece, pattern)


def _brace(text: str) -> str:
    if len(text) == 1:
        raise ExpressionError(f"a lone `{text}` in the pattern", help=f"write `{text * 2}` for the brace itself")
    return text[0]


def _align(text: str, width: int) -> str:
    if abs(width) > MAX_TEXT:
        raise ExpressionError(f"the alignment {width} is more than {MAX_TEXT}")
    return text.rjust(width) if width >= 0 else text.ljust(-width)


def _format(value: JSON, specifier: str) -> str:
    if isinstance(value, Mapping) or is_array(value):
        return json.dumps(value, separators=(",", ":"), ensure_ascii=False)
    if not specifier or isinstance(value, bool) or not isinstance(value, int | float):
        return to_text(value)
    if _ZEROS.fullmatch(specifier):
        return _signed_zeros(round(value), len(specifier))
    standard = _STANDARD.fullmatch(specifier)
    if standard is None:
        raise ExpressionError(f"the format specifier `{specifier}` is not known")
    return _standard(value, standard["letter"], standard["digits"])


def _standard(value: int | float, letter: str, digits: str) -> str:
    match letter.upper():
        case "N":
            return f"{value:,.{int(digits or 2)}f}"
        case "F":
            return f"{value:.{int(digits or 2)}f}"
        case "G":
            return to_text(value)
    if not isinstance(value, int):
        raise ExpressionError(f"the format specifier `{letter}` needs a whole number, got {value}")
    if letter.upper() == "D":
        return _signed_zeros(value, int(digits or 1))
    return f"{value & 0xFFFFFFFFFFFFFFFF if value < 0 else value:{letter}}".rjust(int(digits or 1), "0")


def _signed_zeros(value: int, width: int) -> str:
    return f"{'-' if value < 0 else ''}{str(abs(value)).rjust(width, '0')}"
