"""How values compare, as text and as numbers. Null is less than nothing: it equals no value, and no value it.

Source: Kusto Query Language reference, "Null values" and "String operators".
"""

from __future__ import annotations

import json
import math
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import Final

from policyengine.emulator.clock import stamp
from policyengine.model.values import JSON

_NEVER: Final = (0, "")


def as_text(value: JSON) -> str:
    """What `tostring()` gives: null is the empty text, an object its JSON."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, datetime):
        return stamp(value)
    return json.dumps(as_json(value), separators=(",", ":")) if isinstance(value, Mapping | list) else str(value)


def equals(left: JSON, right: JSON, *, fold: bool = False) -> bool | None:
    """None for null and null. Beside a text everything is compared as text."""
    if left is None and right is None:
        return None
    if left is None or right is None:
        return False
    if isinstance(left, str) or isinstance(right, str):
        one, other = as_text(left), as_text(right)
        return one.casefold() == other.casefold() if fold else one == other
    return bool(left == right)


def less(left: JSON, right: JSON) -> bool | None:
    """None where the two have no order."""
    kind = _order_kind(left)
    if kind is None or kind != _order_kind(right):
        return None
    return bool(left < right)


def sort_key(value: JSON) -> tuple[int, JSON]:
    """Nulls before all, then numbers, instants, texts; whatever has no order by its text."""
    if value is None:
        return _NEVER
    kind = _order_kind(value)
    ranks = {"number": 1, "instant": 2, "span": 3, "text": 4}
    return (ranks[kind], value) if kind is not None else (5, as_text(value))


def has_term(text: str, term: str, *, fold: bool) -> bool:
    """Whether ``term`` stands in ``text`` with no letter or digit right before or after it."""
    if fold:
        text, term = text.casefold(), term.casefold()
    return _term(term).search(text) is not None


def type_of(value: JSON) -> str:
    """The column type of the `table` format."""
    for kind, name in ((bool, "boolean"), (int, "integer"), (float, "number"), (str, "string"), (datetime, "string")):
        if isinstance(value, kind):
            return name
    return "object"


def is_dynamic(value: JSON) -> bool:
    return isinstance(value, Mapping | list)


def as_json(value: JSON) -> JSON:
    """The value as an answer can hold it, and as a text can be made of it."""
    if isinstance(value, Mapping):
        return {name: as_json(member) for name, member in value.items()}
    if isinstance(value, list):
        return [as_json(item) for item in value]
    if isinstance(value, datetime):
        return stamp(value)
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return str(value) if isinstance(value, timedelta) else value


@lru_cache(maxsize=512)
def _term(term: str) -> re.Pattern[str]:
    return re.compile(rf"(?<![^\W_]){re.escape(term)}(?![^\W_])")


def _order_kind(value: JSON) -> str | None:
    if isinstance(value, bool | int | float):
        return "number"
    for kind, name in ((datetime, "instant"), (timedelta, "span"), (str, "text")):
        if isinstance(value, kind):
            return name
    return None
