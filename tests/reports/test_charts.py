from __future__ import annotations

import re
from datetime import timedelta
from xml.etree import ElementTree

import pytest

from policyengine.model.states import COUNTED, ComplianceState
from policyengine.reports import Report, TrendPoint, charts
from policyengine.reports.summary import totals

SVG = "{http://www.w3.org/2000/svg}"
FEW = {ComplianceState.COMPLIANT: 3, ComplianceState.NON_COMPLIANT: 1}


def parsed(svg: str) -> ElementTree.Element:
    return ElementTree.fromstring(svg)


def test_every_chart_is_an_image_with_title_and_description(contoso_report: Report) -> None:
    trend = charts.trend("t", contoso_report.trend)
    assert trend is not None
    drawn = [charts.donut("d", totals(contoso_report)).svg, trend.svg, charts.ages("a", [0, 1, 0, 0]).svg]
    for svg in [*drawn, charts.bar("b", FEW, of="flux")]:
        root = parsed(svg)
        names = (root.attrib["aria-labelledby"]).split()
        assert root.attrib["role"] == "img"
        assert [child.attrib["id"] for child in root[:2]] == names
        assert [child.tag for child in root[:2]] == [f"{SVG}title", f"{SVG}desc"]
        assert all(child.text for child in root[:2])


def test_donut_says_out_of_what_and_leaves_exempt_out() -> None:
    chart = charts.donut("d", {**FEW, ComplianceState.EXEMPT: 90})

    assert chart.title == "Compliance: 75 % of 4 counted pairs"
    assert chart.rows == (("Compliant", "3", "75 %"), ("Non-compliant", "1", "25 %"))


def test_donut_of_nothing_is_an_empty_ring() -> None:
    chart = charts.donut("d", {})

    assert "n/a" in chart.svg
    assert "line-" not in chart.svg
    assert chart.rows == ()


def test_donut_arcs_fill_the_ring() -> None:
    counts = {state: at for at, state in enumerate(COUNTED, 1)}
    shares = [float(part) for part in re.findall(r'stroke-dasharray="([\d.]+) ', charts.donut("d", counts).svg)]

    assert sum(shares) == pytest.approx(100, abs=0.6 * len(COUNTED) + 0.01)


def test_trend_needs_two_instants_that_count(contoso_report: Report) -> None:
    at = contoso_report.generated_at

    assert charts.trend("t", ()) is None
    assert charts.trend("t", [TrendPoint(at, FEW)]) is None
    assert charts.trend("t", [TrendPoint(at, FEW), TrendPoint(at, FEW)]) is None
    assert charts.trend("t", [TrendPoint(at, FEW), TrendPoint(at + timedelta(days=1), {})]) is None


def test_trend_sorts_its_points_and_fills_the_whole_height(contoso_report: Report) -> None:
    at = contoso_report.generated_at
    later = TrendPoint(at + timedelta(days=1), {ComplianceState.COMPLIANT: 1, ComplianceState.UNKNOWN: 1})
    chart = charts.trend("t", [later, TrendPoint(at, FEW)])

    assert chart is not None
    assert [row[1] for row in chart.rows] == ["75 %", "50 %"]
    ys = [
        float(y)
        for points in re.findall(r'polygon[^>]*points="([^"]+)"', chart.svg)
        for y in re.findall(r",(\S+)", points)
    ]
    assert (min(ys), max(ys)) == (14.0, 168.0)


def test_ages_are_named_in_their_table() -> None:
    chart = charts.ages("a", [1, 2, 3, 1_234_567])

    assert chart.rows[0] == ("less than a day", "1")
    assert chart.rows[3] == ("30 days and more", "1,234,567")


def test_ages_of_nothing_draw_nothing() -> None:
    assert 'width="0.0"' in charts.ages("a", [0, 0, 0, 0]).svg


def test_bar_escapes_whose_it_is() -> None:
    assert "<script" not in charts.bar("b", FEW, of='<script>"&')


def test_bar_shares_add_up() -> None:
    shares = re.findall(r'class="fill-\w+" x="[\d.]+%" width="([\d.]+)%"', charts.bar("b", FEW, of="x"))

    assert sum(map(float, shares)) == 100


def test_every_state_has_a_colour() -> None:
    assert set(charts.COLOURS) == set(ComplianceState)
    assert all(charts.swatch(state) for state in ComplianceState)
