"""The report as one HTML file: no network, no script, good on paper and on a phone.

The page's own policy for content forbids both, so even a slip in a template could load nothing.
Templates are package data beside `policyengine.reports`; everything they print is escaped unless a chart made it.
"""

from __future__ import annotations

from functools import cache
from typing import Final

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup, escape

from policyengine.model.states import ComplianceState, azure_ratio, compliance_ratio
from policyengine.reports import charts, summary, words
from policyengine.reports.page import lay_out
from policyengine.reports.report import Counts, Direction, Lamp, Report, ScopeKind

MAX_COMMANDS: Final = 3
"""A card shows this many different commands; for more clusters it shows the first and says so."""


def render(report: Report) -> str:
    """A complete document. Every number is a link to the list that makes it, as far as that list is on the page."""
    report = summary.with_not_applicable(report)
    return _environment().get_template("page.html").render(**_figures(report), page=lay_out(report), report=report)


def _figures(report: Report) -> dict[str, object]:
    counts = summary.totals(report)
    return {
        "counts": counts,
        "found": [(state, n) for state, n in summary.present(counts) if state.is_finding],
        "delta": summary.delta(report),
        "findings_left_out": sum(n for state, n in counts.items() if state.is_finding) - len(report.findings),
        "by_kind": summary.clusters_by_kind(report),
        "donut": charts.donut("donut", counts),
        "trend": charts.trend("trend", report.trend),
        "ages": charts.ages("ages", report.ages or (0,) * len(words.AGES)),
    }


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("policyengine.reports"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "day": words.day,
        "day_or_instant": words.day_or_instant,
        "duration": words.duration,
        "instant": words.instant,
        "iso": words.iso,
        "letter": words.STATE_LETTERS.__getitem__,
        "meaning": words.STATE_MEANINGS.__getitem__,
        "number": words.number,
        "percent": words.percent,
        "plural": words.plural,
        "points": words.points,
        "prose": _prose,
        "web": _web,
        "word": words.STATE_WORDS.__getitem__,
    }
    environment.globals |= {
        "Direction": Direction,
        "Lamp": Lamp,
        "ScopeKind": ScopeKind,
        "State": ComplianceState,
        "STATES": summary.STATE_ORDER,
        "METHOD": summary.METHOD,
        "MAX_COMMANDS": MAX_COMMANDS,
        "azure_ratio": azure_ratio,
        "bar": _bar,
        "changes": summary.changes_towards,
        "moved": summary.moved_towards,
        "counted": summary.counted,
        "failing": summary.failing,
        "patterns": Markup(charts.PATTERNS),
        "present": summary.present,
        "ratio": compliance_ratio,
        "swatch": _swatch,
    }
    return environment


def _bar(id: str, counts: Counts, of: str) -> Markup:
    return Markup(charts.bar(id, counts, of=of))


def _swatch(state: ComplianceState) -> Markup:
    return Markup(charts.swatch(state))


def _prose(text: str) -> Markup:
    """Text with what stands in backticks set as code."""
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if quoted else escape(part) for part, quoted in words.quoted_parts(text)
    )


def _web(url: str) -> str | None:
    """The address when following it can only open a page; anything else is shown as text."""
    return url if url.casefold().startswith(("https://", "http://")) else None
