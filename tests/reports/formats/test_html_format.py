from __future__ import annotations

import json
import re
from collections import Counter
from dataclasses import replace
from html.parser import HTMLParser

import pytest

from policyengine.model.ids import ResourceId
from policyengine.model.scope import ManagementGroup, ScopeTree, Subscription
from policyengine.model.states import COUNTED, ComplianceState
from policyengine.reports import FORMATS, GroupEntry, PolicyEntry, Report, ScopeNode, rollup_by_scope
from policyengine.reports.page import PLACES_AT_MOST, lay_out
from policyengine.reports.summary import totals

NON_COMPLIANT = ComplianceState.NON_COMPLIANT
VOID = {"meta", "link", "br", "hr", "img", "input", "source", "col", "wbr"}
LOADING = {"src", "srcset", "poster", "data", "background", "action", "formaction", "xlink:href"}


class Outline(HTMLParser):
    """Reads a page strictly: every tag is closed in order; collects what the tests ask about."""

    def __init__(self, page: str) -> None:
        super().__init__(convert_charrefs=True)
        self.open: list[str] = []
        self.tags: Counter[str] = Counter()
        self.ids: list[str] = []
        self.targets: list[str] = []
        self.loads: list[str] = []
        self.handlers: list[str] = []
        self.unscoped = 0
        self.text: list[str] = []
        self.feed(page)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags[tag] += 1
        if tag not in VOID:
            self.open.append(tag)
        for name, value in attrs:
            if name == "id":
                self.ids.append(value or "")
            if name == "href" and tag == "a":
                self.targets.append(value or "")
            if name in LOADING or (name == "href" and tag != "a"):
                self.loads.append(value or "")
            if name.startswith("on"):
                self.handlers.append(name)
        self.unscoped += tag == "th" and "scope" not in dict(attrs)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.handle_starttag(tag, attrs)
        if tag not in VOID:
            self.open.pop()

    def handle_endtag(self, tag: str) -> None:
        assert self.open, f"</{tag}> closes nothing at {self.getpos()}"
        assert self.open.pop() == tag, f"</{tag}> closes something else at {self.getpos()}"

    def handle_data(self, data: str) -> None:
        if not self.open or self.open[-1] != "style":
            self.text.append(data)


def large(report: Report, size: int) -> Report:
    """``size`` more clusters, all of them compliant and none of them named."""
    policies = tuple(
        replace(p, counts={**p.counts, ComplianceState.COMPLIANT: p.counts.get(ComplianceState.COMPLIANT, 0) + size})
        for p in report.policies
    )
    return replace(report, policies=policies, fleet=replace(report.fleet, clusters=report.fleet.clusters + size))


@pytest.fixture(params=["contoso", "small", "empty", "unscanned", "large"])
def report(
    request: pytest.FixtureRequest, contoso_report: Report, small_report: Report, empty_report: Report
) -> Report:
    return {
        "contoso": contoso_report,
        "small": small_report,
        "empty": empty_report,
        "unscanned": replace(small_report, scan=None, findings=(), changes=(), previous=None, trend=(), policies=()),
        "large": large(small_report, 300),
    }[request.param]


def test_page_is_well_formed_and_its_anchors_resolve(report: Report) -> None:
    page = Outline(FORMATS["html"](report))

    assert page.open == []
    assert [id for id, n in Counter(page.ids).items() if n > 1] == []
    assert {target[1:] for target in page.targets if target.startswith("#")} <= set(page.ids)


def test_page_loads_nothing_and_runs_nothing(report: Report) -> None:
    text = FORMATS["html"](report)
    page = Outline(text)

    assert page.tags["script"] == page.tags["iframe"] == page.tags["object"] == 0
    assert page.handlers == []
    assert set(page.loads) <= {"data:,"}
    assert "@import" not in text
    assert set(re.findall(r"url\(([^)]*)\)", text)) <= {"#hatch", "#dots"}
    assert "default-src 'none'" in text


def test_every_header_cell_has_a_scope_and_every_table_row_its_cells(report: Report) -> None:
    page = Outline(FORMATS["html"](report))

    assert page.unscoped == 0
    assert page.tags["main"] == page.tags["h1"] == 1


def test_every_drawing_is_named_or_hidden(report: Report) -> None:
    for opening in re.findall(r"<svg[^>]*>", FORMATS["html"](report)):
        assert 'aria-hidden="true"' in opening or ('role="img"' in opening and "aria-labelledby=" in opening)


def test_headline_says_out_of_what(small_report: Report) -> None:
    text = " ".join("".join(Outline(FORMATS["html"](small_report)).text).split())

    assert "40 % compliant: 2 of 5 pairs of a cluster and a policy. 1 of them unknown, 1 more exempt." in text
    assert "Since 15 Nov 2026: +20 points." in text
    assert "Azure’s portal: 4 / 6 = 67 %" in text


