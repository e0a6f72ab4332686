"""Documents → a library in which every reference leads somewhere.

Names are compared without case. Several versions of one definition or initiative may stand side by side; of those a
reference allows, the highest wins. What stands in a government folder is a namespace of its own: references from there
look there first and then among the public ones, references from elsewhere never look there.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Protocol, TypeVar

from policyengine.language.cycles import find_cycle
from policyengine.language.documents import (
    Assignment,
    Attestation,
    Cloud,
    Enrollment,
    Exemption,
    Initiative,
    InitiativeMember,
    NonComplianceMessage,
    PolicyDefinition,
    Reference,
)
from policyengine.language.names import Names, Versioned, is_ambiguous, label
from policyengine.language.parser import Document
from policyengine.language.problems import Problems
from policyengine.language.selectors import Override, SelectorKind
from policyengine.language.versions import matches_version
from policyengine.model.diagnostic import MOST_NAMES, Diagnostic, Span, did_you_mean


class _Named(Protocol):
    @property
    def name(self) -> str: ...
    @property
    def span(self) -> Span | None: ...


T = TypeVar("T")
V = TypeVar("V", bound=Versioned)


@dataclass(frozen=True)
class PolicyLibrary:
    """Everything that was loaded. Made by `build`, which is the only one to report what does not fit together."""

    definitions: tuple[PolicyDefinition, ...] = ()
    initiatives: tuple[Initiative, ...] = ()
    assignments: tuple[Assignment, ...] = ()
    exemptions: tuple[Exemption, ...] = ()
    attestations: tuple[Attestation, ...] = ()
    enrollments: tuple[Enrollment, ...] = ()
    definition_names: Names[PolicyDefinition] = field(init=False, repr=False, compare=False)
    initiative_names: Names[Initiative] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "definition_names", Names(self.definitions))
        object.__setattr__(self, "initiative_names", Names(self.initiatives))

    @classmethod
    def build(cls, documents: Iterable[Document]) -> tuple[PolicyLibrary, tuple[Diagnostic, ...]]:
        """The library, and what is wrong between the documents. Use it only when no diagnostic is an error."""
        listed = tuple(documents)
        library = cls(
            definitions=_of(PolicyDefinition, listed),
            initiatives=_of(Initiative, listed),
            assignments=_of(Assignment, listed),
            exemptions=_of(Exemption, listed),
            attestations=_of(Attestation, listed),
            enrollments=_of(Enrollment, listed),
        )
        problems = Problems()
        _check_duplicates(library, problems)
        _check_references(library, problems)
        _check_cycles(library, problems)
        return library, tuple(sorted(problems.found, key=lambda d: d.sort_key))

    def definition(self, reference: Reference, cloud: Cloud = Cloud.PUBLIC) -> PolicyDefinition | None:
        """The highest version the reference allows, as ``cloud`` sees it; None when there is none, or when several
        documents are meant.
        """
        return self.definition_names.find(reference, cloud)

    def initiative(self, reference: Reference, cloud: Cloud = Cloud.PUBLIC) -> Initiative | None:
        """The highest version the reference allows, as ``cloud`` sees it; None when there is none, or when several
        documents are meant.
        """
        return self.initiative_names.find(reference, cloud)

    def definition_of(self, initiative: Initiative, member: InitiativeMember) -> PolicyDefinition | None:
        """What a member stands for. A published initiative may ask for a version that is out of print: then the
        highest there is.
        """
        found = self.definition(member.reference, initiative.cloud)
        if found is None and initiative.is_built_in:
            found = self.definition(replace(member.reference, version=None), initiative.cloud)
        return found

    def assignment(self, reference: str) -> Assignment | None:
        """By its name, or by its full Azure id."""
        return next((assignment for assignment in self.assignments if assignment.is_named(reference)), None)


def _of(kind: type[T], documents: Sequence[Document]) -> tuple[T, ...]:
    return tuple(document for document in documents if isinstance(document, kind))


def _check_duplicates(library: PolicyLibrary, problems: Problems) -> None:
    for cloud in Cloud:
        definitions = [(d, d.version) for d in library.definitions if d.cloud is cloud]
        _check_names("policy definition", definitions, problems)
        _check_names("initiative", [(i, i.version) for i in library.initiatives if i.cloud is cloud], problems)
    _check_names("assignment", [(a, None) for a in library.assignments], problems)
    _check_names("exemption", [(e, None) for e in library.exemptions], problems)
    _check_names("attestation", [(a, None) for a in library.attestations], problems)
    _check_names("enrollment", [(e, None) for e in library.enrollments], problems)


def _check_names(noun: str, documents: Sequence[tuple[_Named, str | None]], problems: Problems) -> None:
    first: dict[tuple[str, str | None], _Named] = {}
    for document, version in documents:
        other = first.setdefault((document.name.casefold(), version), document)
        if other is not document and document.name:
            label = f"{document.name}@{version}" if version else document.name
            message = f"there is already another {noun} `{label}`"
            help = f"the first is at {other.span}" if other.span else None
            problems.error("duplicate-name", message, document.span, help)


def _check_references(library: PolicyLibrary, problems: Problems) -> None:
    checker = _References(library, problems)
    for definition in library.definitions:
        for reference in definition.depends_on:
            checker.definition(reference, definition.cloud)
    for initiative in library.initiatives:
        checker.initiative_members(initiative)
    for assignment in library.assignments:
        if assignment.policy is not None:
            checker.definition(assignment.policy, assignment.cloud)
        if assignment.initiative is not None:
            checker.initiative(assignment.initiative, assignment.cloud)
        checker.member_ids(_ids_of_messages(assignment.non_compliance_messages), assignment)
        checker.member_ids(_ids_of_overrides(assignment.overrides), assignment)
        checker.overrides(assignment)
    for exemption in library.exemptions:
        checker.leave(exemption)
    for enrollment in library.enrollments:
        checker.leave(enrollment)
    for attestation in library.attestations:
        ids = [attestation.reference_id] if attestation.reference_id else []
        checker.about_assignment(attestation.assignment, [(id, attestation.span) for id in ids], attestation.span)


class _References:
    """Follows every reference of a library and reports those that lead nowhere."""

    def __init__(self, library: PolicyLibrary, problems: Problems) -> None:
        self.library = library
        self.problems = problems

    def definition(self, reference: Reference, cloud: Cloud) -> None:
        if self.library.definition(reference, cloud) is None:
            names = self.library.definition_names
            self.missing("policy definition", reference, cloud, names, self.library.initiatives)

    def initiative(self, reference: Reference, cloud: Cloud) -> None:
        if self.library.initiative(reference, cloud) is None:
            names = self.library.initiative_names
            self.missing("initiative", reference, cloud, names, self.library.definitions)

    def missing(
        self, noun: str, reference: Reference, cloud: Cloud, names: Names[V], others: Sequence[Versioned]
    ) -> None:
        if not reference.name:
            return
        several = next((seen for seen in names.as_seen_from(cloud, reference) if is_ambiguous(seen)), None)
        if several is not None:
            message = f"`{reference}` may mean several documents"
            self.problems.error("ambiguous-reference", message, reference.span, _candidates(several))
            return
        help: str | None
        if found := names.all(reference):
            help = f"versions at hand: {', '.join(_version_and_cloud(document) for document in found)}"
        elif any(other.name.casefold() == reference.name.casefold() for other in others):
            other_noun = "an initiative" if noun == "policy definition" else "a policy definition"
            help = f"`{reference.name}` is {other_noun}"
        else:
            help = names.near(reference.name)
        self.problems.error("missing-reference", f"there is no {noun} `{reference}`", reference.span, help)

    def initiative_members(self, initiative: Initiative) -> None:
        for reference in initiative.depends_on:
            self.initiative(reference, initiative.cloud)
        ids = [member.reference_id for member in initiative.members]
        for member in initiative.members:
            self.member_definition(initiative, member)
            for id in member.depends_on:
                self.reference_id(id, ids, f"initiative `{initiative.name}`", member.span)

    def member_definition(self, initiative: Initiative, member: InitiativeMember) -> None:
        """The definition is there, in a version that will do, and has the parameters that the member sets."""
        report = self.problems.warning if initiative.is_built_in else self.problems.error
        definition = self.library.definition_of(initiative, member)
        if definition is None:
            self.definition(member.reference, initiative.cloud)
            return
        if not matches_version(definition.version, member.reference.version):
            message = f"there is no `{member.reference}`: version `{definition.version}` takes its place"
            self.problems.warning("version-out-of-print", message, member.reference.span)
        for name in member.parameters:
            if name.casefold() not in definition.parameters:
                help = did_you_mean(name, [parameter.name for parameter in definition.parameters.values()])
                message = f"policy definition `{definition.name}` has no parameter `{name}`"
                report("unknown-parameter", message, member.span, help)

    def reference_id(self, id: str, ids: Sequence[str], owner: str, span: Span | None) -> None:
        if id.casefold() not in {known.casefold() for known in ids}:
            help = did_you_mean(id, ids)
            self.problems.error("missing-reference", f"{owner} has no member with the id `{id}`", span, help)

    def overrides(self, assignment: Assignment) -> None:
        """Of several that hold for one thing the first wins, which is seldom what the second was written for."""
        for number, second in enumerate(assignment.overrides):
            first = next((o for o in assignment.overrides[:number] if _may_both_hold(o, second)), None)
            if first is not None:
                message = f"an earlier override of `{second.kind.value}` may hold for the same resources, and wins"
                help = f"the earlier one is at {first.span}; narrow one of the two by its selectors"
                self.problems.warning("shadowed-override", message, second.span, help)

    def leave(self, document: Exemption | Enrollment) -> None:
        """What an exemption or an enrollment speaks about exists, and is where its assignment reaches."""
        ids = zip(document.reference_ids, document.reference_spans, strict=False)
        assignment = self.about_assignment(document.assignment, ids, document.span)
        if assignment is not None:
            self.scopes(document, assignment)

    def about_assignment(
        self, name: str, ids: Iterable[tuple[str, Span | None]], span: Span | None
    ) -> Assignment | None:
        """The assignment that a document names, with members of its initiative; None when it is missing."""
        assignment = self.library.assignment(name)
        if assignment is not None:
            self.member_ids(ids, assignment)
        elif name:
            help = did_you_mean(name, [a.name for a in self.library.assignments])
            self.problems.error("missing-reference", f"there is no assignment `{name}`", span, help)
        return assignment

    def scopes(self, document: Exemption | Enrollment, assignment: Assignment) -> None:
        """Source: policy language §1.8, "assignmentScopeValidation"."""
        for scope in () if document.any_scope else document.scopes:
            if not scope.may_be_within(assignment.scope):
                message = f"`{scope.text}` is not within `{assignment.scope}`, the scope of `{assignment.name}`"
                help = "correct it, or write `assignmentScopeValidation: DoNotValidate`"
                self.problems.error("outside-assignment", message, document.span, help)

    def member_ids(self, ids: Iterable[tuple[str, Span | None]], assignment: Assignment) -> None:
        """Every id must be a member of the initiative that is assigned."""
        reference = assignment.initiative
        initiative = self.library.initiative(reference, assignment.cloud) if reference is not None else None
        if reference is None and assignment.policy is None:
            return
        if reference is not None and initiative is None:
            return  # reported where the assignment names it
        known = [member.reference_id for member in initiative.members] if initiative else []
        for id, span in ids:
            self.reference_id(id, known, f"assignment `{assignment.name}`", span or assignment.span)


def _ids_of_messages(messages: Iterable[NonComplianceMessage]) -> Iterator[tuple[str, Span | None]]:
    for message in messages:
        if message.reference_id:
            yield message.reference_id, message.span


def _ids_of_overrides(overrides: Iterable[Override]) -> Iterator[tuple[str, Span | None]]:
    for override in overrides:
        for selector in override.selectors:
            if selector.kind is SelectorKind.REFERENCE_ID:
                yield from selector.written


def _may_both_hold(one: Override, other: Override) -> bool:
    """False when no member and no resource is meant by both."""
    if one.kind is not other.kind:
        return False
    pairs = [(a, b) for a in one.selectors for b in other.selectors if a.kind is b.kind]
    return not any(a.excludes(b) for a, b in pairs)


def _candidates(documents: Sequence[Versioned]) -> str:
    """Help for a reference that fits several documents."""
    labels = list({document.name.casefold(): label(document) for document in documents}.values())
    more = f" and {len(labels) - MOST_NAMES} more" if len(labels) > MOST_NAMES else ""
    return f"name one of {', '.join(labels[:MOST_NAMES])}{more}"


def _version_and_cloud(document: Versioned) -> str:
    version = f"`{document.version or 'none'}`"
    return version if document.cloud is Cloud.PUBLIC else f"{version} in the {document.cloud.value} cloud"


def _check_cycles(library: PolicyLibrary, problems: Problems) -> None:
    """Rings among definitions, among initiatives, and among the members of one initiative."""
    definitions = {
        definition.name: [
            found.name for r in definition.depends_on if (found := library.definition(r, definition.cloud))
        ]
        for definition in library.definitions
    }
    _report_cycle("policy definitions", definitions, {d.name: d.span for d in library.definitions}, problems)
    initiatives = {
        initiative.name: [
            after.name for r in initiative.depends_on if (after := library.initiative(r, initiative.cloud))
        ]
        for initiative in library.initiatives
    }
    _report_cycle("initiatives", initiatives, {i.name: i.span for i in library.initiatives}, problems)
    for initiative in library.initiatives:
        spelt = {member.reference_id.casefold(): member.reference_id for member in initiative.members}
        members = {
            member.reference_id: [spelt[id.casefold()] for id in member.depends_on if id.casefold() in spelt]
            for member in initiative.members
        }
        spans = {member.reference_id: member.span for member in initiative.members}
        _report_cycle(f"members of initiative `{initiative.name}`", members, spans, problems)


def _report_cycle(
    noun: str, graph: Mapping[str, Sequence[str]], spans: Mapping[str, Span | None], problems: Problems
) -> None:
    ring = find_cycle(graph)
    if ring:
        path = " → ".join(f"`{name}`" for name in ring)
        help = "remove one `dependsOn` of the ring"
        problems.error("cycle", f"{noun} wait for each other in a ring: {path}", spans[ring[0]], help)
