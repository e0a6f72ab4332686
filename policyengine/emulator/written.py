"""What people write for the emulator (faults, simulations, principals), member by member.

Every complaint names the member and says what belongs there. Raises InventoryError.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from policyengine.emulator.durations import parse_duration
from policyengine.errors import InventoryError
from policyengine.model.values import JSON, is_array


def whole_number(value: JSON, what: str, *, least: int, most: int = 10**9) -> int:
    """A number, or the text of one."""
    text = str(value) if isinstance(value, int | str) and not isinstance(value, bool) else ""
    number = int(text) if text.removeprefix("-").isdecimal() else None
    if number is None or not least <= number <= most:
        raise InventoryError(f"{what} is no whole number from {least} on: `{value}`", help="write it like `5`")
    return number


def yes_or_no(value: JSON, what: str) -> bool:
    """Nothing at all is no."""
    if value is not None and not isinstance(value, bool):
        raise InventoryError(f"{what} is neither true nor false: `{value}`", help="write `true` or `false`")
    return bool(value)


def mapping(value: JSON, what: str, help: str) -> Mapping[str, JSON]:
    """Nothing at all is an empty one."""
    if value is not None and not isinstance(value, Mapping):
        raise InventoryError(f"{what} is no object: `{value}`", help=help)
    return value or {}


def texts(value: JSON, what: str) -> tuple[str, ...]:
    if not is_array(value) or not all(isinstance(item, str) and item for item in value):
        raise InventoryError(f"{what} is no list of texts: `{value}`", help="write it like `[github.com]`")
    return tuple(value)


def length(value: JSON, what: str) -> timedelta:
    """A length of time."""
    try:
        return parse_duration(value)
    except ValueError as error:
        raise InventoryError(f"{what}: {error}") from error
