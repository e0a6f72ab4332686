"""What an effect is once its policy is bound, and what it hands back."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol, TypeAlias

from policyengine.evaluation.subject import Context, ResourceLookup, no_other_resources
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import Deployment, Desired, ExistenceDetails
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, Reason
from policyengine.model.values import JSON


@dataclass(frozen=True)
class World:
    """What surrounds the clusters at one instant. ``resources`` answers for types no cluster carries.

    As long as ``edition`` stays the same, so do its answers; None: nobody can tell, as where it looks at what is live.
    """

    tree: ScopeTree
    at: datetime
    aliases: AliasCatalogue
    resources: ResourceLookup = no_other_resources
    edition: str | None = ""


@dataclass(frozen=True, slots=True)
class Judgement:
    """An effect's answer for one cluster whose `if` holds. ``related_count`` is the size of the related set."""

    state: ComplianceState
    reason: Reason | None = None
    matched: Resource | None = None
    related_count: int = 0


@dataclass(frozen=True, slots=True)
class Remedy:
    """What would mend one cluster: a deployment with its parameters evaluated.

    ``parameters`` maps a template parameter to ``{"value": …}`` or ``{"reference": {"keyVault": …}}``. Policies with
    `require` also say what they want: ``desired`` with ``desired_properties`` evaluated, and ``live``, the object
    already there that it would change, None when there is none. ``location`` and ``resource_group`` say where the
    deployment goes; None: nowhere in particular, and the cluster's own group.
    """

    deployment: Deployment
    parameters: Mapping[str, JSON]
    role_definition_ids: tuple[str, ...] = ()
    live: Resource | None = None
    desired: Desired | None = None
    desired_properties: JSON = None
    location: str | None = None
    resource_group: str | None = None


@dataclass(frozen=True, slots=True)
class Amendment:
    """What would mend a cluster by changing the cluster itself: a merge patch of its document, perhaps an empty one.

    ``tags`` in it names the tags that change; null takes one away.
    """

    patch: Mapping[str, JSON]
    role_definition_ids: tuple[str, ...] = ()


class BoundEffect(Protocol):
    """One effect with the part of the policy it needs."""

    @property
    def name(self) -> str:
        """The canonical spelling, such as ``deployIfNotExists``."""

    @property
    def otherwise(self) -> ComplianceState:
        """The state of a cluster whose `if` does not hold."""

    @property
    def details(self) -> ExistenceDetails | None:
        """The related resources it looks for; None for an effect that looks at the cluster alone."""

    def judge(self, cluster: Cluster, context: Context, /) -> Judgement:
        """The state of a cluster whose `if` holds. Raises ExpressionError."""

    def remedy(self, cluster: Cluster, context: Context, /) -> Remedy | Amendment | None:
        """What to write, None for an effect that never writes. Raises ExpressionError."""


Factory: TypeAlias = Callable[[PolicyDefinition], BoundEffect | None]
"""Builds a bound effect; None means that nothing is evaluated. Raises PolicyError when details are missing."""
