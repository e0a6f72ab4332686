import pytest
from hypothesis import given
from hypothesis import strategies as st

from policyengine.model.states import (
    COUNTED,
    PRECEDENCE,
    ComplianceState,
    azure_ratio,
    compliance_ratio,
    roll_up,
)

S = ComplianceState
states = st.lists(st.sampled_from(list(S)))


@pytest.mark.parametrize("state", list(S))
def test_every_state_has_a_code_a_symbol_and_a_rank(state: ComplianceState) -> None:
    assert S.from_code(state.code) is state
    assert len(state.symbol) == 1
    assert state in PRECEDENCE


def test_codes_and_symbols_are_not_shared() -> None:
    assert len({s.code for s in S}) == len(S) == len({s.symbol for s in S}) == len(PRECEDENCE)


def test_stored_codes_never_change() -> None:
    """State blocks on disk hold these bytes."""
    codes = {s.value: s.code for s in S}

    assert codes == {
        "NotApplicable": 0,
        "Compliant": 1,
        "NonCompliant": 2,
        "Exempt": 3,
        "Unknown": 4,
        "Error": 5,
        "Conflict": 6,
        "Protected": 7,
    }


def test_the_worst_state_wins_and_compliant_hides_an_error() -> None:
    """Azure ranks so; that is why counts are always shown beside a roll-up."""
    assert roll_up([S.COMPLIANT, S.NON_COMPLIANT, S.ERROR]) is S.NON_COMPLIANT
    assert roll_up([S.COMPLIANT, S.ERROR]) is S.COMPLIANT
    assert roll_up([S.EXEMPT, S.UNKNOWN]) is S.EXEMPT
    assert roll_up([]) is S.NOT_APPLICABLE


@given(states, states)
def test_rolling_up_groups_is_rolling_up_their_members(one: list[ComplianceState], two: list[ComplianceState]) -> None:
    assert roll_up([roll_up(one), roll_up(two)]) is roll_up(one + two)


def test_findings_are_the_states_worth_a_row() -> None:
    assert {s for s in S if not s.is_finding} == {S.COMPLIANT, S.NOT_APPLICABLE}


def test_our_percentage_leaves_out_what_is_exempt_or_not_applicable() -> None:
    counts = {S.COMPLIANT: 3, S.NON_COMPLIANT: 1, S.EXEMPT: 40, S.NOT_APPLICABLE: 900}

    assert compliance_ratio(counts) == 0.75


def test_unknown_is_not_green() -> None:
    assert compliance_ratio({S.COMPLIANT: 1, S.UNKNOWN: 1}) == 0.5
    assert azure_ratio({S.COMPLIANT: 1, S.UNKNOWN: 1}) == 1.0


def test_nothing_counted_has_no_percentage() -> None:
    assert compliance_ratio({S.EXEMPT: 2}) is None
    assert azure_ratio({S.PROTECTED: 2}) is None
    assert azure_ratio({S.EXEMPT: 2}) == 1.0


@given(st.dictionaries(st.sampled_from(list(S)), st.integers(0, 50)))
def test_a_percentage_lies_between_none_and_all(counts: dict[ComplianceState, int]) -> None:
    ratio = compliance_ratio(counts)

    assert (ratio is None) == (not any(counts.get(s, 0) for s in COUNTED))
    assert ratio is None or 0 <= ratio <= 1
