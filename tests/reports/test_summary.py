from __future__ import annotations

from dataclasses import replace

import pytest

from policyengine.model.scope import ScopeTree
from policyengine.model.states import ComplianceState, compliance_ratio
from policyengine.reports import Direction, Report, direction_of, rollup_by_scope
from policyengine.reports.summary import (
    FORMULA,
    METHOD,
    STATE_ORDER,
    add_counts,
    changes_towards,
    count_states,
    counted,
    delta,
    failing,
    initiative_states,
    moved_towards,
    ordered_clusters,
    ordered_findings,
    severity_rank,
    totals,
    with_not_applicable,
    worst_policies,
)
from tests.reports.conftest import groups_of

COMPLIANT = ComplianceState.COMPLIANT
NON_COMPLIANT = ComplianceState.NON_COMPLIANT


def test_totals_are_the_same_by_policy_and_by_cluster(contoso_report: Report) -> None:
    assert totals(contoso_report) == count_states(contoso_report.clusters)


def test_every_state_is_read_out() -> None:
    assert set(STATE_ORDER) == set(ComplianceState)


def test_delta_is_now_less_before(small_report: Report) -> None:
    assert compliance_ratio(totals(small_report)) == pytest.approx(0.4)
    assert delta(small_report) == pytest.approx(0.2)


def test_delta_is_none_without_something_to_compare(small_report: Report, empty_report: Report) -> None:
    assert delta(replace(small_report, previous=None)) is None
    assert delta(empty_report) is None


@pytest.mark.parametrize(
    ("old", "new", "failed_before", "expected"),
    [
        (None, NON_COMPLIANT, False, Direction.NEW),
        (COMPLIANT, ComplianceState.CONFLICT, False, Direction.NEW),
        (COMPLIANT, NON_COMPLIANT, True, Direction.BACK),
        (NON_COMPLIANT, COMPLIANT, True, Direction.FIXED),
        (ComplianceState.UNKNOWN, COMPLIANT, False, Direction.CHANGED),
        (NON_COMPLIANT, ComplianceState.EXEMPT, True, Direction.CHANGED),
        (NON_COMPLIANT, ComplianceState.ERROR, True, Direction.CHANGED),
        (None, COMPLIANT, False, Direction.CHANGED),
    ],
)
def test_direction(old: ComplianceState | None, new: ComplianceState, failed_before: bool, expected: Direction) -> None:
    assert direction_of(old, new, failed_before=failed_before) is expected


def test_changes_can_be_asked_for_one_policy(small_report: Report) -> None:
    assert len(changes_towards(small_report, Direction.NEW)) == 1
    assert changes_towards(small_report, Direction.NEW, policy="edge/flux") == ()


def test_changes_are_counted_whether_they_are_named_or_not(small_report: Report) -> None:
    report = replace(small_report, changes=())

    assert moved_towards(report, Direction.NEW) == moved_towards(report, Direction.NEW, policy="edge/config") == 1
    assert moved_towards(report, Direction.NEW, policy="edge/flux") == 0


def test_an_initiative_has_one_state_on_a_cluster_and_one_over_the_fleet(small_report: Report) -> None:
    """The worst of its policies as Azure ranks them: compliant hides unknown. Source: policy language §8.2."""
    (initiative,) = small_report.initiatives
    unknown = replace(small_report.clusters[2], states={"edge/flux": ComplianceState.UNKNOWN, "edge/config": COMPLIANT})

    assert (initiative.name, initiative.policies, initiative.state) == ("gitops-baseline", 2, NON_COMPLIANT)
    assert initiative.counts == totals(small_report)
    assert [initiative_states(cluster, small_report.policies) for cluster in (*small_report.clusters, unknown)] == [
        {"gitops-baseline": NON_COMPLIANT},
        {"gitops-baseline": COMPLIANT},
        {"gitops-baseline": NON_COMPLIANT},
        {"gitops-baseline": COMPLIANT},
    ]


def test_a_place_has_the_worst_state_under_it(small_report: Report) -> None:
    (root,) = small_report.scopes
    payments = root.children[1]

    assert root.state is NON_COMPLIANT
    assert (payments.name, payments.state) == ("Payments", COMPLIANT)


def test_worst_policy_comes_first(contoso_report: Report) -> None:
    numbers = [failing(policy.counts) for policy in worst_policies(contoso_report)]

    assert numbers == sorted(numbers, reverse=True)


def test_findings_keep_their_policy_together(contoso_report: Report) -> None:
    keys = [finding.policy for finding in ordered_findings(contoso_report)]
    runs = [key for at, key in enumerate(keys) if at == 0 or keys[at - 1] != key]

    assert len(runs) == len(set(keys))
    assert len(keys) == len(contoso_report.findings)


def test_clusters_are_ordered_by_where_they_are(small_report: Report) -> None:
    names = [cluster.name for cluster in ordered_clusters(small_report.clusters)]

    assert names == ["edge-osl-03", "edge-got-02", "pay-prod-01"]


def test_unknown_severity_ranks_last() -> None:
    assert severity_rank("Critical") < severity_rank("low") < severity_rank("whatever")


def test_method_prints_the_formula_that_is_used() -> None:
    """The formula names exactly the states that `counted` counts."""
    named = {word.strip(" ()") for word in FORMULA.replace("/", "+").split("+")}

    assert FORMULA in METHOD
    assert len(named) == counted(dict.fromkeys(ComplianceState, 1))


def test_a_pair_that_nobody_counted_does_not_apply(small_report: Report) -> None:
    """The store leaves such pairs out of what it hands over; policies and scopes are filled alike."""
    policies = tuple(replace(policy, counts={COMPLIANT: 1}) for policy in small_report.policies)
    clusters = [replace(c, states={"edge/flux": COMPLIANT}) for c in small_report.clusters]
    scopes = rollup_by_scope(ScopeTree(), groups_of(clusters))
    filled = with_not_applicable(replace(small_report, policies=policies, scopes=scopes))

    assert [p.counts for p in filled.policies] == [{COMPLIANT: 1, ComplianceState.NOT_APPLICABLE: 2}] * 2
    assert add_counts(node.counts for node in filled.scopes) == {COMPLIANT: 3, ComplianceState.NOT_APPLICABLE: 3}
    assert with_not_applicable(filled) == filled
