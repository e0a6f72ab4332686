"""What authors write, as values: definitions, initiatives, assignments and more. Everything remembers its place."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from policyengine.expressions.compiled import CompiledValue
from policyengine.language.selectors import Override, ResourceSelector, is_selected
from policyengine.language.syntax import Logic, Then
from policyengine.model.diagnostic import Span
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Resource
from policyengine.model.scope import ScopePattern, ScopeTree, covers_any
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON, UNDEFINED, Nothing


class Cloud(Enum):
    """Whose definitions a document speaks of. Azure publishes many twice, under the same id, once for each cloud."""

    PUBLIC = "public"
    GOVERNMENT = "government"


@dataclass(frozen=True, slots=True, eq=False)
class Parameter:
    """A declared parameter. ``default`` is UNDEFINED when none is declared (null is a default)."""

    name: str
    type: str  # canonical: String, Array, Object, Boolean, Integer, Float, DateTime
    default: JSON | Nothing = UNDEFINED
    allowed_values: tuple[JSON, ...] | None = None
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    schema: JSON = None
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A name and the versions that will do: ``flux-cluster-config@2.*``, a full Azure id, or a bare name.

    ``version`` is None for any; else digits or ``*`` separated by dots, optionally ``-preview``.
    """

    name: str
    version: str | None = None
    span: Span | None = None

    def __str__(self) -> str:
        return f"{self.name}@{self.version}" if self.version else self.name


@dataclass(frozen=True, slots=True, eq=False)
class PolicyDefinition:
    """One policy. ``parameters`` is keyed by the folded name. ``azure_id`` is set for Azure's own documents.

    ``condition`` is the whole `if`; ``rule`` is the part of it that stands under `policyRule` when `appliesTo` or
    `when` were and-ed to it: what a finding is about, rather than what is judged at all.
    """

    name: str
    condition: Logic
    then: Then
    rule: Logic | None = None
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    display_name: str = ""
    description: str = ""
    version: str | None = None
    mode: str | None = None
    policy_type: str = "Custom"
    category: str = ""
    severity: str = "medium"
    owner: str = ""
    runbook: str = ""
    controls: tuple[str, ...] = ()
    depends_on: tuple[Reference, ...] = ()
    non_compliance_message: str | None = None
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    azure_id: str | None = None
    cloud: Cloud = Cloud.PUBLIC
    is_bare_rule: bool = False  # `if` and `then` with nothing around them: no parameter can be declared
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class InitiativeGroup:
    name: str
    display_name: str = ""
    category: str = ""
    description: str = ""
    controls: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, eq=False)
class InitiativeMember:
    """One definition in an initiative. ``parameters`` may use the initiative's own parameters."""

    reference: Reference
    reference_id: str
    parameters: Mapping[str, CompiledValue] = field(default_factory=dict)
    group_names: tuple[str, ...] = ()
    depends_on: tuple[str, ...] = ()  # reference ids of the same initiative
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Initiative:
    """``is_built_in``: Microsoft published it, nobody here can correct it; what does not fit in it is a warning."""

    name: str
    members: tuple[InitiativeMember, ...]
    parameters: Mapping[str, Parameter] = field(default_factory=dict)
    groups: tuple[InitiativeGroup, ...] = ()
    depends_on: tuple[Reference, ...] = ()  # other initiatives whose writes go first
    display_name: str = ""
    description: str = ""
    version: str | None = None
    metadata: Mapping[str, JSON] = field(default_factory=dict)
    azure_id: str | None = None
    is_built_in: bool = False
    cloud: Cloud = Cloud.PUBLIC
    span: Span | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Schedule:
    """When an assignment is scanned: a cron expression or an interval, in ``timezone``.

    A run that is still going when the next is due makes that one be skipped.
    """

    cron: str | None = None
    interval_s: int | None = None
    timezone: str = "UTC"
    jitter_s: int = 0
    span: Span | None = None


class RemediationMode(Enum):
    """What `serve` may do by itself: PLAN writes nothing, CONTINUOUS remediates after each scheduled scan."""

    PLAN = "plan"
    CONTINUOUS = "continuous"


class EnforcementMode(Enum):
    """ENROLL is like DO_NOT_ENFORCE until an Enrollment speaks for the resource, then like DEFAULT."""

    DEFAULT = "Default"
    DO_NOT_ENFORCE = "DoNotEnforce"
    ENROLL = "Enroll"


