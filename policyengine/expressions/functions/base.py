"""What a function is: its name, the kinds of its arguments, where it may be used, how it is called."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from enum import Enum
from typing import TypeAlias

from policyengine.expressions.context import Where
from policyengine.model.values import JSON, is_array

Kind: TypeAlias = tuple[str, ...]
"""The kinds of value an argument may have, in the words of an error message."""

NULL: Kind = ("null",)
BOOLEAN: Kind = ("a boolean",)
INTEGER: Kind = ("a whole number",)
NUMBER: Kind = ("a whole number", "a number")
TEXT: Kind = ("a text",)
ARRAY: Kind = ("an array",)
OBJECT: Kind = ("an object",)
SCALAR: Kind = TEXT + NUMBER + BOOLEAN
ANY: Kind = NULL + SCALAR + ARRAY + OBJECT

EVERYWHERE = frozenset(Where)
RULE_ONLY = frozenset({Where.RULE})
TEMPLATE_ONLY = frozenset({Where.TEMPLATE})


class Calling(Enum):
    """Who computes the result, and from what."""

    EAGER = "call(*values)"
    LAZY = "call(*thunks)"  # decides itself which arguments are evaluated
    AWARE = "call(context, *values)"
    SUPPLIED = "context.functions[name](*values)"


@dataclass(frozen=True, slots=True)
class Function:
    """One row of the function table.

    ``takes`` are the required arguments, ``optional`` may follow, ``rest`` any number more. ``in_rule`` is the
    implementation used in policy rules where it differs from the one of templates.
    """

    name: str
    call: Callable[..., JSON] | None
    takes: tuple[Kind, ...] = ()
    optional: tuple[Kind, ...] = ()
    rest: Kind | None = None
    where: frozenset[Where] = EVERYWHERE
    calling: Calling = Calling.EAGER
    in_rule: Callable[..., JSON] | None = None

    def implementation(self, where: Where) -> Callable[..., JSON] | None:
        return self.in_rule if self.in_rule is not None and where is Where.RULE else self.call

    def kind(self, position: int) -> Kind:
        """What argument ``position`` (from 0) may be."""
        named = self.takes + self.optional
        return named[position] if position < len(named) else self.rest or ANY

    def accepts(self, count: int) -> bool:
        at_most = len(self.takes) + len(self.optional)
        return count >= len(self.takes) and (self.rest is not None or count <= at_most)

    @property
    def arity(self) -> str:
        """How many arguments, in words."""
        low, high = len(self.takes), len(self.takes) + len(self.optional)
        if self.rest is not None:
            return f"at least {_arguments(low)}"
        return _arguments(low) if low == high else f"{low} to {_arguments(high)}"


def _arguments(count: int) -> str:
    return f"{count or 'no'} argument{'' if count == 1 else 's'}"


def kind_of(value: JSON) -> str:
    """The kind of a value, in the words of `Kind`."""
    if value is None:
        return "null"
    if isinstance(value, bool):
        return "a boolean"
    if isinstance(value, int):
        return "a whole number"
    if isinstance(value, float):
        return "a number"
    if isinstance(value, str):
        return "a text"
    return "an object" if isinstance(value, Mapping) else "an array" if is_array(value) else "something else"


def to_text(value: JSON) -> str:
    """A scalar as .NET writes it: ``True``, ``12``, ``1.5``; null is empty."""
    if value is None:
        return ""
    if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
        return str(int(value))
    return str(value)
