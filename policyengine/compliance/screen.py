"""The states of many clusters as far as columns tell them; reasons, exemptions and scopes are the affair of others."""

from __future__ import annotations

from typing import Final

import numpy as np

from policyengine.compliance.block import States
from policyengine.compliance.outline import Outline, Way
from policyengine.compliance.part import Part
from policyengine.evaluation.questions import ERROR, FALSE, TRUE, Tree
from policyengine.evaluation.vector import MAX_QUESTIONS, Alive, Answers, Mask, answers, is_complete
from policyengine.model.states import ComplianceState

SILENT: Final = ComplianceState.NOT_APPLICABLE.code
CONTENT: Final = ComplianceState.COMPLIANT.code
FAILING: Final = ComplianceState.NON_COMPLIANT.code
UNTOLD: Final = 3
"""In place of a state: the scalar driver has to be asked."""


def screened(plan: Outline, part: Part, here: Mask) -> States:
    """SILENT, CONTENT, FAILING or UNTOLD for the rows that are ``here``, SILENT for all others.

    A row that is FAILING is a finding of which one of its kind is to be judged for its reason.
    """
    if plan.way is Way.SILENT:
        return np.full(len(here), SILENT, dtype=np.uint8)
    if plan.rule is None or plan.asked_in_all > MAX_QUESTIONS:
        return here * np.uint8(UNTOLD)
    if plan.way is Way.EACH:
        return here * _each(plan.rule, part, lambda: here)
    if plan.way is Way.BY_CHILDREN:
        return here * _by_children(plan, part, lambda: here)
    return here * _by_rule(plan, part, lambda: here)


def wanted(plan: Outline, part: Part, here: Mask) -> Mask | None:
    """The clusters ``here`` of which somebody has to know what is on them; None for none, and nothing was asked."""
    if plan.way is Way.SILENT or not plan.kinds:
        return None
    if plan.way is not Way.BY_CHILDREN or plan.rule is None or plan.reads.related or plan.asked_in_all > MAX_QUESTIONS:
        return here
    found: Mask = here & (answers(plan.rule, part.clusters, lambda: here) != FALSE)
    return found


def _each(rule: Tree, part: Part, alive: Alive) -> States:
    meant: Mask = answers(rule, part.clusters, alive) != FALSE
    return np.where(meant, np.uint8(UNTOLD), np.uint8(SILENT))


def _by_rule(plan: Outline, part: Part, alive: Alive) -> States:
    if plan.applies is None or plan.rule is None:
        return np.full(len(part.at), UNTOLD, dtype=np.uint8)
    applies = answers(plan.applies, part.clusters, alive)
    if not applies.any():
        return applies
    holds = applies == TRUE
    rule = answers(plan.rule, part.clusters, lambda: alive() & holds)
    states: States = (rule + np.uint8(CONTENT)) * holds  # CONTENT, FAILING, UNTOLD follow one another
    return _with_errors(states, applies)


def _by_children(plan: Outline, part: Part, alive: Alive) -> States:
    assert plan.rule is not None
    rule = answers(plan.rule, part.clusters, alive)
    if not rule.any():
        return rule
    holds = rule == TRUE
    return _with_errors(holds * _of_children(plan, part, lambda: alive() & holds), rule)


def _with_errors(states: States, answers: Answers) -> States:
    """UNTOLD, too, where a condition could not be evaluated."""
    return states + np.uint8(UNTOLD) * (answers == ERROR) if answers.max() == ERROR else states


def _of_children(plan: Outline, part: Part, alive: Alive) -> States:
    """What is on each cluster that is alive; looked for once for all policies that look for the same."""
    assert plan.child is not None
    sought = (plan.child, plan.child_name, plan.child_kind, plan.children and plan.children.key)
    found = part.sought.get(sought)
    if found is None:
        found = _looked_for(plan, part, alive)
        if plan.children is None or is_complete(plan.children, part.tested(plan.child)):
            part.sought[sought] = found
    if plan.children is None or part.children(plan.child).most <= plan.few:
        return found
    many: States = np.where(part.children(plan.child).sizes > plan.few, np.uint8(UNTOLD), found)
    return many


def _looked_for(plan: Outline, part: Part, alive: Alive) -> States:
    """CONTENT where a child will do; UNTOLD where one cannot be tested, so that order matters."""
    assert plan.child is not None
    children, among = part.tested(plan.child), part.candidates(plan)
    if plan.children is None:
        found = np.full(len(children.table), TRUE, dtype=np.uint8)
    else:
        found = answers(plan.children, children, lambda: alive()[children.owners])
    if among is not None:
        found = found * among
    states = np.full(len(part.at), FAILING, dtype=np.uint8)
    states[children.owners.take(np.flatnonzero(found == TRUE))] = CONTENT  # a mask takes four times that
    states[children.owners.take(np.flatnonzero(found == ERROR))] = UNTOLD
    return states
