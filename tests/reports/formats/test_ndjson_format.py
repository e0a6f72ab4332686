from __future__ import annotations

import json

from policyengine.reports import LISTS, Report
from policyengine.reports.formats.csv import COLUMNS
from tests.reports.conftest import pairs_of


def test_each_line_is_an_object_with_the_columns_of_the_csv_list(small_report: Report) -> None:
    lines = "".join(LISTS["ndjson"](pairs_of(small_report, everything=True))).splitlines()
    found = [json.loads(line) for line in lines]

    assert len(found) == 6
    assert all(tuple(line) == COLUMNS for line in found)
    assert found[0]["state"] == "Compliant"
    assert found[0]["since"] is None
    assert found[1]["reason"] == "branch is `release/1.8`, wanted `main`"


def test_nothing_to_list_is_nothing(empty_report: Report) -> None:
    assert list(LISTS["ndjson"](pairs_of(empty_report))) == []
