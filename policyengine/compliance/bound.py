"""One definition under one assignment, with nothing left to look up."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

from policyengine.effects.base import BoundEffect
from policyengine.language.documents import (
    Assignment,
    EnforcementMode,
    Enrollment,
    Exemption,
    Initiative,
    PolicyDefinition,
)
from policyengine.language.selectors import Selector, admits_all, is_selected
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Resource
from policyengine.model.scope import ScopeTree, covers_any
from policyengine.model.values import JSON

CLUSTER_NAME: Final = "{cluster.name}"
"""The one part of a message that differs from cluster to cluster."""


@dataclass(frozen=True)
class BoundPolicy:
    """What is judged: a policy with its parameters folded in, its effect chosen, its scope and its exemptions.

    ``key`` is ``assignment`` or ``assignment/reference_id``. ``parameters`` is keyed by folded names, ``spellings``
    gives the declared ones. ``effect`` is None when nothing is evaluated (disabled). ``depends_on`` holds keys of
    bound policies whose writes go first. ``digest`` changes when the meaning does; ``volatile`` policies may change
    their answer by the passing of time alone. ``unknown_aliases``: the folded types that the policy does not apply to,
    because their catalogue lacks an alias it uses. ``variants`` take its place on the resources their selectors admit,
    the first that does: so an assignment's overrides may change effect or version place by place.
    """

    key: str
    assignment: Assignment
    definition: PolicyDefinition
    effect: BoundEffect | None
    effect_name: str
    digest: str
    volatile: bool
    initiative: Initiative | None = None
    reference_id: str | None = None
    parameters: Mapping[str, JSON] = field(default_factory=dict)
    spellings: Mapping[str, str] = field(default_factory=dict)
    exemptions: tuple[Exemption, ...] = ()
    enrollments: tuple[Enrollment, ...] = ()
    variants: tuple[tuple[Sequence[Selector], BoundPolicy], ...] = ()
    depends_on: tuple[str, ...] = ()
    unknown_aliases: Mapping[str, str] = field(default_factory=dict)

    @property
    def display_name(self) -> str:
        return self.definition.display_name or self.definition.name

    @property
    def severity(self) -> str:
        return self.definition.severity

    @property
    def identity(self) -> Mapping[str, JSON]:
        """What `policy()` returns; built-ins hash all of it, so that a part which is not there is empty text.

        Source: policy language §5.4.
        """
        initiative = self.initiative
        return {
            "assignmentId": self.assignment.id,
            "definitionId": self.definition.azure_id or self.definition.name,
            "setDefinitionId": (initiative.azure_id or initiative.name) if initiative else "",
            "definitionReferenceId": self.reference_id or "",
        }

    def message_for(self, cluster: str) -> str | None:
        """The author's message with ``{cluster.name}``, ``{policy}`` and ``{runbook}`` filled in; None without one."""
        if self.message is None:
            return None
        text = self.message.replace("{policy}", self.display_name).replace("{runbook}", self.definition.runbook)
        return text.replace(CLUSTER_NAME, cluster)

    @property
    def message(self) -> str | None:
        """What the author says about a finding: of the member, else of the assignment, else of the definition."""
        own = (self.reference_id or "").casefold()
        messages = self.assignment.non_compliance_messages
        for wanted in (own, ""):
            for message in messages:
                if (message.reference_id or "").casefold() == wanted:
                    return message.message
        return self.definition.non_compliance_message

    def unknown_group(self, tree: ScopeTree) -> str | None:
        """A management group that the assignment or an exemption of it names and the tree does not know.

        Who is in, who is left out and who is exempt cannot be told then.
        """
        named = [self.assignment.scope.text, *(scope.text for scope in self.assignment.not_scopes)]
        named += [scope.text for exemption in self.exemptions for scope in exemption.scopes]
        groups = (ResourceId(text).management_group for text in named if "*" not in text)
        return next((g for g in groups if g is not None and tree.management_group(g) is None), None)

    def on(self, resource: Resource) -> BoundPolicy:
        """The policy as it stands on that resource: a variant, or itself."""
        for selectors, variant in self.variants:
            if admits_all(selectors, resource):
                return variant.on(resource)
        return self

    def in_scope(self, resource: Resource, tree: ScopeTree) -> bool:
        """Under the assignment's scope, under none of its exclusions, and selected. Source: policy language §1.10."""
        assignment, id = self.assignment, resource.id
        if not tree.contains(assignment.scope, id) or covers_any(assignment.not_scopes, id, tree):
            return False
        return self.selects(resource)

    def selects(self, resource: Resource) -> bool:
        """Whether the assignment's resource selectors admit it, wherever it is."""
        return is_selected(self.assignment.resource_selectors, resource)

    def is_enforced_on(self, resource: Resource, tree: ScopeTree) -> bool:
        """Whether its effect may write without being asked for by name. Source: policy language §1.6."""
        mode = self.assignment.enforcement_mode
        if mode is EnforcementMode.ENROLL:
            return any(enrollment.covers(resource, self.reference_id, tree) for enrollment in self.enrollments)
        return mode is EnforcementMode.DEFAULT
