"""The functions of expressions, by name: how many arguments each takes, and what it gives.

Source: Kusto Query Language reference, "Scalar functions".
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from policyengine.emulator.clock import parse_stamp
from policyengine.emulator.resource_graph.errors import QueryError
from policyengine.emulator.resource_graph.values import as_text
from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True)
class Scalar:
    """``most`` None: any number of arguments."""

    call: Callable[..., JSON]
    least: int = 1
    most: int | None = 1

    def check(self, name: str, count: int) -> None:
        if count < self.least or (self.most is not None and count > self.most):
            wanted = str(self.least) if self.least == self.most else f"{self.least} or more"
            raise QueryError(f"{name}(): function expects {wanted} argument(s), got {count}.")


def _split(text: JSON, delimiter: JSON, at: JSON = None) -> JSON:
    parts = as_text(text).split(as_text(delimiter)) if delimiter else [as_text(text)]
    if at is None:
        return parts
    return [parts[at]] if isinstance(at, int) and 0 <= at < len(parts) else []


def _substring(text: JSON, start: JSON, length: JSON = None) -> str:
    begin = max(0, int(start))
    return as_text(text)[begin : None if length is None else begin + int(length)]


def _number(value: JSON) -> JSON:
    try:
        return float(as_text(value))
    except ValueError:
        return None


def _integer(value: JSON) -> JSON:
    if isinstance(value, bool):
        return int(value)
    number = _number(value)
    return None if number is None else int(number)


def _boolean(value: JSON) -> JSON:
    return {"true": True, "1": True, "false": False, "0": False}.get(as_text(value).casefold())


def _parsed(value: JSON) -> JSON:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        return value


def _extract(pattern: JSON, group: JSON, text: JSON) -> JSON:
    try:
        match = re.search(as_text(pattern), as_text(text))
    except re.error as error:
        raise QueryError(f"extract(): the regular expression is invalid: {error}.") from None
    return match.group(int(group)) if match is not None and int(group) <= len(match.groups()) else None


def _coalesce(*values: JSON) -> JSON:
    return next((value for value in values if value not in (None, "")), None)


def _case(*arguments: JSON) -> JSON:
    if len(arguments) % 2 == 0:
        raise QueryError("case(): function expects an odd number of arguments, the last one for all other rows.")
    *pairs, otherwise = arguments
    tests = zip(pairs[::2], pairs[1::2], strict=True)
    return next((value for condition, value in tests if condition is True), otherwise)


def _pack(*arguments: JSON) -> JSON:
    return {as_text(key): value for key, value in zip(arguments[::2], arguments[1::2], strict=False)}


def _datetime(value: JSON) -> JSON:
    return value if isinstance(value, datetime) or value is None else parse_stamp(value)


SCALARS: Final[Mapping[str, Scalar]] = {
    "tolower": Scalar(lambda value: as_text(value).lower()),
    "toupper": Scalar(lambda value: as_text(value).upper()),
    "tostring": Scalar(as_text),
    "toint": Scalar(_integer),
    "tolong": Scalar(_integer),
    "todouble": Scalar(_number),
    "toreal": Scalar(_number),
    "tobool": Scalar(_boolean),
    "todatetime": Scalar(_datetime),
    "todynamic": Scalar(_parsed),
    "parse_json": Scalar(_parsed),
    "strlen": Scalar(lambda value: len(as_text(value))),
    "strcat": Scalar(lambda *values: "".join(map(as_text, values)), 1, None),
    "split": Scalar(_split, 2, 3),
    "substring": Scalar(_substring, 2, 3),
    "replace_string": Scalar(lambda text, old, new: as_text(text).replace(as_text(old), as_text(new)), 3, 3),
    "extract": Scalar(_extract, 3, 3),
    "isnull": Scalar(lambda value: value is None),
    "isnotnull": Scalar(lambda value: value is not None),
    "isempty": Scalar(lambda value: value is None or value == ""),
    "isnotempty": Scalar(lambda value: value is not None and value != ""),
    "not": Scalar(lambda value: None if value is None else not value),
    "iff": Scalar(lambda condition, yes, no: yes if condition is True else no, 3, 3),
    "iif": Scalar(lambda condition, yes, no: yes if condition is True else no, 3, 3),
    "case": Scalar(_case, 3, None),
    "coalesce": Scalar(_coalesce, 2, None),
    "array_length": Scalar(lambda value: len(value) if isinstance(value, list) else None),
    "bag_keys": Scalar(lambda value: list(value) if isinstance(value, Mapping) else None),
    "pack": Scalar(_pack, 2, None),
    "bag_pack": Scalar(_pack, 2, None),
    "pack_array": Scalar(lambda *values: list(values), 1, None),
}
"""By folded name. `now()` and `ago()` are not here: they need the clock."""
