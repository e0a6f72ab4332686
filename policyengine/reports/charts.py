"""Charts as SVG text: a donut, a trend, bars. Each comes with the table it was drawn from.

Colour is never alone: every state has a pattern or a word beside it. The page may restyle every colour through the
classes ``fill-STATE`` and ``line-STATE``; the colours written here are what a chart shows outside our pages.
The patterns live in `PATTERNS`, which a page holds once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape
from itertools import accumulate
from typing import Final

from policyengine.model.states import ComplianceState, compliance_ratio
from policyengine.reports.report import Counts, TrendPoint
from policyengine.reports.summary import counted, present
from policyengine.reports.words import AGES, STATE_WORDS, day_or_instant, instant, number, percent

COLOURS: Final = {
    ComplianceState.COMPLIANT: "#1f6fb5",
    ComplianceState.NON_COMPLIANT: "#d55e00",
    ComplianceState.CONFLICT: "#8a6100",
    ComplianceState.ERROR: "#7b2d5f",
    ComplianceState.UNKNOWN: "url(#hatch)",
    ComplianceState.EXEMPT: "url(#dots)",
    ComplianceState.PROTECTED: "#4a6b73",
    ComplianceState.NOT_APPLICABLE: "#d7dbe0",
}
"""Safe for red-green blindness: blue is good, orange is not, hatched grey is not known, dotted is exempt."""

PATTERNS: Final = (
    '<svg class="patterns" width="0" height="0" aria-hidden="true" focusable="false"><defs>'
    '<pattern id="hatch" width="6" height="6" patternUnits="userSpaceOnUse" patternTransform="rotate(45)">'
    '<rect class="hatch-ground" width="6" height="6" fill="#dfe3e8"/>'
    '<rect class="hatch-line" width="2.4" height="6" fill="#6b7480"/></pattern>'
    '<pattern id="dots" width="5" height="5" patternUnits="userSpaceOnUse">'
    '<rect class="dots-ground" width="5" height="5" fill="#e7e3f1"/>'
    '<circle class="dots-dot" cx="2.5" cy="2.5" r="1.3" fill="#6a5a96"/></pattern>'
    "</defs></svg>"
)

_STACK: Final = (
    ComplianceState.COMPLIANT,
    ComplianceState.UNKNOWN,
    ComplianceState.ERROR,
    ComplianceState.CONFLICT,
    ComplianceState.NON_COMPLIANT,
)
"""Left to right, or bottom to top: from good to bad, so that the edge of the first is the percentage."""


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture and the numbers in it. ``svg`` is markup: everything in it is already escaped."""

    title: str
    svg: str
    header: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]


def donut(id: str, counts: Counts) -> Chart:
    """The counted states as a ring around the percentage. An empty ring when nothing counts."""
    total = counted(counts)
    ratio = compliance_ratio(counts)
    shares = [(state, n, 100 * n / total) for state, n in present(counts, _STACK)]
    ends = list(accumulate(share for _, _, share in shares))
    ring = "".join(
        _arc(state, start=end - share, share=share, alone=len(shares) == 1)
        for (state, _, share), end in zip(shares, ends, strict=True)
    )
    figure = percent(ratio)
    body = (
        '<circle class="ring-ground" cx="80" cy="80" r="62" fill="none" stroke="#e3e6ea" stroke-width="22"/>'
        f"{ring}"
        '<text class="figure" x="80" y="84" text-anchor="middle" font-size="32" font-weight="600">'
        f"{escape(figure)}</text>"
        f'<text class="caption" x="80" y="104" text-anchor="middle" font-size="{11 if total < 10_000_000 else 9}">'
        f"of {number(total)} pairs</text>"
    )
    title = f"Compliance: {figure} of {number(total)} counted pairs"
    described = ", ".join(f"{STATE_WORDS[state].lower()} {number(n)}" for state, n, _ in shares) or "nothing counts yet"
    rows = tuple((STATE_WORDS[state], number(n), percent(n / total)) for state, n, _ in shares)
    return Chart(title, _svg(id, _box(160, 160), title, described, body), ("State", "Pairs", "Share"), rows)


