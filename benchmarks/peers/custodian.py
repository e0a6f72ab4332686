"""Cloud Custodian: value filters for the cluster, list-item filters for what is on it; lists, as its users run it.

As it comes, it notes on each resource what matched. The same engine without these notes stands beside it.
"""

from __future__ import annotations

from contextlib import nullcontext
from types import SimpleNamespace
from typing import Any

import orjson
from c7n.filters.core import FilterRegistry, ValueFilter

from benchmarks.peers.rules import All, Differs, Either, Is, Rule, Several, Without

_TRACER = SimpleNamespace(subsegment=lambda name: nullcontext())  # noqa: ARG005
_CONTEXT = SimpleNamespace(tracer=_TRACER, session_factory=None, options={}, policy=None)
_MANAGER = SimpleNamespace(ctx=_CONTEXT, get_model=lambda: SimpleNamespace(id="id"), data={})
_OPERATORS = {"in": "in", "prefix": "glob", "digits": "regex-case", "<=": "lte"}


class Custodian:
    def __init__(self, rules: list[Rule]) -> None:
        registry = FilterRegistry("filters")

        def made(tree: Any) -> list[Any]:
            return [] if tree is None else list(registry.parse(written(tree), _MANAGER))

        self._policies = []
        for rule in rules:
            child = {"type": "list-item", "key": rule.children, "attrs": written(rule.child)} if rule.children else None
            last = registry.parse([child], _MANAGER) if child else None
            self._policies.append((made(rule.applies), made(rule.rule), last))

    def states(self, texts: list[tuple[str, str]]) -> list[bytes]:
        clusters = [{**orjson.loads(document), **orjson.loads(children)} for document, children in texts]
        return [self._judge(policy, clusters) for policy in self._policies]

    def _judge(self, policy: tuple[list[Any], list[Any], list[Any] | None], clusters: list[dict[str, Any]]) -> bytes:
        applies, rule, child = policy
        matching = passing(rule, clusters)
        found = dict.fromkeys(map(id, clusters), 0)
        if child is None:
            found |= dict.fromkeys(map(id, passing(applies, clusters)), 1)
            found |= dict.fromkeys(map(id, matching), 2)
        else:
            found |= dict.fromkeys(map(id, matching), 2)
            found |= dict.fromkeys(map(id, passing(child, matching)), 1)
        return bytes(found.values())


class WithoutNotes(Custodian):
    def __init__(self, rules: list[Rule]) -> None:
        super().__init__(rules)
        ValueFilter.annotate = False


def passing(filters: list[Any], resources: list[Any]) -> list[Any]:
    for one in filters:
        resources = one.process(resources)
        if not resources:
            break
    return resources


def written(tree: Any) -> list[dict[str, Any]]:
    """Filters that all have to pass."""
    if isinstance(tree, All):
        return [one for member in tree.members for one in written(member)]
    if isinstance(tree, Either):
        return [{"or": [_one(member) for member in tree.members]}]
    if isinstance(tree, Without):
        return [_without(tree.member)]
    if isinstance(tree, Several):
        count = {"count": tree.number, "count_op": {"<": "lt", ">": "gt"}[tree.operator]}
        return [{"type": "list-item", "key": tree.path, "attrs": written(tree.where), **count}]
    if isinstance(tree, Differs):
        key = f"{tree.path}[].{tree.inner}"
        return [{"type": "value", "key": key, "op": "difference", "value_path": f"[{tree.other}]"}]
    assert isinstance(tree, Is)
    value = {"prefix": f"{tree.value}*", "digits": f"{tree.value}[0-9]{{7}}$", "exists": "present"}
    told = {"type": "value", "key": tree.path, "value": value.get(tree.operator, tree.value)}
    return [told | ({"op": _OPERATORS[tree.operator]} if tree.operator in _OPERATORS else {})]


def _one(member: Any) -> dict[str, Any]:
    filters = written(member)
    return filters[0] if len(filters) == 1 else {"and": filters}


def _without(member: Any) -> dict[str, Any]:
    """As its users would say it: `ne`, `not-in` and `absent` rather than a block."""
    (told,) = written(member)
    if isinstance(member, Is) and member.operator in ("==", "in"):
        return told | {"op": {"==": "ne", "in": "not-in"}[member.operator]}
    return told | {"value": "absent"} if isinstance(member, Is) and member.operator == "exists" else {"not": [told]}
