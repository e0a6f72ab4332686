"""The Common Expression Language, by Google's own engine in C++ and by one in Rust: the same texts for both."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import orjson

from benchmarks.peers.rules import All, Differs, Either, Is, Rule, Several, Without

Evaluate = Callable[[Any], bool]
PRESENT = ("tags", "properties")
"""What every document has at its root, and need not be asked for."""


class Cel:
    """What both have in common; `compiled` and `bound` are theirs."""

    def __init__(self, rules: list[Rule]) -> None:
        self._policies: list[tuple[Any, ...]] = []
        for rule in rules:
            child = f"doc.{rule.children}.exists(c, {written(rule.child, 'c')})" if rule.children else None
            texts = (written(rule.applies) if rule.applies else None, written(rule.rule), child)
            self._policies.append(tuple(self.compiled(text) if text else None for text in texts))

    def compiled(self, text: str) -> Evaluate:
        raise NotImplementedError(text)

    def bound(self, document: dict[str, Any]) -> Any:
        raise NotImplementedError(document)

    def states(self, texts: list[tuple[str, str]]) -> list[bytes]:
        found = [bytearray() for _ in self._policies]
        for document, children in texts:
            cluster = self.bound({**orjson.loads(document), **orjson.loads(children)})
            for states, (applies, rule, child) in zip(found, self._policies, strict=True):
                holds = rule(cluster)
                if child is not None:
                    states.append(0 if not holds else 1 if child(cluster) else 2)
                else:
                    states.append(2 if holds else 1 if applies(cluster) else 0)
        return [bytes(states) for states in found]


class CelCpp(Cel):
    def __init__(self, rules: list[Rule]) -> None:
        from cel_expr_python import cel

        self._environment = cel.NewEnv(variables={"doc": cel.Type.DYN})
        super().__init__(rules)

    def compiled(self, text: str) -> Evaluate:
        expression = self._environment.compile(text)
        return lambda activation: expression.eval(activation).value() is True

    def bound(self, document: dict[str, Any]) -> Any:
        return self._environment.Activation({"doc": document})


class CelRust(Cel):
    def compiled(self, text: str) -> Evaluate:
        import cel

        program = cel.compile(text)
        return lambda context: program.execute(context) is True

    def bound(self, document: dict[str, Any]) -> Any:
        import cel

        return cel.Context(variables={"doc": document})


def written(tree: Any, of: str = "doc") -> str:
    if isinstance(tree, All | Either):
        sign = " && " if isinstance(tree, All) else " || "
        return "(" + sign.join(written(member, of) for member in tree.members) + ")"
    if isinstance(tree, Without):
        return f"!({written(tree.member, of)})"
    if isinstance(tree, Several):
        return f"size({of}.{tree.path}.filter(m, {written(tree.where, 'm')})) {tree.operator} {tree.number}"
    if isinstance(tree, Differs):
        return f"{of}.{tree.path}.exists(m, m.{tree.inner} != {of}.{tree.other})"
    assert isinstance(tree, Is)
    place, value = f"{of}.{tree.path}", json.dumps(tree.value)
    told = {
        "==": f"{place} == {value}",
        "<=": f"{place} <= {value}",
        "in": f"{place} in {value}",
        "prefix": f"{place} != null && {place}.startsWith({value})",
        "digits": f"{place}.matches({json.dumps('^' + str(tree.value) + '[0-9]{7}$')})",
        "exists": f"{place} != null",
    }[tree.operator]
    return "(" + " && ".join([*_guards(of, tree.path), told]) + ")"


def _guards(of: str, path: str) -> list[str]:
    steps = path.split(".")
    below = range(2 if steps[0] in PRESENT else 1, len(steps) + 1)
    return [f"has({of}.{'.'.join(steps[:length])})" for length in below if len(steps) > 1 or of != "doc"]
