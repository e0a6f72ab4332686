"""JsonLogic, by an engine in Rust that parses the text itself. It has no patterns: digits are not looked at."""

from __future__ import annotations

from typing import Any

from datalogic_py import DataHandle, Engine

from benchmarks.peers.rules import All, Differs, Either, Is, Rule, Several, Without


class JsonLogic:
    def __init__(self, rules: list[Rule]) -> None:
        engine = Engine()
        self._session = engine.session()
        self._policies = [engine.compile(_policy(rule)) for rule in rules]

    def states(self, texts: list[tuple[str, str]]) -> list[bytes]:
        found = [bytearray() for _ in self._policies]
        with self._session as session:
            for document, children in texts:
                # both texts are objects: as one text, so that one parse does
                data = DataHandle(f"{document[:-1]},{children[1:]}")
                for states, policy in zip(found, self._policies, strict=True):
                    states.append(session.evaluate_int(policy, data))
        return [bytes(states) for states in found]


def _policy(rule: Rule) -> dict[str, Any]:
    holds = written(rule.rule)
    if rule.children is None:
        return {"if": [holds, 2, written(rule.applies), 1, 0]}
    return {"if": [holds, {"if": [{"some": [{"var": rule.children}, written(rule.child)]}, 1, 2]}, 0]}


def written(tree: Any) -> Any:
    if isinstance(tree, All | Either):
        return {"and" if isinstance(tree, All) else "or": [written(member) for member in tree.members]}
    if isinstance(tree, Without):
        return {"!": [written(tree.member)]}
    if isinstance(tree, Several):
        matching = {"filter": [{"var": tree.path}, written(tree.where)]}
        return {tree.operator: [{"reduce": [matching, {"+": [1, {"var": "accumulator"}]}, 0]}, tree.number]}
    if isinstance(tree, Differs):
        other = {"val": [[2], *tree.other.split(".")]}
        return {"some": [{"var": tree.path}, {"!==": [{"var": tree.inner}, other]}]}
    assert isinstance(tree, Is)
    place = {"var": tree.path}
    if tree.operator in ("prefix", "digits"):
        return {"===": [{"substr": [{"cat": [place]}, 0, len(tree.value)]}, tree.value]}
    if tree.operator == "exists":
        return {"!==": [place, None]}
    return {{"==": "===", "<=": "<=", "in": "in"}[tree.operator]: [place, tree.value]}
