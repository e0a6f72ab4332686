"""One case × one policy → what is not as expected, and the clauses that made it so.

A case is bound like an assignment would be, judged by the real judge and planned by the real planner.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Final

from policyengine.compliance.bind import BoundPolicy, bind, effect_of
from policyengine.compliance.explain import Explanation, explain
from policyengine.compliance.judge import judge
from policyengine.effects.base import World
from policyengine.effects.words import of_unmet, value
from policyengine.errors import ExpressionError
from policyengine.evaluation import Trace
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.documents import Assignment, PolicyDefinition, Reference
from policyengine.language.library import PolicyLibrary
from policyengine.language.policy_tests import Expectation, ExpectedWrite, Given, PolicyCase
from policyengine.language.syntax import Condition
from policyengine.model.fleet import assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import EXTENSIONS, FLUX_CONFIGURATIONS, Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState
from policyengine.model.values import UNDEFINED, Nothing
from policyengine.remediation.plan import build_plan
from policyengine.remediation.steps import Step
from policyengine.testing.coverage import Coverage, describe
from policyengine.testing.results import Clue, Mismatch

DEFAULT_INSTANT: Final = datetime(2026, 1, 1, tzinfo=UTC)
"""When a case without `at` is judged: always the same, so that a test does not change its mind by waiting."""

MAX_CLUES: Final = 3


@dataclass(frozen=True)
class Trial:
    """One case, ready to be judged."""

    case: PolicyCase
    policy: BoundPolicy
    cluster: Cluster
    world: World

    def with_definition(self, definition: PolicyDefinition) -> Trial:
        """The same case on a changed policy, whose parameters and effect are those of the old one."""
        effect = effect_of(definition, self.policy.effect_name)
        return replace(self, policy=replace(self.policy, definition=definition, effect=effect))

    def on(self, cluster: Cluster, at: datetime) -> Trial:
        """The same policy on what the cluster has become."""
        return replace(self, cluster=cluster, world=replace(self.world, at=at))

    @property
    def explanation(self) -> Explanation:
        return explain(self.policy, self.cluster, self.world)


def prepare(case: PolicyCase, definition: PolicyDefinition, tree: ScopeTree, aliases: AliasCatalogue) -> Trial:
    """Raises PolicyError when the parameters do not fit or the effect cannot be acted on."""
    cluster = cluster_of(case.given)
    assignment = Assignment(
        name="test",
        scope=_scope(cluster),
        policy=Reference(definition.name, span=case.span),
        parameters=case.given.parameters,
        parameter_spans=case.given.parameter_spans,
        span=case.span,
    )
    library = PolicyLibrary(definitions=(definition,), assignments=(assignment,))
    (policy,) = bind(library, aliases)
    return Trial(case, policy, cluster, World(tree, case.given.at or DEFAULT_INSTANT, aliases))


def cluster_of(given: Given) -> Cluster:
    """The given documents with the ids that Resource Manager would have given them."""
    head = given.cluster
    own = ResourceId(head["id"])
    id = f"{own.parent}/providers/{head['type']}/{head.get('name') or own.name}"
    children = [
        {"id": f"{id}/providers/{kind}/{child['name']}", **child}
        for kind, documents in ((EXTENSIONS, given.extensions), (FLUX_CONFIGURATIONS, given.flux_configurations))
        for child in documents
    ]
    clusters, loose = assemble([{**head, "id": id}, *children])
    if clusters:
        return clusters[0]
    # What is no cluster is judged as well: a policy must leave it alone, whatever stands on it.
    return Cluster(
        Resource(ResourceId(id), {**head, "id": id}), _of_type(EXTENSIONS, loose), _of_type(FLUX_CONFIGURATIONS, loose)
    )


def _of_type(type: str, resources: Sequence[Resource]) -> tuple[Resource, ...]:
    return tuple(resource for resource in resources if resource.type.casefold() == type.casefold())


def _scope(cluster: Cluster) -> ResourceId:
    subscription = cluster.id.subscription
    return ResourceId.for_subscription(subscription) if subscription else cluster.id


def check(
    trial: Trial, expect: Expectation, *, coverage: Coverage | None = None, after_apply: bool = False
) -> tuple[Mismatch, ...]:
    """Everything that is not as expected. What the clauses said is noted in ``coverage``."""
    if coverage is not None:
        coverage.observe(trial.explanation, trial.world)
    found = (*_check_state(trial, expect), *_check_clauses(trial, expect), *_check_plan(trial, expect))
    return tuple(replace(mismatch, after_apply=after_apply) for mismatch in found)


def _check_state(trial: Trial, expect: Expectation) -> Iterator[Mismatch]:
    if expect.state is None and expect.reason is None:
        return
    verdict = judge(trial.policy, trial.cluster, trial.world)
    reason = verdict.reason.message if verdict.reason else ""
    if expect.state is not None and verdict.state is not expect.state:
        clues = _clues(trial, verdict.state)
        got = verdict.state.value
        if verdict.state is ComplianceState.ERROR or (reason and not clues):
            got += f": {reason}"
        yield Mismatch("state", expect.state.value, got, clues, _hint(trial, clues))
    elif expect.reason is not None and expect.reason not in reason:
        yield Mismatch("reason", f"a reason that contains {value(expect.reason)}", value(reason) if reason else "none")


def _check_clauses(trial: Trial, expect: Expectation) -> Iterator[Mismatch]:
    if expect.failed_clauses is None:
        return
    failed = [clause.label or clause.kind for clause in _nearest(trial.explanation) if not clause.result]
    if failed != list(expect.failed_clauses):
        yield Mismatch("failedClauses", _listed(expect.failed_clauses), _listed(failed))


def _listed(words: Sequence[str]) -> str:
    return ", ".join(words) or "none"


def _nearest(explanation: Explanation) -> tuple[Trace, ...]:
    """The clauses that decided: of the nearest related resource, or of the `if` when the policy looks for none."""
    if explanation.related_type is not None:
        return explanation.candidates[0].clauses if explanation.candidates else ()
    return explanation.condition.clauses if explanation.condition is not None else ()


def _check_plan(trial: Trial, expect: Expectation) -> Iterator[Mismatch]:
    if expect.plan is None:
        return
    plan = build_plan([trial.policy], [trial.cluster], trial.world, created_at=trial.world.at)
    wanted, got = [_of_expected(write) for write in expect.plan], [_of_step(step) for step in plan.steps]
    if [text.casefold() for text in wanted] != [text.casefold() for text in got]:
        why = f" ({plan.unmended[0].reason})" if plan.unmended and not got else ""
        yield Mismatch("plan", _listed(wanted) if wanted else "no request", (_listed(got) if got else "none") + why)
        return
    for step, write in zip(plan.steps, expect.plan, strict=True):
        yield from _check_body(step, write, trial.world.at)


def _of_expected(write: ExpectedWrite) -> str:
    return f"{write.op} {write.type} {write.name}"


def _of_step(step: Step) -> str:
    return f"{step.write.method} {step.write.id.type} {step.write.id.name}"


def _check_body(step: Step, write: ExpectedWrite, at: datetime) -> Iterator[Mismatch]:
    for wanted in write.body:
        try:
            found = wanted.expression.search(step.write.body, at=at)
        except ExpressionError as error:
            yield Mismatch("plan", f"`{wanted.expression.text}` of {_of_step(step)}", error.message)
            continue
        if found != wanted.equals:
            what = f"`{wanted.expression.text}` of {_of_step(step)} to be {value(wanted.equals)}"
            yield Mismatch("plan", what, value(found))


def _clues(trial: Trial, got: ComplianceState) -> tuple[Clue, ...]:
    """The clauses that made it so; where some compare with a parameter of the case, those alone."""
    explanation = trial.explanation
    told = tuple(enumerate(_telling(explanation, got), start=1))
    deciding = [(n, clause) for n, clause in told if clause.result is (got is ComplianceState.COMPLIANT)]
    if explanation.related_type is None:
        deciding = [(n, clause) for n, clause in told if clause.result is (got is ComplianceState.NON_COMPLIANT)]
    on_given = [(n, clause) for n, clause in deciding if any(_given_names(trial, clause))]
    deciding = on_given or deciding
    return tuple(Clue(n, len(told), _of_clause(clause), clause.span) for n, clause in deciding[:MAX_CLUES])


def _telling(explanation: Explanation, got: ComplianceState) -> tuple[Trace, ...]:
    if explanation.condition is None:
        return ()
    if got is ComplianceState.NOT_APPLICABLE or not explanation.condition.result:
        return explanation.condition.clauses
    return _nearest(explanation)


def _of_clause(clause: Trace) -> str:
    if not isinstance(clause.node, Condition):
        return f"{clause.kind} holds" if clause.result else of_unmet(clause)
    actual = "nothing" if isinstance(clause.actual, Nothing) else value(clause.actual)
    text = f"{describe(clause.node)} → {actual}"
    if clause.operator == "equals":
        return f"{text} {'=' if clause.result else '≠'} {value(clause.expected)}"
    return f"{text}: {'holds' if clause.result else 'does not hold'}"


def _given_names(trial: Trial, clause: Trace) -> Iterator[str]:
    """The parameters that the case sets and the clause compares with."""
    if isinstance(clause.node, Condition):
        source = str(clause.node.expected.source).casefold()
        yield from (name for name in trial.case.given.parameters if f"parameters('{name.casefold()}')" in source)


def _hint(trial: Trial, clues: tuple[Clue, ...]) -> str | None:
    """A parameter of the case that a clause compares with, where the policy has a default of its own."""
    declared = trial.policy.definition.parameters
    for clue in clues:
        for name in trial.case.given.parameters:
            parameter = declared.get(name.casefold())
            used = f"parameters('{name.casefold()}')" in clue.text.casefold()
            if used and parameter is not None and parameter.default is not UNDEFINED:
                default = value(parameter.default)
                return f"the case sets parameters.{name}; remove it to test the default {default}"
    return None
