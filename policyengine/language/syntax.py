"""The syntax tree of a policy rule: logic over conditions, and what follows when it holds.

Built by `parser.py` (Azure's shape) and `short_form.py` (`appliesTo`, `require`); read by `evaluation/` and
`effects/`. Nodes compare by identity and remember where they stand, so that a trace can name the line.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TypeAlias

from policyengine.expressions.compiled import CompiledValue
from policyengine.expressions.jmespath import JMESPathExpression
from policyengine.model.diagnostic import Span
from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True, eq=False)
class AllOf:
    conditions: tuple[Logic, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class AnyOf:
    conditions: tuple[Logic, ...]
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Not:
    condition: Logic
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A built-in field, a tag, an alias, or a path from the document's root; the name may be computed."""

    name: CompiledValue


@dataclass(frozen=True, slots=True, eq=False)
class Value:
    """A literal or an expression."""

    value: CompiledValue


@dataclass(frozen=True, slots=True, eq=False)
class Count:
    """How many members of an array satisfy ``where`` (all of them without one). ``name`` serves value counts only."""

    over: Field | Value
    name: str | None = None
    where: Logic | None = None


@dataclass(frozen=True, slots=True, eq=False)
class JMESPath:
    """Our own left-hand side: a JMESPath expression over the resource. Not exportable to Azure."""

    expression: JMESPathExpression


Operand: TypeAlias = Field | Value | Count | JMESPath


@dataclass(frozen=True, slots=True, eq=False, weakref_slot=True)
class Condition:
    """``operand operator expected``; ``operator`` is the canonical spelling, a key of `operators.OPERATORS`."""

    operand: Operand
    operator: str
    expected: CompiledValue
    span: Span | None = None


Logic: TypeAlias = AllOf | AnyOf | Not | Condition


@dataclass(frozen=True, slots=True, eq=False)
class Deployment:
    """The body of a deployment. ``parameters`` values are policy expressions; ``template`` is template context.

    A parameter is ``{"value": …}`` or ``{"reference": {"keyVault": …}}``. Source: policy language §6.4.
    """

    template: Mapping[str, JSON]
    parameters: Mapping[str, CompiledValue]
    location: CompiledValue | None = None
    scope: str = "ResourceGroup"


@dataclass(frozen=True, slots=True, eq=False)
class Desired:
    """What `require` asks for, beside the deployment derived from it.

    ``identity`` says how the live object is recognised: ``"name"`` (fluxConfigurations) or ``"extensionType"``.
    ``properties`` is the declared body (policy expressions inside), compared and written; secrets are
    ``{"secretRef": …}`` under ``configurationProtectedSettings`` and only written.
    A live object is changed by PATCH of what differs, never replaced; ``create_only`` fields are never changed.
    """

    type: str
    name: CompiledValue
    identity: str
    properties: CompiledValue
    create_only: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, eq=False)
class ExistenceDetails:
    """`details` of auditIfNotExists and deployIfNotExists. Source: policy language §6.3."""

    type: CompiledValue
    name: CompiledValue | None = None
    kind: str | None = None
    resource_group_name: CompiledValue | None = None
    existence_scope: str = "ResourceGroup"
    existence_condition: Logic | None = None
    role_definition_ids: tuple[str, ...] = ()
    deployment: Deployment | None = None
    desired: Desired | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Operation:
    """One change to a field of the resource: ``add``, ``addOrReplace``, ``remove`` or ``append``.

    ``condition`` false leaves it out. ``value`` is None for ``remove`` only. Source: policy language §6.1, §6.2.
    """

    kind: str
    field: CompiledValue
    value: CompiledValue | None = None
    condition: CompiledValue | None = None
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Modification:
    """`details` of modify, or of append, whose operations all are ``append``."""

    operations: tuple[Operation, ...]
    conflict_effect: CompiledValue
    role_definition_ids: tuple[str, ...] = ()
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Then:
    """``effect`` may come from a parameter, so which details matter is known only once parameters are bound.

    ``details`` holds the typed form when it names a related ``type``, ``modification`` when it lists operations or
    fields to append; ``raw`` is what was written, whatever it is.
    """

    effect: CompiledValue
    details: ExistenceDetails | None = None
    raw: JSON = field(default=None)
    span: Span | None = None
    modification: Modification | None = None
