"""The states of many clusters as far as columns tell them; reasons, exemptions and scopes are the affair of others."""

from __future__ import annotations

from typing import Final

import numpy as np

from policyengine.compliance.block import States
from policyengine.compliance.outline import Outline, Way
from policyengine.compliance.part import Part
from policyengine.evaluation.questions import ERROR, TRUE
from policyengine.evaluation.vector import MAX_QUESTIONS, Alive, Mask, answers
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
    if plan.way is Way.EACH or plan.rule is None or plan.asked_in_all > MAX_QUESTIONS:
        return here * np.uint8(UNTOLD)
    if plan.way is Way.BY_CHILDREN:
        return here * _by_children(plan, part, lambda: here)
    return here * _by_rule(plan, part, lambda: here)


def _by_rule(plan: Outline, part: Part, alive: Alive) -> States:
    if plan.applies is None or plan.rule is None:
        return np.full(len(part.at), UNTOLD, dtype=np.uint8)
    applies = answers(plan.applies, part.clusters, alive)
    if not applies.any():
        return applies
    rule = answers(plan.rule, part.clusters, lambda: alive() & (applies == TRUE))
    states: States = (rule + np.uint8(CONTENT)) * (applies == TRUE)  # CONTENT, FAILING, UNTOLD follow one another
    return states + np.uint8(UNTOLD) * (applies == ERROR) if (applies == ERROR).any() else states


def _by_children(plan: Outline, part: Part, alive: Alive) -> States:
    assert plan.rule is not None
    rule = answers(plan.rule, part.clusters, alive)
    if not rule.any():
        return rule
    holds = rule == TRUE
    states: States = holds * _of_children(plan, part, lambda: alive() & holds)
    return states + np.uint8(UNTOLD) * (rule == ERROR) if (rule == ERROR).any() else states


def _of_children(plan: Outline, part: Part, alive: Alive) -> States:
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
    states[children.owners[found == TRUE]] = CONTENT
    states[children.owners[found == ERROR]] = UNTOLD
    few = (MAX_QUESTIONS - plan.asked_in_all) // max(plan.asked_of_child, 1)
    if plan.children is not None and part.children(plan.child).most > few:
        states[part.children(plan.child).sizes > few] = UNTOLD
    return states
