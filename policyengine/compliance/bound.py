"""One definition under one assignment, with nothing left to look up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from policyengine.effects.base import BoundEffect
from policyengine.language.documents import Assignment, Exemption, Initiative, PolicyDefinition
from policyengine.model.ids import ResourceId
from policyengine.model.scope import ScopeTree, covers_any
from policyengine.model.values import JSON


@dataclass(frozen=True)
class BoundPolicy:
    """What is judged: a policy with its parameters folded in, its effect chosen, its scope and its exemptions.

    ``key`` is ``assignment`` or ``assignment/reference_id``. ``parameters`` is keyed by folded names, ``spellings``
    gives the declared ones. ``effect`` is None when nothing is evaluated (disabled). ``depends_on`` holds keys of
    bound policies whose writes go first. ``digest`` changes when the meaning does; ``volatile`` policies may change
    their answer by the passing of time alone. ``unknown_aliases``: the folded types that the policy does not apply to,
    because their catalogue lacks an alias it uses.
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
        """What `policy()` returns. Source: policy language §5.4."""
        initiative = self.initiative
        return {
            "assignmentId": f"{self.assignment.scope}/providers/Microsoft.Authorization/policyAssignments/"
            f"{self.assignment.name}",
            "definitionId": self.definition.azure_id or self.definition.name,
            "setDefinitionId": (initiative.azure_id or initiative.name) if initiative else None,
            "definitionReferenceId": self.reference_id,
        }

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

    def in_scope(self, id: ResourceId, tree: ScopeTree) -> bool:
        """Under the assignment's scope and under none of its exclusions. Source: policy language §1.10."""
        return tree.contains(self.assignment.scope, id) and not covers_any(self.assignment.not_scopes, id, tree)
