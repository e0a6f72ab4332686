"""Traces in words: what a resource has, and what it should have. Short enough for a table cell.

Source: policy language §8.4, "Reason texts map from the operator"; the direction is what the resource should be.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Final

from policyengine.evaluation import Trace
from policyengine.model.resource import CLUSTER_TYPES, EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.model.values import JSON, NO_RESULT, Nothing

MAX_VALUE: Final = 60
MAX_PARTS: Final = 3

NOUNS: Final = {
    EXTENSIONS.casefold(): "extension",
    FLUX_CONFIGURATIONS.casefold(): "fluxConfiguration",
    **{type.casefold(): f"{short} cluster" for short, type in CLUSTER_TYPES.items()},
}

SHOULD: Final = {
    "equals": ("must equal", "must not equal"),
    "like": ("must be like", "must not be like"),
    "match": ("must match, with case,", "must not match, with case,"),
    "matchInsensitively": ("must match, without case,", "must not match, without case,"),
    "contains": ("must contain", "must not contain"),
    "in": ("must be in", "must not be in"),
    "containsKey": ("must contain the key", "must not contain the key"),
    "less": ("must be less than", "must be at least"),
    "lessOrEquals": ("must be at most", "must be greater than"),
    "greater": ("must be greater than", "must be at most"),
    "greaterOrEquals": ("must be at least", "must be less than"),
    "exists": ("must exist", "must not exist"),
}
"""For each operator: what should be so, and what should not. Negated operators swap the two."""

NEGATED: Final = {
    "notEquals": "equals",
    "notLike": "like",
    "notMatch": "match",
    "notMatchInsensitively": "matchInsensitively",
    "notContains": "contains",
    "notIn": "in",
    "notContainsKey": "containsKey",
}

_SELECTING: Final = (
    frozenset({"type", "kind", "name", "location", "id"}),
    frozenset({"type", "kind", "name"}),
    frozenset({"type", "kind"}),
)
"""Fields that choose what a rule speaks about, those first that are never what is wrong; the last are never blamed."""

HOLDS_ALWAYS: Final = "the rule holds for every resource of its type"

_AGE: Final = re.compile(r"age_days\(\s*([\w.]+)\s*\)")
_AGES: Final = {"systemData.lastModifiedAt": "last changed", "systemData.createdAt": "created"}
_UNITS: Final = (("d", 86_400), ("h", 3_600), ("m", 60), ("s", 1))


def of_unmet(clause: Trace) -> str:
    """What a clause that failed wanted: ``branch is "release/1.8", wanted "main"``."""
    return _toward(clause, wanted=True)


def of_match(rule: Trace) -> str:
    """What should be different for a rule that holds no longer to hold."""
    telling = _telling(rule)
    parts = [_toward(leaf, wanted=not held) for leaf, held in telling[:MAX_PARTS]]
    more = f" (and {len(telling) - MAX_PARTS} more)" if len(telling) > MAX_PARTS else ""
    return "; ".join(parts) + more if parts else HOLDS_ALWAYS


def shown_in_match(rule: Trace) -> tuple[Trace, ...]:
    """The leaves whose values `of_match` shows. Of all others it depends on whether they hold, and on nothing else."""
    return tuple(leaf for leaf, _ in _telling(rule)[:MAX_PARTS])


def shown_in_unmet(clause: Trace) -> Trace:
    """The one leaf whose values `of_unmet` shows; likewise."""
    wanted = True
    while clause.children:
        wanted = wanted is not (clause.kind == "not")
        clause = clause.children[0] if clause.kind == "not" else _standing_for(clause, wanted=wanted)[0]
    return clause


@dataclass(frozen=True, slots=True)
class Demand:
    """What should be so of one value that is not: ``must`` in words, such as ``must equal "main"``."""

    leaf: Trace
    must: str


def demands_of_unmet(clause: Trace) -> tuple[Demand, ...]:
    """For every leaf that makes ``clause`` false; of an `anyOf`, any one of them will do."""
    return tuple(Demand(leaf, _must(leaf, wanted=not held)) for leaf, held in _blamed(clause, held=False))


def demands_of_match(rule: Trace) -> tuple[Demand, ...]:
    """For every leaf that is to blame for a rule that holds; of an `allOf`, any one of them will do."""
    return tuple(Demand(leaf, _must(leaf, wanted=not held)) for leaf, held in _telling(rule))


def noun(type: str) -> str:
    """A resource type as people call it: ``extension``, ``fluxConfiguration``, else the type itself."""
    return NOUNS.get(type.casefold(), f"`{type}`")


def value(shown: JSON | Nothing) -> str:
    """A value as JSON, cut short; ``missing`` for one that is not there."""
    if shown is None or (isinstance(shown, Nothing) and shown is not NO_RESULT):
        return "missing"
    if shown is NO_RESULT:
        return "without result"
    if isinstance(shown, float):
        shown = float(f"{shown:.4g}")
    text = json.dumps(shown, ensure_ascii=False)
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _blamed(trace: Trace, *, held: bool) -> list[tuple[Trace, bool]]:
    """The leaves that made ``trace`` come out as ``held``, each with its own result."""
    if trace.is_leaf:
        return [(trace, held)] if trace.error is None else []
    if trace.kind == "not":
        return _blamed(trace.children[0], held=not held)
    return [pair for child in trace.children if child.result is held for pair in _blamed(child, held=held)]


def _telling(rule: Trace) -> list[tuple[Trace, bool]]:
    """The leaves to blame for a rule that holds, one for each field, those that select left out if others remain."""
    blamed = _blamed(rule, held=True)
    tiers = ([(leaf, held) for leaf, held in blamed if leaf.label.casefold() not in names] for names in _SELECTING)
    telling = next(filter(None, tiers), [])
    return list({leaf.label.casefold(): (leaf, held) for leaf, held in reversed(telling)}.values())[::-1]


def _toward(trace: Trace, *, wanted: bool) -> str:
    if trace.kind == "not":
        return _toward(trace.children[0], wanted=not wanted)
    if trace.children:
        return _group(trace, wanted=wanted)
    if trace.error is not None:
        return f"{_label(trace)} cannot be evaluated: {trace.error}"
    return _leaf(trace, wanted=wanted)


def _standing_for(trace: Trace, *, wanted: bool) -> tuple[Trace, int]:
    """The member that stands for a group, and how many others are not as wanted."""
    open_ = [child for child in trace.children if child.result is not wanted] or list(trace.children)
    return min(open_, key=_unmet), len(open_) - 1


def _group(trace: Trace, *, wanted: bool) -> str:
    """One member stands for the group: the first that is not as wanted; others are counted."""
    one, others = _standing_for(trace, wanted=wanted)
    text = _toward(one, wanted=wanted)
    if not others:
        return text
    any_will_do = (trace.kind == "anyOf") is wanted
    return f"{text} (or {others} other{'s' if others > 1 else ''})" if any_will_do else f"{text} (and {others} more)"


def _unmet(trace: Trace) -> int:
    return sum(not clause.result for clause in trace.clauses)


def _leaf(trace: Trace, *, wanted: bool) -> str:
    operator = trace.operator or ""
    label = _label(trace)
    positive = NEGATED.get(operator, operator)
    should_be = wanted is (positive == operator)
    actual = _actual(trace)
    if positive == "exists":
        should_be = wanted is _asks_for_presence(trace.expected)
        return f"{label} is missing" if should_be else f"{label} must not exist, is {actual}"
    if positive == "equals" and should_be:
        return f"{label} is {actual}, wanted {value(trace.expected)}"
    if positive == "equals" and isinstance(trace.actual, bool):
        return f"{label} is {actual}, wanted {value(not trace.actual)}"
    if positive in _LIMITS and (age := _age(trace, _LIMITS[positive] is should_be)) is not None:
        return age
    text = f"{label} {_must(trace, wanted=wanted)}"
    return text if positive == "equals" and not trace.each else f"{text}, is {actual}"


def _must(leaf: Trace, *, wanted: bool) -> str:
    """Source: policy language §8.4; ``wanted``: the leaf should hold."""
    operator = leaf.operator or ""
    positive = NEGATED.get(operator, operator)
    should_be = wanted is (positive == operator)
    if positive == "exists":
        return SHOULD[positive][0 if wanted is _asks_for_presence(leaf.expected) else 1]
    return f"{SHOULD[positive][0 if should_be else 1]} {value(leaf.expected)}"


_LIMITS: Final = {"less": True, "lessOrEquals": True, "greater": False, "greaterOrEquals": False}
"""Comparisons of an age: whether what they ask for is youth."""


def _age(trace: Trace, young: bool) -> str | None:
    """``last changed 160 d ago, allowed 15 m``; None for what is no age, or cannot be told as one."""
    found, limit = _AGE.fullmatch(trace.label), trace.expected
    if found is None or isinstance(limit, bool) or not isinstance(limit, int | float):
        return None
    what = _AGES.get(found[1], f"{found[1]} was")
    if not isinstance(trace.actual, int | float):
        return f"{found[1]} is missing"
    return f"{what} {_length(trace.actual, parts=1)} ago, {'allowed' if young else 'wanted at least'} {_length(limit)}"


def _length(days: float, *, parts: int = len(_UNITS)) -> str:
    """``160 d``, ``1 h 30 m``; no more than so many parts, the rest left off."""
    left, told = max(0, round(days * 86_400)), []
    for unit, seconds in _UNITS:
        count, left = divmod(left, seconds)
        if count:
            told.append(f"{count} {unit}")
    return " ".join(told[:parts]) or "0 s"


def _label(trace: Trace) -> str:
    """The left-hand side on one line, cut short."""
    text = " ".join(trace.label.split())
    return text if len(text) <= MAX_VALUE else text[: MAX_VALUE - 1] + "…"


def _actual(trace: Trace) -> str:
    actual = trace.actual
    if trace.each and not isinstance(actual, Nothing) and len(actual) == 1:
        return value(actual[0])
    return value(actual)


def _asks_for_presence(expected: JSON | Nothing) -> bool:
    return expected is True or str(expected).casefold() == "true"
