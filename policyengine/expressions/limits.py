"""How much one evaluation may take: the size of what it makes, and a budget of work.

Every limit is an ExpressionError that says which one it is, so that no text and no document can exhaust the machine.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from policyengine.errors import ExpressionError
from policyengine.model.values import JSON, is_array

MAX_TEXT: Final = 131_072
"""Characters a text may have that an expression makes. Source: policy language §5.5, limits."""

MAX_NODES: Final = 32_768
"""Values an array or object may hold, at any depth, that an expression makes. Source: policy language §5.5."""

MAX_DEPTH: Final = 128
"""How deep it may nest. Source: policy language §5.5."""

MAX_CHARACTERS: Final = 4_194_304
"""Characters of all texts in it. Source: Resource Manager's limit for a template."""

MAX_INTEGER: Final = 2**63 - 1
"""Whole numbers are 64 bits wide, as in templates."""

MAX_STEPS: Final = 50_000
"""Steps of one evaluation: a condition and a function call are one each, and looking through a value takes more."""

_NODES_A_STEP: Final = 4
_CHARACTERS_A_STEP: Final = 64


@dataclass(slots=True)
class Effort:
    """What is left of the budget of one evaluation; everything that takes part in it shares one."""

    left: int = MAX_STEPS

    def spend(self, steps: int) -> None:
        """Raises ExpressionError when nothing is left."""
        self.left -= steps
        if self.left < 0:
            raise ExpressionError(
                f"the evaluation takes more than {MAX_STEPS:,} steps",
                help="count fewer members, or look at each of them with fewer conditions",
            )

    def look_at(self, value: JSON) -> None:
        """Spend what it takes to read all of ``value``."""
        if isinstance(value, str):
            if len(value) > _CHARACTERS_A_STEP:
                self.spend(len(value) // _CHARACTERS_A_STEP)
        elif is_array(value) or isinstance(value, Mapping):
            self.spend(_nodes(value, self.left * _NODES_A_STEP) // _NODES_A_STEP)


def check_size(value: JSON) -> None:
    """Raise ExpressionError for an array or object, made by an expression, that is beyond the limits."""
    nodes = characters = 0
    waiting = [(value, 1)]
    while waiting:
        item, depth = waiting.pop()
        nodes += 1
        if isinstance(item, str):
            characters += len(item)
        elif isinstance(item, Mapping):
            characters += sum(map(len, item))
            waiting.extend((member, depth + 1) for member in item.values())
        elif is_array(item):
            waiting.extend((member, depth + 1) for member in item)
        if nodes + len(waiting) > MAX_NODES:
            raise ExpressionError(f"the result holds more than {MAX_NODES:,} values")
        if depth > MAX_DEPTH:
            raise ExpressionError(f"the result nests deeper than {MAX_DEPTH} levels")
        if characters > MAX_CHARACTERS:
            raise ExpressionError(f"the texts of the result have more than {MAX_CHARACTERS:,} characters")


def check_length(characters: int) -> None:
    """Raise ExpressionError before a text of that many characters is made."""
    if characters > MAX_TEXT:
        raise ExpressionError(f"the result is longer than {MAX_TEXT} characters")


def _nodes(value: JSON, enough: int) -> int:
    """Values in ``value``, itself included; counting stops soon after ``enough``."""
    count = 0
    waiting = [value]
    while waiting and count <= enough:
        item = waiting.pop()
        count += 1
        if isinstance(item, Mapping):
            waiting.extend(item.values())
        elif is_array(item):
            waiting.extend(item)
        elif isinstance(item, str):
            count += len(item) // (_CHARACTERS_A_STEP * _NODES_A_STEP)
    return count + len(waiting)
