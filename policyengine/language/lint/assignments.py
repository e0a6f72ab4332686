"""Rules about assignments, exemptions and what they refer to."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import timedelta
from typing import Final

from policyengine.language.documents import Assignment, Initiative, PolicyDefinition, Reference, RemediationMode
from policyengine.language.lint.base import Finding, Project, constant_of, effect_given
from policyengine.model.diagnostic import Span
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopePattern
from policyengine.model.values import get_folded

MIN_INTERVAL_S: Final = 300
LONG: Final = timedelta(days=365)

_WRITING: Final = frozenset({"deployifnotexists", "modify"})
_EVERY: Final = re.compile(r"\*(?:/(\d+))?")
_HOME: Final = re.compile(r"(/subscriptions/[^/]+)/providers/Microsoft\.Authorization/", re.IGNORECASE)


def _references(project: Project) -> Iterator[tuple[Reference, Span | None]]:
    """Every definition that something refers to."""
    for initiative in project.library.initiatives:
        for member in initiative.members:
            yield member.reference, member.reference.span or member.span
    for assignment in project.library.assignments:
        if assignment.policy is not None:
            yield assignment.policy, assignment.policy.span or assignment.span


def deprecated_definition(project: Project) -> Iterator[Finding]:
    """Azure marks them in the metadata, and in the display name."""
    for reference, span in _references(project):
        found = project.library.definition(reference)
        if found is not None and _is_deprecated(found):
            yield Finding(f"policy `{found.name}` is deprecated", span, "see its description for what replaces it")


def _is_deprecated(definition: PolicyDefinition) -> bool:
    marked = get_folded(definition.metadata, "deprecated") is True
    return marked or definition.display_name.casefold().startswith("[deprecated]")


def preview_version(project: Project) -> Iterator[Finding]:
    """A preview may change without notice. Source: policy language §1.7."""
    for assignment in project.library.assignments:
        targets = (
            (assignment.policy, project.library.definition(assignment.policy) if assignment.policy else None),
            (
                assignment.initiative,
                project.library.initiative(assignment.initiative) if assignment.initiative else None,
            ),
        )
        for reference, found in targets:
            if reference is not None and found is not None and _is_preview(found):
                span = reference.span or assignment.span
                yield Finding(f"`{found.name}` is a preview", span, "assign a released version where there is one")


def _is_preview(document: PolicyDefinition | Initiative) -> bool:
    marked = get_folded(document.metadata, "preview") is True
    return marked or (document.version or "").casefold().endswith("-preview")


def definition_out_of_reach(project: Project) -> Iterator[Finding]:
    """A definition can be assigned at or below the place it lives at. Source: policy language §1.1."""
    for assignment in project.library.assignments:
        library = project.library
        found: PolicyDefinition | Initiative | None = None
        if assignment.policy is not None:
            found = library.definition(assignment.policy)
        elif assignment.initiative is not None:
            found = library.initiative(assignment.initiative)
        home = _HOME.match(found.azure_id or "") if found is not None else None
        if found is not None and home and not ResourceId(home[1]).contains(assignment.scope):
            message = f"`{found.name}` lives at `{home[1]}` and cannot be assigned outside it"
            yield Finding(message, assignment.span, "assign it there, or move it to a management group")


def not_scope_outside(project: Project) -> Iterator[Finding]:
    """An exclusion of what is not included."""
    for assignment in project.library.assignments:
        for pattern in assignment.not_scopes:
            if _is_outside(pattern, assignment.scope):
                message = f"`{pattern.text}` is not under the scope of assignment `{assignment.name}`"
                yield Finding(message, assignment.span, "remove it from `notScopes`, or correct it")


def _is_outside(pattern: ScopePattern, scope: ResourceId) -> bool:
    """Only where the text tells: what is under a management group is not in the text."""
    if scope.subscription is None or pattern.has_wildcard:
        return False
    return not scope.contains(ResourceId(pattern.text))


def idle_remediation(project: Project) -> Iterator[Finding]:
    """Continuous remediation where no effect ever writes."""
    for assignment in project.library.assignments:
        if assignment.remediation_mode is RemediationMode.CONTINUOUS:
            effects = set(_effects(assignment, project))
            if effects and None not in effects and not effects & _WRITING:
                listed = ", ".join(f"`{effect}`" for effect in sorted(filter(None, effects)))
                message = f"continuous remediation has nothing to do under {listed}"
                yield Finding(message, assignment.span, "choose an effect that writes, or leave `remediation` out")


def _effects(assignment: Assignment, project: Project) -> Iterator[str | None]:
    """The folded effect of every policy assigned; None for one that the text does not tell."""
    if assignment.policy is not None:
        definition = project.library.definition(assignment.policy)
        yield effect_given(definition, assignment.parameters) if definition is not None else None
    initiative = project.library.initiative(assignment.initiative) if assignment.initiative is not None else None
    for member in initiative.members if initiative is not None else ():
        definition = project.library.definition(member.reference)
        known = all(value.is_constant for value in member.parameters.values())
        values = {name: constant_of(value) for name, value in member.parameters.items()}
        yield effect_given(definition, values) if definition is not None and known else None


def frequent_schedule(project: Project) -> Iterator[Finding]:
    """A scan reads the whole inventory; more often than that, runs are skipped and the budget is eaten."""
    for assignment in project.library.assignments:
        schedule = assignment.schedule
        if schedule is None:
            continue
        minute = (schedule.cron or "0").split()[0]
        every = _EVERY.fullmatch(minute)
        often = schedule.interval_s is not None and schedule.interval_s < MIN_INTERVAL_S
        if often or (every is not None and int(every[1] or 1) < MIN_INTERVAL_S // 60):
            help = "every five minutes or less often: `interval: 30m`"
            yield Finding("the schedule runs more often than every five minutes", schedule.span, help)


def expired_exemption(project: Project) -> Iterator[Finding]:
    """Covers nothing any more. Source: policy language §1.8."""
    for exemption in project.library.exemptions:
        if project.at is not None and exemption.expires_on is not None and exemption.expires_on <= project.at:
            message = f"exemption `{exemption.name}` expired on {exemption.expires_on:%Y-%m-%d}"
            yield Finding(message, exemption.span, "remove it, or decide on a new date")


def endless_exemption(project: Project) -> Iterator[Finding]:
    """Nobody will look at it again."""
    for exemption in project.library.exemptions:
        if exemption.expires_on is None:
            message = f"exemption `{exemption.name}` never expires"
            yield Finding(message, exemption.span, "add `expiresOn`")


def long_exemption(project: Project) -> Iterator[Finding]:
    """As good as endless."""
    for exemption in project.library.exemptions:
        if project.at is not None and exemption.expires_on is not None and exemption.expires_on > project.at + LONG:
            message = f"exemption `{exemption.name}` lasts more than a year, until {exemption.expires_on:%Y-%m-%d}"
            yield Finding(message, exemption.span, "choose a nearer date, and decide again then")
