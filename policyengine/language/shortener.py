"""Definitions in Azure's language → our short form, where it says the same.

A short form is guessed from the rule, read, and written in Azure's language again: only what then reads as before is
taken. Knows nothing of how `require` is derived beyond where its parts end up.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.azure import is_azure
from policyengine.language.documents import PolicyDefinition
from policyengine.language.exporter import compact, write_parameters
from policyengine.language.metadata import METADATA_KEYS, SEVERITIES
from policyengine.language.parser import API_VERSION, parse_documents
from policyengine.language.problems import Problems
from policyengine.language.require_deployment import TARGETS
from policyengine.language.rule_writer import write_logic, write_value
from policyengine.language.syntax import ExistenceDetails
from policyengine.model.resource import CLUSTER_TYPES
from policyengine.model.values import JSON, canonical_json, get_folded, walk
from policyengine.text.nodes import MappingNode, to_value
from policyengine.text.writer import to_json

_KIND: Final = "PolicyDefinition"
_TEXTS: Final = ("category", "owner", "runbook", "ticket")
_IN_SPEC: Final = ("dependsOn", "nonComplianceMessage")


def shorten(
    definition: PolicyDefinition, node: MappingNode, aliases: AliasCatalogue, problems: Problems
) -> dict[str, JSON] | None:
    """The document with `appliesTo` and, where it can be, `require`; None, with an error, where there is no such.

    A definition that has one of the two already comes out as it is written. What stays in Azure's language although it
    deploys is warned about.
    """
    if not is_azure(node) and _is_short(node):
        return to_value(node)  # type: ignore[no-any-return]
    return _Shortener(definition, node, aliases, problems).document()


def _is_short(node: MappingNode) -> bool:
    spec = node.get("spec")
    return isinstance(spec, MappingNode) and any(spec.get(key) is not None for key in ("appliesTo", "require"))


@dataclass(frozen=True, slots=True)
class _Shortener:
    definition: PolicyDefinition
    node: MappingNode
    aliases: AliasCatalogue
    problems: Problems

    def document(self) -> dict[str, JSON] | None:
        conditions = _conjuncts(write_logic(self.definition.condition))
        kinds = [types for condition in conditions if (types := _types(condition)) is not None]
        if len(kinds) != 1:
            self._refuse("the `if` does not say once, and for all of it, which resource types are meant")
            return None
        rest = [condition for condition in conditions if _types(condition) is None]
        head: dict[str, JSON] = {"appliesTo": _words(kinds[0])}
        required = self._required(head, rest)
        if required is not None:
            return required
        if not rest:
            self._refuse("nothing but the resource type is asked for, and `require` does not stand for the details")
            return None
        if self.definition.then.details is not None and self.definition.then.details.deployment is not None:
            message = "the details stay as they are: `require` would deploy or compare something else"
            self.problems.warning("not-short", message, self.definition.then.span)
        written = compact({"effect": write_value(self.definition.then.effect), "details": self.definition.then.raw})
        return self._read({**head, "policyRule": {"if": _all_of(rest), "then": written}})

    def _refuse(self, why: str) -> None:
        help = "keep it in Azure's language: it runs as it is"
        message = f"`{self.definition.name}` has no short form: {why}"
        self.problems.error("not-short", message, self.definition.span, help)

    def _required(self, head: dict[str, JSON], rest: Sequence[JSON]) -> dict[str, JSON] | None:
        """With `require`, where that reads as the same details; None otherwise."""
        details = self.definition.then.details
        target = next((t for t in TARGETS if details and _same_text(t.type, details.type.source)), None)
        if details is None or target is None:
            return None
        body = _body_of(details, self.aliases)
        if body is None:
            return None
        spec = {**head, **({"when": _all_of(rest)} if rest else {}), "require": {target.key: body}}
        guess = self._parsed(spec)
        if guess is None or guess.then.details is None:
            return None
        wanted, found = _existence(details), _existence(guess.then.details)
        texts = {canonical_json(condition) for condition in found}
        where = [condition for condition in wanted if canonical_json(condition) not in texts]
        if where:
            spec["require"]["where"] = _all_of(where)
        again = self._parsed(spec)
        return self._document(spec) if again is not None and self._is_same(again) else None

    def _is_same(self, other: PolicyDefinition) -> bool:
        mine, its = self.definition.then, other.then
        same_effect = _same_text(mine.effect.source, its.effect.source)
        assert mine.details is not None
        assert its.details is not None
        return same_effect and _essence(mine.details) == _essence(its.details)

    def _read(self, spec: dict[str, JSON]) -> dict[str, JSON] | None:
        """The document, if it can be read; else None, with an error."""
        document = self._document(spec)
        parsed = parse_documents(to_json(document), "short.json", self.aliases)
        wrong = next((d for d in parsed.diagnostics if d.is_error), None)
        if wrong is not None:
            self._refuse(wrong.message)
            return None
        return document

    def _parsed(self, spec: dict[str, JSON]) -> PolicyDefinition | None:
        parsed = parse_documents(to_json(self._document(spec)), "short.json", self.aliases)
        found = parsed.documents[0] if parsed.documents else None
        errors = any(d.is_error for d in parsed.diagnostics)
        return found if isinstance(found, PolicyDefinition) and not errors else None

    def _document(self, spec: Mapping[str, JSON]) -> dict[str, JSON]:
        described = to_value(self.node) if not is_azure(self.node) else {}
        own = get_folded(described, "spec", {})
        before = {"mode": self.definition.mode, "parameters": write_parameters(self.definition.parameters)}
        after = {key: get_folded(own, key) or get_folded(self.definition.metadata, key) for key in _IN_SPEC}
        metadata = get_folded(described, "metadata") or _metadata(self.definition)
        return {
            "apiVersion": API_VERSION,
            "kind": _KIND,
            "metadata": metadata,
            "spec": compact({**before, **spec, **after}),
        }


def _metadata(definition: PolicyDefinition) -> dict[str, JSON]:
    """What describes an Azure definition, in our places for it; the rest becomes labels."""
    known = {name: definition.metadata.get(name) for name in _TEXTS}
    kept: dict[str, JSON] = {name: value for name, value in known.items() if isinstance(value, str)}
    severity, controls = definition.metadata.get("severity"), definition.metadata.get("controls")
    if severity in SEVERITIES:
        kept["severity"] = severity
    if isinstance(controls, list) and all(isinstance(control, str) for control in controls):
        kept["controls"] = controls
    placed = {*kept, *_IN_SPEC, "version", "labels"}
    labels = {key: value for key, value in definition.metadata.items() if key not in placed}
    described: dict[str, JSON] = {
        "name": definition.name,
        "version": definition.version,
        "displayName": definition.display_name,
        "description": definition.description,
        **kept,
        "labels": {**(walk(definition.metadata, "labels") or {}), **labels},
    }
    return compact({key: described.get(key) for key in METADATA_KEYS})


def _conjuncts(condition: JSON) -> list[JSON]:
    return list(condition["allOf"]) if "allOf" in condition else [condition]


def _all_of(conditions: Sequence[JSON]) -> JSON:
    return conditions[0] if len(conditions) == 1 else {"allOf": list(conditions)}


def _types(condition: JSON) -> list[str] | None:
    """The resource types that a condition names, when it asks for nothing else."""
    if "anyOf" in condition:
        found = [_types(inner) for inner in condition["anyOf"]]
        return [type for types in found for type in types or ()] if all(found) else None
    if not _same_text(condition.get("field"), "type"):
        return None
    types = [condition["equals"]] if "equals" in condition else condition.get("in")
    if not isinstance(types, list) or not types:
        return None
    fixed = all(isinstance(t, str) and "/" in t and not t.startswith("[") for t in types)
    return types if fixed else None


def _words(types: Sequence[str]) -> list[str]:
    names = {type.casefold(): word for word, type in CLUSTER_TYPES.items()}
    return [names.get(type.casefold(), type) for type in types]


def _body_of(details: ExistenceDetails, aliases: AliasCatalogue) -> dict[str, JSON] | None:
    """What a deployment of ours was derived from; None for another."""
    arguments = details.deployment.parameters if details.deployment is not None else {}
    name, properties = (arguments[key].source if key in arguments else None for key in ("name", "properties"))
    written = walk(properties, "value")
    if not isinstance(written, Mapping) or not isinstance(walk(name, "value"), str):
        return None
    body: dict[str, JSON] = {"name": walk(name, "value"), **written}
    if not any(str(condition.get("field")).endswith("/sourceKind") for condition in _existence(details)):
        body.pop("sourceKind", None)  # it was not declared: it followed from the source
    for condition in _existence(details):
        if condition.get("exists") is False and isinstance(alias := condition.get("field"), str):
            path = aliases.path_for(str(details.type.source), alias)
            if path is not None and all(isinstance(step, str) for step in path.steps):
                body = _with_null(body, [str(step) for step in path.steps[1:]])
    return body


def _with_null(body: Mapping[str, JSON], path: Sequence[str]) -> dict[str, JSON]:
    """The body with null at a path that it does not have: absence is demanded there."""
    head, *rest = path
    if not rest:
        return {**body, head: body.get(head)}
    inner = body.get(head, {})
    return {**body, head: _with_null(inner, rest)} if isinstance(inner, Mapping) else dict(body)


def _existence(details: ExistenceDetails) -> list[JSON]:
    return _conjuncts(write_logic(details.existence_condition)) if details.existence_condition is not None else []


def _essence(details: ExistenceDetails) -> str:
    """Everything that decides what is found and what is deployed; the order of conditions does not."""
    deployment = details.deployment
    existence = sorted(
        canonical_json(part)
        for condition in _existence(details)
        for part in (_conjuncts(condition) if isinstance(condition, dict) else [condition])
    )
    return canonical_json(
        {
            "type": str(details.type.source).casefold(),
            "name": details.name.source if details.name is not None else None,
            "kind": details.kind,
            "group": details.resource_group_name.source if details.resource_group_name is not None else None,
            "scope": details.existence_scope.casefold(),
            "existence": existence,
            "roles": sorted(role.casefold() for role in details.role_definition_ids),
            "template": deployment.template if deployment is not None else None,
            "arguments": {n: v.source for n, v in deployment.parameters.items()} if deployment is not None else None,
            "location": deployment.location.source if deployment is not None and deployment.location else None,
            "at": deployment.scope if deployment is not None else None,
        }
    )


def _same_text(one: JSON, other: JSON) -> bool:
    return isinstance(one, str) and isinstance(other, str) and one.casefold() == other.casefold()