def test_numbers_of_the_matrix_add_up_to_the_counts(contoso_report: Report) -> None:
    text = FORMATS["html"](contoso_report)
    cells = Counter(re.findall(r'<td class="s-(\w+)">', text))

    assert cells == {state.value: n for state, n in totals(contoso_report).items()}
    assert sum(cells[state.value] for state in COUNTED) == 252


def test_every_finding_has_its_place(contoso_report: Report) -> None:
    page = Outline(FORMATS["html"](contoso_report))

    assert {f"f{at}" for at in range(1, len(contoso_report.findings) + 1)} <= set(page.ids)


def test_findings_that_say_the_same_share_a_card(contoso_report: Report) -> None:
    for part in lay_out(contoso_report).parts:
        said = [(c.finding.state, c.finding.reason, c.finding.fix) for c in part.causes]
        assert len(said) == len(set(said))
        assert part.findings == sum(f.policy == part.policy.key for f in contoso_report.findings)


def test_messages_stand_once_on_a_card_or_beside_each_cluster(small_report: Report) -> None:
    finding = small_report.findings[0]
    for second, times in (("leave it be", 1), ("ask the desk", 1), ("", 1)):
        other = replace(small_report.findings[2], reason=finding.reason, fix=finding.fix, message=second)
        both = (replace(finding, message="leave it be"), other)
        text = "".join(Outline(FORMATS["html"](replace(small_report, findings=both))).text)

        assert text.count("leave it be") == times
        assert not second or text.count(second) == 1


def test_large_fleet_lists_only_clusters_with_findings(small_report: Report) -> None:
    report = large(small_report, 300)
    text = "".join(Outline(FORMATS["html"](report)).text)

    assert len(lay_out(report).rows) == 3
    assert "3 clusters with findings are listed; 300 more are counted above" in text


def test_findings_that_are_not_named_are_counted_on_the_card_of_their_reason(small_report: Report) -> None:
    """A card says how many clusters it hits, names some, and where to find all of them."""
    first = small_report.findings[0]
    policies = tuple(
        replace(p, counts={**p.counts, first.state: 41_300}) if p.key == first.policy else p
        for p in small_report.policies
    )
    causes = tuple(replace(c, findings=41_203) if c.reason == first.reason else c for c in small_report.causes)
    report = replace(small_report, policies=policies, causes=causes)
    text = " ".join("".join(Outline(FORMATS["html"](report)).text).split())
    (part,) = (part for part in lay_out(report).parts if part.policy.key == first.policy)

    assert "41,203 clusters" in text
    assert "and 41,202 more" in text
    assert part.left_out == 41_300 - 41_203 - 1
    assert "96 findings of this policy for other reasons have no card here: policyengine report --format csv" in text
    assert "4 of 41,302 findings are named" in text


def test_changes_that_are_not_named_are_counted(small_report: Report) -> None:
    moved = tuple(replace(m, pairs=m.pairs + 500) for m in small_report.moved)
    text = " ".join("".join(Outline(FORMATS["html"](replace(small_report, moved=moved))).text).split())

    assert "The latest 1 are named; 500 more are counted by policy." in text


def places(subscriptions: int, groups: int) -> tuple[ScopeNode, ...]:
    """A tree of so many subscriptions of so many groups; the last of each fail most."""
    entries = [
        GroupEntry(ResourceId(f"/subscriptions/s{s:04d}/resourceGroups/g{g:04d}"), 1, {NON_COMPLIANT: s + g + 1})
        for s in range(subscriptions)
        for g in range(groups)
    ]
    tree = ScopeTree(
        (ManagementGroup("root", "Root"),),
        tuple(Subscription(f"s{s:04d}", f"S{s:04d}", "root") for s in range(subscriptions)),
    )
    return rollup_by_scope(tree, entries)


@pytest.mark.parametrize(("subscriptions", "groups"), [(3, 4), (100, 20), (1_000, 3), (1, 5_000)])
def test_the_tree_has_no_more_places_than_there_is_room_for(
    small_report: Report, subscriptions: int, groups: int
) -> None:
    report = replace(small_report, scopes=places(subscriptions, groups))
    (root,) = lay_out(report).places
    shown = [root, *root.children, *(group for s in root.children for group in s.children)]
    text = FORMATS["html"](report)

    assert len(shown) <= PLACES_AT_MOST + 1
    assert len(root.children) + root.left_out == subscriptions
    assert all(len(s.children) + s.left_out == groups for s in root.children)
    assert f"S{subscriptions - 1:04d}" in text  # what fails most is there
    assert (root.left_out > 0) is (subscriptions > PLACES_AT_MOST)
    assert len(text) < 1_000_000


def test_incomplete_scan_says_so_at_the_top(small_report: Report) -> None:
    text = FORMATS["html"](small_report)

    assert text.index("Not everything could be read") < text.index('id="changes"')
    assert "403: no reader role" in text