def _arc(state: ComplianceState, *, start: float, share: float, alone: bool) -> str:
    gap = 0 if alone else min(0.6, share / 3)
    return (
        f'<circle class="line-{state.value}" cx="80" cy="80" r="62" fill="none" stroke="{COLOURS[state]}" '
        f'stroke-width="22" pathLength="100" transform="rotate(-90 80 80)" '
        f'stroke-dasharray="{share - gap:.3f} {100 - share + gap:.3f}" stroke-dashoffset="{-start:.3f}"/>'
    )


_LEFT, _RIGHT, _TOP, _BOTTOM = 38, 394, 14, 168
_WIDTH, _HEIGHT = 440, 196


def trend(id: str, points: Sequence[TrendPoint]) -> Chart | None:
    """The counted states' shares over time, stacked to 100 %; None for fewer than two instants that count."""
    known = [p for p in sorted(points, key=lambda p: p.at) if counted(p.counts)]
    if len(known) < 2 or known[0].at == known[-1].at:
        return None
    states = [state for state in _STACK if any(p.counts.get(state) for p in known)]
    body = _grid() + _areas(known, states) + _edge(known) + _dates(known)
    first, last = (percent(compliance_ratio(p.counts)) for p in (known[0], known[-1]))
    first_at, last_at = _ends(known)
    title = f"Compliance from {first_at} to {last_at}"
    described = f"{first} at the beginning, {last} at the end, over {number(len(known))} scans"
    rows = tuple(
        (
            instant(p.at),
            percent(compliance_ratio(p.counts)),
            *(number(p.counts.get(state, 0)) for state in states),
        )
        for p in known
    )
    header = ("Scan", "Compliance", *(STATE_WORDS[state] for state in states))
    return Chart(title, _svg(id, _box(_WIDTH, _HEIGHT), title, described, body), header, rows)


def _grid() -> str:
    lines = (
        f'<line class="grid" x1="{_LEFT}" x2="{_RIGHT}" y1="{_y(share):g}" y2="{_y(share):g}" stroke="#d7dbe0"/>'
        f'<text class="tick" x="{_LEFT - 6}" y="{_y(share) + 4:g}" text-anchor="end" font-size="11">{share:.0%}</text>'
        for share in (0.0, 0.5, 1.0)
    )
    return "".join(lines)


def _areas(points: Sequence[TrendPoint], states: Sequence[ComplianceState]) -> str:
    xs = _xs(points)
    floor = [0.0] * len(points)
    drawn = []
    for state in states:
        top = [low + p.counts.get(state, 0) / counted(p.counts) for low, p in zip(floor, points, strict=True)]
        outline = [*zip(xs, top, strict=True), *reversed([*zip(xs, floor, strict=True)])]
        path = " ".join(f"{x:.1f},{_y(share):.1f}" for x, share in outline)
        drawn.append(f'<polygon class="fill-{state.value}" fill="{COLOURS[state]}" points="{path}"/>')
        floor = top
    return "".join(drawn)


def _edge(points: Sequence[TrendPoint]) -> str:
    """The percentage itself: the upper edge of the compliant area, and its last value in words."""
    ratios = [compliance_ratio(p.counts) or 0.0 for p in points]
    path = " ".join(f"{x:.1f},{_y(r):.1f}" for x, r in zip(_xs(points), ratios, strict=True))
    y = _y(ratios[-1])
    return (
        '<polyline class="edge" fill="none" stroke="#16202c" stroke-width="2" stroke-linejoin="round" '
        f'points="{path}"/>'
        f'<circle class="edge-end" cx="{_RIGHT}" cy="{y:.1f}" r="3.5" fill="#16202c"/>'
        f'<text class="label" x="{_RIGHT + 7}" y="{y + 4:.1f}" font-size="13" font-weight="600">'
        f"{escape(percent(ratios[-1]))}</text>"
    )


