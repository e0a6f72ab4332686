from __future__ import annotations

import json
from collections.abc import Callable

from policyengine.model.states import ComplianceState
from policyengine.reports import FORMATS, Report


def test_small_report_is_as_reviewed(small_report: Report, golden: Callable[[str, str], None]) -> None:
    golden("small.json", FORMATS["json"](small_report))


def test_empty_report_is_as_reviewed(empty_report: Report, golden: Callable[[str, str], None]) -> None:
    golden("empty.json", FORMATS["json"](empty_report))


def test_both_percentages_say_out_of_what(small_report: Report) -> None:
    summary = json.loads(FORMATS["json"](small_report))["summary"]

    assert summary["compliance"] == {"ratio": 0.4, "compliant": 2, "of": 5}
    assert summary["azure"] == {"ratio": 0.666667, "compliant": 4, "of": 6}


def test_every_state_is_named_even_with_none(contoso_report: Report) -> None:
    document = json.loads(FORMATS["json"](contoso_report))

    assert (document["apiVersion"], document["kind"]) == ("policyengine/v1", "ComplianceReport")
    for policy in document["policies"]:
        assert set(policy["counts"]) == {state.value for state in ComplianceState}
        assert sum(policy["counts"].values()) == len(document["clusters"])


def test_nothing_is_dropped(contoso_report: Report) -> None:
    document = json.loads(FORMATS["json"](contoso_report))

    for part in ("policies", "clusters", "findings", "changes", "trend", "remediations", "exemptions"):
        assert len(document[part]) == len(getattr(contoso_report, part))
