"""The twenty policies as plain trees over paths, from which each peer's own rules are written.

Knows only the constructs that `benchmarks.policies` uses. Peers compare with regard to case, so constants are spelt as
the synthetic fleet spells them; where ours would convert (`"true"` to true), the constant already is converted.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from benchmarks.policies import EXTENSIONS, FLUX, definitions

POOLS = "properties.agentPoolProfiles"


@dataclass(frozen=True)
class All:
    members: tuple[Any, ...]


@dataclass(frozen=True)
class Either:
    members: tuple[Any, ...]


@dataclass(frozen=True)
class Without:
    member: Any


@dataclass(frozen=True)
class Is:
    """``operator`` is one of `==`, `in`, `prefix`, `digits` (a text, then seven digits), `exists` and `<=`."""

    path: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Several:
    """The number of members of the array at ``path`` that pass ``where`` is more than, or less than, ``number``."""

    path: str
    where: Any
    operator: str
    number: int


@dataclass(frozen=True)
class Differs:
    """Some member of the array at ``path`` has at ``inner`` another value than the document has at ``other``."""

    path: str
    inner: str
    other: str


@dataclass(frozen=True)
class Rule:
    """``applies`` and ``rule`` are of the cluster; ``child`` is asked of each child in the list under ``children``."""

    applies: Any
    rule: Any
    children: str | None = None
    child: Any = None


def rules(copies: int = 1, *, chosen: bool = False) -> list[Rule]:
    return [_rule(definition["properties"]["policyRule"]) for definition in definitions(copies, chosen=chosen)]


def _rule(policy: Mapping[str, Any]) -> Rule:
    condition, then = policy["if"], policy["then"]
    details = then.get("details")
    if details is None:
        return Rule(_condition(condition["allOf"][0]), _condition(condition))
    children = {EXTENSIONS: "extensions", FLUX: "fluxConfigurations"}[details["type"]]
    return Rule(None, _condition(condition), children, _condition(details["existenceCondition"]))


def _condition(given: Mapping[str, Any]) -> Any:
    if "allOf" in given:
        return All(tuple(map(_condition, given["allOf"])))
    if "anyOf" in given:
        return Either(tuple(map(_condition, given["anyOf"])))
    if "not" in given:
        return Without(_condition(given["not"]))
    if "count" in given:
        return _count(given)
    (operator,) = set(given) - {"field"}
    return _comparison(_path(given["field"]), operator, given[operator])


def _count(given: Mapping[str, Any]) -> Any:
    where = given["count"].get("where")
    (member,) = where["allOf"] if len(where["allOf"]) == 1 else (None,)
    if member is not None and "value" in member:
        return Differs(POOLS, "orchestratorVersion", "properties.kubernetesVersion")
    operator = next(name for name in ("less", "greater") if name in given)
    return Several(POOLS, _condition(where), {"less": "<", "greater": ">"}[operator], given[operator])


def _comparison(path: str, operator: str, value: Any) -> Any:
    if operator.startswith("not"):
        return Without(_comparison(path, operator[3].lower() + operator[4:], value))
    if operator == "exists":
        return Is(path, "exists", True) if value else Without(Is(path, "exists", True))
    if operator == "in":
        return Is(path, "in", [_spelt(path, item) for item in value])
    if operator == "like":
        return Is(path, "prefix", value.removesuffix("*"))
    if operator == "match":
        return Is(path, "digits", value.removesuffix("#######"))
    return Is(path, {"equals": "==", "lessOrEquals": "<="}[operator], _spelt(path, value))


def _spelt(path: str, value: Any) -> Any:
    if path == "location":
        return value.replace(" ", "").lower()
    return {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value


def _path(field: str) -> str:
    """Where a field is in the document, or in the member of the array that is counted."""
    if "[*]." in field:
        return field.partition("[*].")[2]
    head, _, rest = field.rpartition("/")
    if not head or head == "tags":
        return field
    return f"properties.{rest}"