def test_a_scan_that_is_not_finished_is_told_at_the_top(small_report: Report) -> None:
    assert small_report.scan is not None
    mixed = replace(small_report, scan=replace(small_report.scan, unfinished="s-0043"))
    text = FORMATS["html"](mixed)

    assert "Scan s-0043 was begun after s-0042 and is not finished" in text[: text.index('id="changes"')]
    assert "not finished" not in FORMATS["html"](small_report)
    assert "Scan s-0043 was begun after s-0042 and is not finished" in FORMATS["markdown"](mixed)
    assert json.loads(FORMATS["json"](mixed))["scan"]["unfinished"] == "s-0043"


def test_report_before_any_scan_says_what_to_run(empty_report: Report) -> None:
    text = FORMATS["html"](empty_report)

    assert "policyengine scan" in text
    assert "policyengine inventory sync" in text
    assert "n/a" in text


HOSTILE = "\"><script>alert(1)</script><img src=http://evil.example onerror='x'>&lt;"


def test_hostile_names_are_only_ever_text(small_report: Report) -> None:
    def spoilt(policy: PolicyEntry) -> PolicyEntry:
        return replace(policy, display_name=HOSTILE, owner=HOSTILE, severity=HOSTILE, runbook=HOSTILE, version=HOSTILE)

    report = replace(
        small_report,
        title=HOSTILE,
        organisation=HOSTILE,
        policies=tuple(spoilt(policy) for policy in small_report.policies),
        clusters=tuple(replace(c, name=HOSTILE, subscription=HOSTILE, owner=HOSTILE) for c in small_report.clusters),
        findings=tuple(
            replace(f, cluster_name=HOSTILE, reason=HOSTILE, message=HOSTILE, fix=HOSTILE, command=HOSTILE)
            for f in small_report.findings
        ),
        changes=tuple(replace(c, cluster_name=HOSTILE, note=HOSTILE) for c in small_report.changes),
        exemptions=tuple(replace(e, name=HOSTILE, reason=HOSTILE, scopes=(HOSTILE,)) for e in small_report.exemptions),
        scopes=tuple(replace(node, name=HOSTILE) for node in small_report.scopes),
    )
    page = Outline(FORMATS["html"](report))

    assert page.open == []
    assert page.tags["script"] == page.tags["img"] == 0
    assert page.handlers == []
    assert HOSTILE in "".join(page.text)


@pytest.mark.parametrize("address", ["javascript:alert(1)", "data:text/html,x", " https://x", "//evil.example"])
def test_runbook_that_is_no_web_address_is_no_link(small_report: Report, address: str) -> None:
    policies = tuple(replace(policy, runbook=address) for policy in small_report.policies)
    page = Outline(FORMATS["html"](replace(small_report, policies=policies)))

    assert all(target.startswith("#") for target in page.targets)
    assert address in "".join(page.text)


def channel(value: int) -> float:
    share = value / 255
    return share / 12.92 if share <= 0.04045 else ((share + 0.055) / 1.055) ** 2.4


def luminance(colour: str) -> float:
    red, green, blue = (channel(int(colour[at : at + 2], 16)) for at in (1, 3, 5))
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def contrast(one: str, other: str) -> float:
    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)


@pytest.mark.parametrize("theme", [0, 1], ids=["light", "dark"])
def test_palette_keeps_its_contrast(empty_report: Report, theme: int) -> None:
    """WCAG 2.2 AA: 4.5:1 for text on whatever it stands on, 3:1 for what is drawn."""
    block = re.findall(r":root \{(.*?)\}", FORMATS["html"](empty_report), re.DOTALL)[theme]
    palette = dict(re.findall(r"--([\w-]+): (#[0-9a-f]{6})", block))
    grounds = [palette[name] for name in ("paper", "card", "soft")]

    for name, colour in palette.items():
        if name in {"ink", "muted", "link"} or name.startswith("text-"):
            tint = palette.get("tint-" + name.removeprefix("text-"), palette["card"])
            assert min(contrast(colour, ground) for ground in [*grounds, tint]) >= 4.5, name
        if name in {"Compliant", "NonCompliant", "Conflict", "Error", "Protected", "hatch-line", "dots-dot"}:
            assert min(contrast(colour, ground) for ground in grounds[:2]) >= 3, name
    assert contrast(palette["text-Unknown"], palette["stripe"]) >= 4.5
    assert contrast(palette["ink"], palette["tint-NonCompliant"]) >= 4.5


@pytest.mark.parametrize("section", ["changes", "policies", "matrix", "findings"])
def test_policies_of_one_name_are_told_apart_by_their_keys(small_report: Report, section: str) -> None:
    policies = tuple(replace(policy, display_name="Flux is there") for policy in small_report.policies)
    page = FORMATS["html"](replace(small_report, policies=policies)).replace("<wbr>", "")
    told = page.partition(f'<section id="{section}"')[2].partition("</section>")[0]

    for key in ("edge/flux", "edge/config"):
        assert re.search(f'Flux is there.{{0,60}}<code class="[a-z -]*policy-key">{key}</code>', told), key
