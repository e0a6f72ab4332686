"""One expression, asked of one cluster: what a field, a template expression or JMESPath gives there.

For people who write policies: says where an alias leads, and tells missing, null and empty apart.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum
from pathlib import Path
from typing import Final

from policyengine.clock import Clock
from policyengine.errors import ExpressionError, InventoryError, UsageError
from policyengine.evaluation import Context, Subject, fields
from policyengine.evaluation.subject import parameter
from policyengine.expressions.compiled import CompiledValue, ExpressionContext, compile_value, is_expression
from policyengine.expressions.jmespath import compile_jmespath
from policyengine.language.aliases import FieldKind, classify_field, format_path
from policyengine.language.documents import Reference
from policyengine.model.diagnostic import did_you_mean
from policyengine.model.fleet import assemble
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.values import JSON, NO_RESULT, UNDEFINED, is_array
from policyengine.text.reader import read, to_value
from policyengine.workflows.aliases import load_catalogue
from policyengine.workflows.connect import open_store
from policyengine.workflows.files import read_text
from policyengine.workflows.inventory import one_cluster
from policyengine.workflows.load import load, select
from policyengine.workflows.settings import Settings

_FIELD: Final = re.compile(r"[A-Za-z_][\w-]*([./][\w-]+|\[\*\]|\['[^']*'\])*")
_CHILDREN: Final = ("extensions", "fluxConfigurations", "others")


class Kind(Enum):
    """What a text was taken for."""

    FIELD = "field"
    EXPRESSION = "template expression"
    JMESPATH = "JMESPath"


class Presence(Enum):
    """What kind of something, or of nothing, came out. Source: policy language §3.1."""

    VALUE = "value"
    EMPTY = "empty"
    NULL = "null"
    MISSING = "missing"
    NO_RESULT = "no result"


@dataclass(frozen=True)
class EvalRequest:
    """``cluster`` is in the inventory, ``resource`` a file: one of them at most. ``parameters`` are ``name=value``."""

    text: str
    cluster: str | None = None
    resource: Path | None = None
    policy: str | None = None
    parameters: Sequence[str] = ()


@dataclass(frozen=True)
class Evaluated:
    """``value`` is None for every kind of nothing; ``presence`` tells which. ``path`` is where a field is read."""

    text: str
    kind: Kind
    value: JSON
    presence: Presence
    path: str | None = None
    note: str | None = None


@dataclass(frozen=True)
class _Given:
    """Parameters by their folded names, and what a policy adds."""

    values: Mapping[str, JSON] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    identity: Mapping[str, JSON] = field(default_factory=dict)


def evaluate_text(settings: Settings, clock: Clock, request: EvalRequest) -> Evaluated:
    """Raises UsageError for unknown names, ExpressionError for a text that cannot be evaluated."""
    if request.cluster is not None and request.resource is not None:
        raise UsageError("`--cluster` and `--resource` cannot go together", help="name one of them")
    given = _parameters(settings, request)
    cluster, tree = _subject(settings, request)
    kind = kind_of(request.text)
    if cluster is None:
        return _without_resource(request.text, kind, given, clock)
    context = Context(
        parameters=given.values,
        tree=tree,
        at=clock.now(),
        aliases=load_catalogue(settings.aliases),
        cluster=cluster,
        policy=given.identity,
        spellings=given.spellings,
    )
    return _evaluate(request.text, kind, Subject.of(cluster.resource, context))


def kind_of(text: str) -> Kind:
    """Brackets all around make a template expression; names, dots and `[*]` a field; the rest is JMESPath."""
    if is_expression(text):
        return Kind.EXPRESSION
    return Kind.FIELD if _FIELD.fullmatch(text) else Kind.JMESPATH


def _evaluate(text: str, kind: Kind, subject: Subject) -> Evaluated:
    if kind is Kind.FIELD:
        return _field(text, subject)
    if kind is Kind.EXPRESSION:
        return _result(text, kind, compile_value(text).evaluate(subject.expression_context))
    return _result(text, kind, compile_jmespath(text).search(subject.document, at=subject.context.at))


def _field(text: str, subject: Subject) -> Evaluated:
    resource, aliases = subject.resource, subject.context.aliases
    named = classify_field(text)
    selection = fields.read(text, resource, aliases)
    value = fields.as_value(selection) if selection.complete else None
    missing = not selection.complete or selection.values == (UNDEFINED,)
    steps = fields.steps(text, resource, aliases)
    path = format_path(steps) if steps and named.kind is not FieldKind.BUILT_IN else None
    note = None
    if named.kind is FieldKind.ALIAS:
        note = f"alias of {resource.type}" if steps is not None else f"not an alias of {resource.type}"
        if steps is None and (near := did_you_mean(text, aliases.names(resource.type))):
            note += f"; {near}"
    return Evaluated(text, Kind.FIELD, value, Presence.MISSING if missing else _presence(value), path, note)


def _result(text: str, kind: Kind, value: JSON) -> Evaluated:
    note = "JMESPath does not tell null from missing" if kind is Kind.JMESPATH and value is None else None
    return Evaluated(text, kind, None if value in (NO_RESULT, UNDEFINED) else value, _presence(value), note=note)


def _presence(value: JSON) -> Presence:
    if value is NO_RESULT:
        return Presence.NO_RESULT
    if value is UNDEFINED:
        return Presence.MISSING
    if value is None:
        return Presence.NULL
    empty = value == "" or ((isinstance(value, Mapping) or is_array(value)) and not value)
    return Presence.EMPTY if empty else Presence.VALUE


def _without_resource(text: str, kind: Kind, given: _Given, clock: Clock) -> Evaluated:
    """Parameters alone: enough for expressions that ask for nothing else."""
    help = "name a cluster (`--cluster`) or a file (`--resource`)"
    if kind is Kind.FIELD:
        raise UsageError(f"`{text}` is a field, and there is no resource to read it on", help=help)
    names = {given.spellings.get(name, name): value for name, value in given.values.items()}
    context = ExpressionContext({"parameters": lambda name: parameter(given.values, name)}, clock.now())
    asked = compile_jmespath(text) if kind is Kind.JMESPATH else compile_value(text)
    try:
        if isinstance(asked, CompiledValue):
            return _result(text, kind, asked.evaluate(context))
        return _result(text, kind, asked.search({"parameters": names}, at=clock.now()))
    except ExpressionError as error:
        raise ExpressionError(error.message, offset=error.offset, help=error.help or help) from error


def _subject(settings: Settings, request: EvalRequest) -> tuple[Cluster | None, ScopeTree]:
    if request.cluster is not None:
        with open_store(settings) as store:
            return one_cluster(store, request.cluster), store.tree()
    if request.resource is not None:
        return _read_cluster(request.resource), ScopeTree()
    return None, ScopeTree()


def _read_cluster(path: Path) -> Cluster:
    """A document as Resource Manager returns it, or as `inventory show` prints it. Raises InventoryError."""
    try:
        documents = read(read_text(path), str(path))
    except OSError as error:
        raise InventoryError(f"`{path}` cannot be read: {error.strerror}") from error
    value = to_value(documents[0]) if len(documents) == 1 else None
    if not isinstance(value, Mapping) or not isinstance(value.get("id"), str):
        raise InventoryError(f"`{path}` must hold one resource with its `id`")
    children = [child for key in _CHILDREN for child in value.get(key) or () if isinstance(child, Mapping)]
    head = {key: member for key, member in value.items() if key not in _CHILDREN}
    clusters, _ = assemble([head, *children])
    return clusters[0] if clusters else Cluster(Resource.from_document(value))


def _parameters(settings: Settings, request: EvalRequest) -> _Given:
    """The policy's, with those of the command line laid over them."""
    given = _of_policy(settings, request.policy) if request.policy is not None else _Given()
    own = dict(_pair(text) for text in request.parameters)
    known = given.spellings.values()
    for name in own:
        if request.policy is not None and name.casefold() not in given.spellings:
            raise UsageError(f"policy `{request.policy}` has no parameter `{name}`", help=did_you_mean(name, known))
    return _Given(
        values={**given.values, **{name.casefold(): value for name, value in own.items()}},
        spellings={**{name.casefold(): name for name in own}, **given.spellings},
        identity=given.identity,
    )


def _pair(text: str) -> tuple[str, JSON]:
    """``name=value``; the value is JSON where it is, else text."""
    name, equals, value = text.partition("=")
    if not equals or not name:
        raise UsageError(f"`--param {text}` is not `name=value`", help="write `--param branch=main`")
    try:
        return name, json.loads(value)
    except ValueError:
        return name, value


def _of_policy(settings: Settings, name: str) -> _Given:
    """A definition with its defaults, or what is bound under an assignment with all its values."""
    loaded = load(settings.policies, settings.aliases)
    definition = loaded.library.definition(Reference(name))
    if definition is not None:
        return _Given(
            values={n: p.default for n, p in definition.parameters.items() if p.default is not UNDEFINED},
            spellings={n: p.name for n, p in definition.parameters.items()},
        )
    bound, *others = select(loaded.policies, policy=name)
    if others:
        keys = ", ".join(f"`{policy.key}`" for policy in (bound, *others))
        raise UsageError(f"`{name}` is bound more than once", help=f"name one of {keys}")
    return _Given(bound.parameters, bound.spellings, bound.identity)