@dataclass(frozen=True, slots=True, eq=False)
class NonComplianceMessage:
    message: str
    reference_id: str | None = None
    span: Span | None = None  # of the reference id


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """A definition or an initiative, applied to a scope. Exactly one of ``policy`` and ``initiative`` is set.

    ``resource_selectors`` narrow the scope, ``overrides`` change effect or version; of overrides the first holds.
    """

    name: str
    scope: ResourceId
    policy: Reference | None = None
    initiative: Reference | None = None
    not_scopes: tuple[ScopePattern, ...] = ()
    enforcement_mode: EnforcementMode = EnforcementMode.DEFAULT
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    parameter_spans: Mapping[str, Span] = field(default_factory=dict)
    non_compliance_messages: tuple[NonComplianceMessage, ...] = ()
    resource_selectors: tuple[ResourceSelector, ...] = ()
    overrides: tuple[Override, ...] = ()
    schedule: Schedule | None = None
    remediation_mode: RemediationMode = RemediationMode.PLAN
    display_name: str = ""
    description: str = ""
    owner: str = ""
    cloud: Cloud = Cloud.PUBLIC
    span: Span | None = None

    @property
    def id(self) -> str:
        """The full Azure id, whether or not Azure knows the assignment."""
        scope = "" if self.scope.text == "/" else self.scope.text
        return f"{scope}/providers/Microsoft.Authorization/policyAssignments/{self.name}"

    def is_named(self, reference: str) -> bool:
        """By its name, or by its full id."""
        return reference.casefold().rstrip("/") in {self.name.casefold(), self.id.casefold()}


class ExemptionCategory(Enum):
    WAIVER = "Waiver"
    MITIGATED = "Mitigated"


@dataclass(frozen=True, slots=True, eq=False)
class Exemption:
    """Leave for scopes to stay non-compliant with one assignment, or with some members of its initiative."""

    name: str
    assignment: str
    scopes: tuple[ScopePattern, ...]
    category: ExemptionCategory
    reference_ids: tuple[str, ...] = ()  # empty: all members
    reference_spans: tuple[Span, ...] = ()
    resource_selectors: tuple[ResourceSelector, ...] = ()
    any_scope: bool = False  # scopes outside the assignment's are meant, and are no mistake
    expires_on: datetime | None = None  # aware, UTC; None: never
    reason: str = ""
    owner: str = ""
    ticket: str = ""
    approved_by: tuple[str, ...] = ()
    span: Span | None = None

    def covers(self, resource: Resource, reference_id: str | None, tree: ScopeTree, *, at: datetime) -> bool:
        """True while this exemption speaks for ``resource`` under that member; an expired one covers nothing."""
        if self.expires_on is not None and at >= self.expires_on:
            return False
        return _speaks_for(self, resource, reference_id, tree)


@dataclass(frozen=True, slots=True, eq=False)
class Enrollment:
    """From here on an assignment with the mode Enroll is enforced on scopes. Source: policy language §1.6."""

    name: str
    assignment: str
    scopes: tuple[ScopePattern, ...]
    reference_ids: tuple[str, ...] = ()  # empty: all members
    reference_spans: tuple[Span, ...] = ()
    resource_selectors: tuple[ResourceSelector, ...] = ()
    any_scope: bool = False  # scopes outside the assignment's are meant, and are no mistake
    span: Span | None = None

    def covers(self, resource: Resource, reference_id: str | None, tree: ScopeTree) -> bool:
        """True when it enrols ``resource`` under that member."""
        return _speaks_for(self, resource, reference_id, tree)


def _speaks_for(
    document: Exemption | Enrollment, resource: Resource, reference_id: str | None, tree: ScopeTree
) -> bool:
    ids = {id.casefold() for id in document.reference_ids}
    if ids and (reference_id or "").casefold() not in ids:
        return False
    return covers_any(document.scopes, resource.id, tree) and is_selected(document.resource_selectors, resource)


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """What an attestation rests on."""

    description: str = ""
    source_uri: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Attestation:
    """A person's word on clusters under a policy with the effect manual; after ``expires_on`` it says nothing."""

    name: str
    assignment: str
    scopes: tuple[ScopePattern, ...]
    state: ComplianceState  # COMPLIANT, NON_COMPLIANT or UNKNOWN
    reference_id: str | None = None  # None: every manual member
    expires_on: datetime | None = None  # aware, UTC; None: never
    assessed_at: datetime | None = None  # the newest of several counts
    owner: str = ""
    comments: str = ""
    evidence: tuple[Evidence, ...] = ()
    span: Span | None = None

    def covers(self, resource: ResourceId, reference_id: str | None, tree: ScopeTree, *, at: datetime) -> bool:
        """True while this attestation speaks for ``resource`` under that member."""
        if self.expires_on is not None and at >= self.expires_on:
            return False
        if self.reference_id is not None and (reference_id or "").casefold() != self.reference_id.casefold():
            return False
        return any(scope.covers(resource, tree) for scope in self.scopes)
