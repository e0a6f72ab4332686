"""Explanations for people (a tree of conditions) and for programs (one document)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rich.text import Text
from rich.tree import Tree

from policyengine.cli.output import STYLES
from policyengine.compliance.explain import Explanation
from policyengine.effects.existence import Candidate
from policyengine.effects.words import of_unmet, value
from policyengine.evaluation.trace import Trace
from policyengine.model.states import ComplianceState
from policyengine.model.values import JSON, Nothing
from policyengine.workflows.explain import ExplainedCluster

NEAREST = 1
"""How many related objects are shown clause by clause; the rest are counted."""
LISTS = {"in": "one of", "notIn": "none of"}


def head(found: ExplainedCluster) -> Text:
    """``edge-osl-03  Arc · sub edge-nordics · rg stores-no · agent connected``."""
    cluster = found.cluster
    subscription = found.tree.subscription(cluster.id.subscription)
    name = subscription.display_name if subscription else cluster.id.subscription
    return Text.assemble(
        (cluster.name, "bold"),
        f"  {cluster.kind} · sub {name} · rg {cluster.id.resource_group} · {cluster.unreachable_reason or 'reachable'}",
    )


def explanation_lines(found: ExplainedCluster, *, full: bool) -> Iterator[Text | Tree]:
    for explanation in found.explanations:
        yield Text("")
        yield _verdict(explanation, found)
        yield Text(f"through {explanation.through}", style="dim")
        if explanation.verdict.reason is not None:
            yield Text(explanation.verdict.reason.message)
        if explanation.message and _is_said(explanation):
            yield Text(f"message: {explanation.message}", style="italic")
        if explanation.condition is not None:
            yield _condition(explanation.condition)
        if explanation.related_type is not None:
            yield _related(explanation, full=full)
        if explanation.reconciled:
            agrees = explanation.verdict.state is ComplianceState.COMPLIANT
            yield Text(f"reconciled: {explanation.reconciled}" + ("" if agrees else " (not what the policy wants)"))
        if explanation.fix:
            yield Text.assemble(("Fix: ", "bold"), explanation.fix)


def _is_said(explanation: Explanation) -> bool:
    """The author speaks of what is not compliant, or would not be without its exemption."""
    return explanation.underlying.state is ComplianceState.NON_COMPLIANT


def _verdict(explanation: Explanation, found: ExplainedCluster) -> Text:
    state = explanation.verdict.state
    finding = found.since.get(explanation.policy.key)
    since = f" since {finding.since:%Y-%m-%d %H:%M}" if finding is not None and finding.state is state else ""
    return Text.assemble(
        (f"{state.symbol} {state.value}", f"bold {STYLES.get(state, '')}"),
        since,
        "  ",
        (explanation.policy.key, "bold"),
        f"  ({explanation.policy.effect_name})",
    )


def _condition(trace: Trace) -> Tree:
    tree = Tree(Text.assemble("if ", _truth(trace)), guide_style="dim")
    for clause in trace.clauses if trace.kind == "allOf" else (trace,):
        _add(tree, clause)
    return tree


def _related(explanation: Explanation, *, full: bool) -> Tree:
    candidates = explanation.candidates
    satisfied = any(candidate.satisfies for candidate in candidates)
    count = f"{len(candidates)} candidate{'' if len(candidates) == 1 else 's'}"
    matched = f", {explanation.matched.name} matches" if explanation.matched is not None else ", none matches"
    told = f"  {count}{matched if candidates else ''}"
    tree = Tree(
        Text.assemble(f"exists {explanation.related_type}  ", _mark(satisfied), told),
        guide_style="dim",
    )
    shown = len(candidates) if full else NEAREST
    for number, candidate in enumerate(candidates):
        if number < shown:
            _add_candidate(tree, candidate, nearest=number == 0 and not satisfied, full=full)
        else:
            tree.add(f"{candidate.resource.name}   matches {candidate.met} of {candidate.total}")
    return tree


def _add_candidate(tree: Tree, candidate: Candidate, *, nearest: bool, full: bool) -> None:
    label = f"{candidate.resource.name}   matches {candidate.met} of {candidate.total}" + ("   nearest" * nearest)
    branch = tree.add(Text(label, style="bold"))
    met = [clause for clause in candidate.clauses if clause.result]
    for clause in candidate.clauses:
        if full or not clause.result:
            _add(branch, clause)
    if met and not full:
        labels = [clause.label for clause in met if clause.is_leaf and clause.label]
        branch.add(Text("✔ " + (", ".join(labels) or f"{len(met)} clauses"), style="dim"))


def _add(tree: Tree, trace: Trace) -> None:
    branch = tree.add(_clause(trace))
    for child in trace.children:
        _add(branch, child)


def _clause(trace: Trace) -> Text:
    mark = _mark(trace.result)
    if not trace.is_leaf:
        return Text.assemble(mark, f" {trace.kind}")
    place = f"   {trace.span.short}" if trace.span is not None else ""
    return Text.assemble(mark, f" {_met(trace) if trace.result else of_unmet(trace)}", (place, "dim"))


def _met(trace: Trace) -> str:
    """``branch is "main"``; other operators show what they compared with, a list by how long it is."""
    text = f"{trace.label} is {value(trace.actual)}"
    if trace.operator in {"equals", "exists"}:
        return text
    if trace.operator in LISTS and isinstance(trace.expected, list | tuple):
        return f"{text} ({LISTS[trace.operator]} {len(trace.expected)})"
    return f"{text} ({trace.operator} {value(trace.expected)})"


def _mark(result: bool) -> Text:
    state = ComplianceState.COMPLIANT if result else ComplianceState.NON_COMPLIANT
    return Text("✔" if result else "✘", style=STYLES[state])


def _truth(trace: Trace) -> Text:
    return Text.assemble(_mark(trace.result), " true" if trace.result else " false")


def explanation_document(found: ExplainedCluster) -> dict[str, JSON]:
    return {
        "cluster": found.cluster.name,
        "id": found.cluster.id.text,
        "kind": found.cluster.kind,
        "reachable": found.cluster.unreachable_reason is None,
        "unreachableReason": found.cluster.unreachable_reason,
        "observedAt": found.observed_at.isoformat() if found.observed_at else None,
        "policies": [_explanation(explanation, found) for explanation in found.explanations],
        "notApplicable": dict(found.not_applicable),
    }


def _explanation(explanation: Explanation, found: ExplainedCluster) -> dict[str, JSON]:
    reason = explanation.verdict.reason
    finding = found.since.get(explanation.policy.key)
    return {
        "policy": explanation.policy.key,
        "state": explanation.verdict.state.value,
        "since": finding.since.isoformat() if finding else None,
        "reason": reason.message if reason else None,
        "reasonCode": reason.code if reason else None,
        "message": explanation.message if _is_said(explanation) else None,
        "through": explanation.through,
        "fix": explanation.fix or None,
        "demands": [{**_trace(demand.leaf), "must": demand.must} for demand in explanation.demands],
        "condition": _trace(explanation.condition) if explanation.condition else None,
        "candidates": [
            {
                "id": c.resource.id.text,
                "met": c.met,
                "total": c.total,
                "satisfies": c.satisfies,
                "condition": _trace(c.trace) if c.trace else None,
            }
            for c in explanation.candidates
        ],
        "reconciled": explanation.reconciled,
    }


def _trace(trace: Trace) -> dict[str, JSON]:
    node: dict[str, JSON] = {"kind": trace.kind, "result": trace.result}
    if trace.is_leaf:
        node |= {
            "label": trace.label,
            "operator": trace.operator,
            "actual": _plain(trace.actual),
            "expected": _plain(trace.expected),
        }
    if trace.span is not None:
        node["place"] = str(trace.span)
    if trace.children:
        node["children"] = _traces(trace.children)
    return node


def _traces(traces: Sequence[Trace]) -> list[dict[str, JSON]]:
    return [_trace(trace) for trace in traces]


def _plain(actual: JSON | Nothing) -> JSON:
    return None if isinstance(actual, Nothing) else actual
