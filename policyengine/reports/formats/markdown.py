"""The report as Markdown, short enough for a pull request or a chat: figures, changes, policies, the worst findings."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Final

from policyengine.model.states import FAILING, ComplianceState, azure_ratio, compliance_ratio
from policyengine.reports.report import Counts, Direction, Report
from policyengine.reports.summary import (
    FORMULA,
    changes_towards,
    counted,
    delta,
    failing,
    moved_towards,
    ordered_findings,
    present,
    severity_rank,
    totals,
    with_not_applicable,
    worst_policies,
)
from policyengine.reports.words import STATE_WORDS, duration, instant, number, percent, plural, points, quoted_parts

MAX_FINDINGS: Final = 20
MAX_CHANGES: Final = 20

_SPECIAL: Final = re.compile(r"([\\`*_\[\]<>~|&])")
_BREAKS: Final = re.compile(r"\s+")
_ARROWS: Final = {Direction.NEW: "▼ new", Direction.BACK: "▼ came back", Direction.FIXED: "▲ fixed"}


def render(report: Report, *, max_findings: int = MAX_FINDINGS) -> str:
    """GitHub-flavoured Markdown. At most ``max_findings`` findings are named; the rest are counted."""
    report = with_not_applicable(report)
    blocks = [
        f"# {_text(report.title)}",
        *_headline(report),
        *_changes(report),
        *_policies(report),
        *_findings(report, max_findings),
        *_exemptions(report),
        _footer(report),
    ]
    return "\n\n".join(block for block in blocks if block) + "\n"


def _headline(report: Report) -> list[str]:
    counts = totals(report)
    if report.scan is None:
        return ["No scan has been made yet: run `policyengine scan`."]
    if not counted(counts):
        return [f"No pair counts yet: {plural(report.fleet.clusters, 'cluster')}, {_policy_count(report)}."]
    moved = delta(report)
    since = f" ({points(moved)} since {instant(report.previous.at)})" if moved is not None and report.previous else ""
    return [
        f"**{percent(compliance_ratio(counts))}** compliant: {number(counts.get(ComplianceState.COMPLIANT, 0))} "
        f"of {number(counted(counts))} pairs{since}; "
        f"{plural(report.fleet.clusters, 'cluster')}, {_policy_count(report)}. "
        f"Azure's portal would show {percent(azure_ratio(counts))}.",
        _table(("State", "Pairs"), [(_state(state), number(n)) for state, n in present(counts)], numbers={1}),
        _incomplete(report),
        _unfinished(report),
    ]


def _incomplete(report: Report) -> str:
    if report.scan is None or (report.scan.complete and not report.inventory.incomplete):
        return ""
    gaps = [f"> - {_code(gap.scope)}: {_text(gap.reason)}" for gap in report.inventory.incomplete]
    return "\n".join(["> **Incomplete.** Not everything could be read; what is missing counts as unknown.", *gaps])


def _unfinished(report: Report) -> str:
    if report.scan is None or report.scan.unfinished is None:
        return ""
    later, told = report.scan.unfinished, report.scan.id
    return (
        f"> **Not all of one scan.** Scan {later} was begun after {told} and is not finished; "
        "what it has judged is told as it found it."
    )


def _changes(report: Report) -> list[str]:
    listed = [(way, c) for way in _ARROWS for c in changes_towards(report, way)]
    if report.previous is None or not listed:
        return []
    names = _names(report)
    rows = [
        (_ARROWS[way], _code(c.cluster_name), _policy(c.policy, names), _text(c.note))
        for way, c in listed[:MAX_CHANGES]
    ]
    return [
        f"## What changed since {instant(report.previous.at)}",
        _table(("", "Cluster", "Policy", "Why"), rows),
        _rest(sum(moved_towards(report, way) for way in _ARROWS) - len(rows), "change"),
    ]


def _policies(report: Report) -> list[str]:
    names = _names(report)
    rows = [
        (
            _policy(policy.key, names),
            _text(policy.severity),
            number(policy.counts.get(ComplianceState.COMPLIANT, 0)),
            number(failing(policy.counts)),
            number(policy.counts.get(ComplianceState.UNKNOWN, 0)),
            number(policy.counts.get(ComplianceState.EXEMPT, 0)),
            number(policy.counts.get(ComplianceState.NOT_APPLICABLE, 0)),
            _ratio(policy.counts),
        )
        for policy in worst_policies(report)
    ]
    header = ("Policy", "Severity", "✔ Compliant", "✘ Failing", "? Unknown", "– Exempt", "Not applicable", "Compliance")
    return ["## By policy", _table(header, rows, numbers={2, 3, 4, 5, 6, 7})] if rows else []


def _findings(report: Report, limit: int) -> list[str]:
    found = sorted(
        (f for f in ordered_findings(report) if f.state in {*FAILING, ComplianceState.UNKNOWN}),
        key=lambda f: (f.state not in FAILING, severity_rank(f.severity)),
    )
    if not found:
        return ["## Findings", "Nothing asks for action."] if report.scan and report.fleet.clusters else []
    names = _names(report)
    rows = [
        (
            _state(f.state),
            _code(f.cluster_name),
            _policy(f.policy, names),
            duration(report.generated_at - f.since),
            _text(f"{f.reason} ({f.message})" if f.message else f.reason),
            _code(f.owner) if f.owner else "",
            _code(f.command) if f.command else _text(f.fix),
        )
        for f in found[:limit]
    ]
    header = ("State", "Cluster", "Policy", "For", "Why", "Owner", "Fix")
    return ["## Findings", _table(header, rows), _rest(_asking(report) - len(rows), "finding")]


def _asking(report: Report) -> int:
    """All findings that ask for action, named in the report or not."""
    counts = totals(report)
    return failing(counts) + counts.get(ComplianceState.UNKNOWN, 0)


def _exemptions(report: Report) -> list[str]:
    if not report.exemptions:
        return []
    rows = [
        (
            _code(e.name),
            _text(e.reason),
            _code(e.owner) if e.owner else "",
            _days(e.days_left(report.generated_at)),
            number(e.covers),
            {True: "yes", False: "no longer", None: "not known"}[e.still_needed],
        )
        for e in report.exemptions
    ]
    header = ("Exemption", "Reason", "Owner", "Days left", "Covers", "Needed")
    return ["## Exemptions", _table(header, rows, numbers={3, 4})]


def _footer(report: Report) -> str:
    scan = f"scan {_code(report.scan.id)}, " if report.scan else ""
    return (
        f"<sub>{instant(report.generated_at)} · {scan}policyengine {_text(report.engine_version)}. "
        f"Compliance is {FORMULA}; exempt and not-applicable pairs stand beside it.</sub>"
    )


def _policy_count(report: Report) -> str:
    return plural(len(report.policies), "policy", "policies")


def _names(report: Report) -> dict[str, str]:
    return {policy.key: policy.display_name for policy in report.policies}


def _policy(key: str, names: Mapping[str, str]) -> str:
    """The key, since several assignments may share a policy, with the name that people know beside it."""
    name = names.get(key, key)
    return _code(key) if name == key else f"{_code(key)} {_text(name)}"


def _state(state: ComplianceState) -> str:
    return f"{state.symbol} {STATE_WORDS[state]}"


def _ratio(counts: Counts) -> str:
    return f"{percent(compliance_ratio(counts))} of {number(counted(counts))}"


def _days(left: int | None) -> str:
    if left is None:
        return "never ends"
    return "expired" if left < 0 else number(left)


def _rest(more: int, noun: str) -> str:
    return f"…and {plural(more, f'more {noun}')}: `policyengine report --format html`." if more > 0 else ""


def _table(
    header: Sequence[str], rows: Iterable[Sequence[str]], *, numbers: frozenset[int] | set[int] = frozenset()
) -> str:
    rule = ["--:" if at in numbers else "---" for at in range(len(header))]
    return "\n".join("| " + " | ".join(cells) + " |" for cells in (header, rule, *rows))


def _text(value: str) -> str:
    """Prose on one line that Markdown and HTML leave as it is, except that `quoted` words become code."""
    line = _BREAKS.sub(" ", value).strip()
    return "".join(_code(part) if quoted else _SPECIAL.sub(r"\\\1", part) for part, quoted in quoted_parts(line))


def _code(value: str) -> str:
    """A code span, fenced with more backticks than it holds; ``|`` is escaped for the table around it."""
    line = _BREAKS.sub(" ", value).strip() or " "
    longest = max((len(run) for run in re.findall(r"`+", line)), default=0)
    fence = "`" * (longest + 1)
    pad = " " if line.startswith("`") or line.endswith("`") else ""
    return f"{fence}{pad}{line}{pad}{fence}".replace("|", r"\|")
