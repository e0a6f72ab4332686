"""jmespath, every rule compiled once; two functions of our own for what the language lacks."""

from __future__ import annotations

import json
import re
from typing import Any

import jmespath
import orjson
from jmespath import functions

from benchmarks.peers.rules import All, Differs, Either, Is, Rule, Several, Without


class Functions(functions.Functions):
    @functions.signature({"types": []}, {"types": ["string"]})
    def _func_is_numbered(self, text: Any, head: str) -> bool:
        return isinstance(text, str) and re.fullmatch(re.escape(head) + "[0-9]{7}", text) is not None

    @functions.signature({"types": []}, {"types": []})
    def _func_has_other(self, values: Any, value: Any) -> bool:
        return any(one != value for one in values or ())


class Jmespath:
    def __init__(self, rules: list[Rule]) -> None:
        self._options = jmespath.Options(custom_functions=Functions())
        self._policies = []
        for rule in rules:
            child = f"length({rule.children}[?{written(rule.child)}]) > `0`" if rule.children else None
            texts = (written(rule.applies) if rule.applies else None, written(rule.rule), child)
            self._policies.append(tuple(jmespath.compile(text) if text else None for text in texts))

    def states(self, texts: list[tuple[str, str]]) -> list[bytes]:
        clusters = [{**orjson.loads(document), **orjson.loads(children)} for document, children in texts]
        return [bytes(self._state(policy, cluster) for cluster in clusters) for policy in self._policies]

    def _state(self, policy: tuple[Any, ...], cluster: dict[str, Any]) -> int:
        applies, rule, child = policy
        holds = rule.search(cluster, self._options)
        if child is not None:
            return 0 if not holds else 1 if child.search(cluster, self._options) else 2
        return 2 if holds else 1 if applies.search(cluster, self._options) else 0


def written(tree: Any) -> str:
    if isinstance(tree, All | Either):
        sign = " && " if isinstance(tree, All) else " || "
        return "(" + sign.join(map(written, tree.members)) + ")"
    if isinstance(tree, Without):
        return f"!({written(tree.member)})"
    if isinstance(tree, Several):
        return f"length(not_null({tree.path}[?{written(tree.where)}], `[]`)) {tree.operator} `{tree.number}`"
    if isinstance(tree, Differs):
        return f"has_other({tree.path}[].{tree.inner}, {tree.other})"
    assert isinstance(tree, Is)
    value = json.dumps(tree.value)
    return {
        "==": f"{tree.path} == `{value}`",
        "<=": f"{tree.path} <= `{value}`",
        "in": f"contains(`{value}`, {tree.path})",
        "prefix": f"starts_with(not_null({tree.path}, ''), `{value}`)",
        "digits": f"is_numbered({tree.path}, `{value}`)",
        "exists": f"{tree.path} != null",
    }[tree.operator].replace("!= null", "!= `null`")
