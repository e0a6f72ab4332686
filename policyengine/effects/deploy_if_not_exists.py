"""deployIfNotExists: non-compliant unless a related resource exists, and the deployment that would make it exist.

Judging never deploys; `remedy` says what a remediation would. Source: policy language §6.3, §6.4.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from policyengine.effects.base import Judgement, Remedy
from policyengine.effects.existence import judge_existence, required_details
from policyengine.errors import ExpressionError, PolicyError
from policyengine.evaluation import Context, Subject
from policyengine.expressions.compiled import CompiledValue
from policyengine.language.documents import PolicyDefinition
from policyengine.language.syntax import Deployment, Desired, ExistenceDetails
from policyengine.model.diagnostic import Diagnostic
from policyengine.model.resource import Cluster, Resource
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON, Nothing, walk


@dataclass(frozen=True, slots=True)
class DeployIfNotExists:
    details: ExistenceDetails
    deployment: Deployment
    name: ClassVar[str] = "deployIfNotExists"
    otherwise: ClassVar[ComplianceState] = ComplianceState.NOT_APPLICABLE

    def judge(self, cluster: Cluster, context: Context) -> Judgement:
        return judge_existence(self.details, cluster, context)

    def remedy(self, cluster: Cluster, context: Context) -> Remedy:
        subject = Subject.of(cluster.resource, context)
        desired = self.details.desired
        properties = _evaluated(desired.properties, subject, "the required body") if desired else None
        return Remedy(
            deployment=self.deployment,
            parameters={
                name: _evaluated(value, subject, f"deployment parameter `{name}`")
                for name, value in self.deployment.parameters.items()
            },
            role_definition_ids=self.details.role_definition_ids,
            live=_live(desired, properties, cluster, subject) if desired else None,
            desired=desired,
            desired_properties=properties,
            location=_text(self.deployment.location, subject, "deployment.location"),
            resource_group=_text(self.details.resource_group_name, subject, "details.resourceGroupName"),
        )


def bind(definition: PolicyDefinition) -> DeployIfNotExists:
    """Raises PolicyError without `details.type` or `details.deployment`."""
    details = required_details(definition, "deployIfNotExists")
    if details.deployment is None:
        problem = Diagnostic(
            "missing-key",
            f"policy `{definition.name}` has the effect deployIfNotExists and no `details.deployment`",
            details.span or definition.span,
            "add the deployment, or choose auditIfNotExists",
        )
        raise PolicyError([problem])
    return DeployIfNotExists(details, details.deployment)


def _live(desired: Desired, properties: JSON, cluster: Cluster, subject: Subject) -> Resource | None:
    """The object `require` means: that very name, or the one extension of the type. Source: experience §1.6."""
    candidates = cluster.related(desired.type)
    if desired.identity == "extensionType":
        wanted = _folded(walk(properties, "extensionType"))
        return next((r for r in candidates if _folded(r.property("extensionType")) == wanted), None)
    wanted = _folded(_evaluated(desired.name, subject, "the required name"))
    return next((r for r in candidates if _folded(r.name) == wanted), None)


def _text(value: CompiledValue | None, subject: Subject, what: str) -> str | None:
    """The text that ``value`` gives; None when there is none, or an empty one."""
    result = None if value is None else _evaluated(value, subject, f"`{what}`")
    if result is not None and not isinstance(result, str):
        raise ExpressionError(f"`{what}` must be a text")
    return result or None


def _evaluated(value: CompiledValue, subject: Subject, what: str) -> JSON:
    result = value.evaluate(subject.expression_context)
    if isinstance(result, Nothing):
        raise ExpressionError(f"{what} has no result: `{value.source}`")
    return result


def _folded(value: JSON) -> str:
    return str(value or "").casefold()