def _dates(points: Sequence[TrendPoint]) -> str:
    y = _HEIGHT - 8
    first, last = _ends(points)
    return (
        f'<text class="tick" x="{_LEFT}" y="{y}" font-size="11">{first}</text>'
        f'<text class="tick" x="{_RIGHT}" y="{y}" text-anchor="end" font-size="11">{last}</text>'
    )


def _ends(points: Sequence[TrendPoint]) -> tuple[str, str]:
    first, last = points[0].at, points[-1].at
    return day_or_instant(first, last), day_or_instant(last, first)


def _xs(points: Sequence[TrendPoint]) -> list[float]:
    first, span = points[0].at, points[-1].at - points[0].at
    return [_LEFT + (_RIGHT - _LEFT) * ((p.at - first) / span) for p in points]


def _y(share: float) -> float:
    return _BOTTOM - (_BOTTOM - _TOP) * share


def ages(id: str, sizes: Sequence[int]) -> Chart:
    """Open findings by how long they have been open: a number for each of `words.AGES`."""
    named = {name: size for (name, _), size in zip(AGES, sizes, strict=True)}
    title = f"Open findings by age, {number(sum(sizes))} in all"
    described = ", ".join(f"{name}: {number(size)}" for name, size in named.items())
    rows = tuple((name, number(size)) for name, size in named.items())
    return Chart(title, _svg(id, _box(300, 112), title, described, _columns(named)), ("Open for", "Findings"), rows)


def _columns(named: Mapping[str, int]) -> str:
    longest = max(max(named.values()), 1)
    lines = []
    for at, (name, size) in enumerate(named.items()):
        y = 4 + 28 * at
        width = 125 * size / longest
        lines.append(
            f'<text class="tick" x="0" y="{y + 14}" font-size="11">{escape(name)}</text>'
            f'<rect class="fill-NonCompliant" x="100" y="{y}" width="{width:.1f}" height="18" rx="2" '
            f'fill="{COLOURS[ComplianceState.NON_COMPLIANT]}"/>'
            f'<text class="label" x="{106 + width:.1f}" y="{y + 14}" font-size="12" font-weight="600">'
            f"{number(size)}</text>"
        )
    return "".join(lines)


def bar(id: str, counts: Counts, *, of: str) -> str:
    """One stacked bar of the counted states, for a row of a table that already holds its numbers. ``of``: whose bar."""
    total = counted(counts)
    shares = [(state, n, 100 * n / total) for state, n in present(counts, _STACK)]
    starts = [0.0, *accumulate(share for _, _, share in shares)]
    body = '<rect class="ring-ground" width="100%" height="10" fill="#e3e6ea"/>' + "".join(
        f'<rect class="fill-{state.value}" x="{start:.2f}%" width="{share:.2f}%" height="10" fill="{COLOURS[state]}"/>'
        for (state, _, share), start in zip(shares, starts, strict=False)
    )
    described = ", ".join(f"{STATE_WORDS[state].lower()} {number(n)}" for state, n, _ in shares) or "nothing counts"
    # Percentages instead of a viewBox: a stretched viewBox would stretch the patterns too.
    size = 'class="bar" width="100%" height="10"'
    return _svg(id, size, f"{of}: {percent(compliance_ratio(counts))}", described, body)


def swatch(state: ComplianceState) -> str:
    """A small square of a state's colour or pattern, for legends; the word stands beside it."""
    return (
        '<svg class="swatch" width="12" height="12" viewBox="0 0 12 12" aria-hidden="true" focusable="false">'
        f'<rect class="fill-{state.value}" width="12" height="12" rx="2" fill="{COLOURS[state]}"/></svg>'
    )


def _box(width: int, height: int) -> str:
    return f'class="chart" viewBox="0 0 {width} {height}"'


def _svg(id: str, size: str, title: str, described: str, body: str) -> str:
    """``id`` must be unique in the page and safe in an attribute."""
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" role="img" {size} aria-labelledby="{id}-title {id}-desc">'
        f'<title id="{id}-title">{escape(title)}</title><desc id="{id}-desc">{escape(described)}</desc>{body}</svg>'
    )
