"""The report as one JSON document for programs: `apiVersion: policyengine/v1`, `kind: ComplianceReport`.

The shape is a promise: names stay, new ones may be added. States are counted under their own names and every state
is named. Both percentages, ours and the Azure portal's, are ``{ratio, compliant, of}``; ratio lies in [0, 1] and is
null when nothing counts. Instants are RFC 3339 in UTC.
"""

from __future__ import annotations

import json
from datetime import datetime
from typing import Final

from policyengine.model.states import ComplianceState, azure_ratio, compliance_ratio
from policyengine.model.values import JSON
from policyengine.reports.report import (
    CauseEntry,
    ChangeEntry,
    ClusterEntry,
    Counts,
    Direction,
    ExemptionEntry,
    FindingEntry,
    InitiativeEntry,
    PolicyEntry,
    RemediationEntry,
    Report,
    ScopeNode,
    TrendPoint,
)
from policyengine.reports.summary import (
    AZURE_FORMULA,
    FORMULA,
    METHOD,
    STATE_ORDER,
    changes_towards,
    clusters_by_kind,
    counted,
    delta,
    initiative_states,
    moved_towards,
    ordered_clusters,
    ordered_findings,
    totals,
    with_not_applicable,
)
from policyengine.reports.words import AGES, iso

API_VERSION: Final = "policyengine/v1"
KIND: Final = "ComplianceReport"


def render(report: Report) -> str:
    """Indented text that ends in a line break; key order is fixed."""
    return json.dumps(to_document(report), indent=2, ensure_ascii=False) + "\n"


def to_document(report: Report) -> JSON:
    """The document `render` writes, as a value."""
    report = with_not_applicable(report)
    return {
        "apiVersion": API_VERSION,
        "kind": KIND,
        "metadata": {
            "title": report.title,
            "organisation": report.organisation,
            "generatedAt": iso(report.generated_at),
            "engineVersion": report.engine_version,
        },
        "scan": _scan(report),
        "inventory": _inventory(report),
        "summary": _summary(report),
        "trend": [_point(point) for point in report.trend],
        "changes": [_change(c) for way in Direction for c in changes_towards(report, way)],
        "policies": [_policy(policy) for policy in report.policies],
        "initiatives": [_initiative(initiative) for initiative in report.initiatives],
        "scopes": [_scope(node) for node in report.scopes],
        "clusters": [_cluster(cluster, report) for cluster in ordered_clusters(report.clusters)],
        "findings": [_finding(finding) for finding in ordered_findings(report)],
        "causes": [_cause(cause) for cause in report.causes],
        "named": _named(report),
        "remediations": [_remediation(entry) for entry in report.remediations],
        "exemptions": [_exemption(entry, report.generated_at) for entry in report.exemptions],
        "method": {"text": METHOD, "formula": FORMULA, "azureFormula": AZURE_FORMULA},
    }


def _scan(report: Report) -> JSON:
    scan = report.scan
    if scan is None:
        return None
    return {
        "id": scan.id,
        "started": iso(scan.started),
        "finished": iso(scan.finished),
        "complete": scan.complete,
        "unfinished": scan.unfinished,
    }


def _inventory(report: Report) -> JSON:
    inventory = report.inventory
    return {
        "source": inventory.source,
        "syncedAt": _maybe(inventory.synced_at),
        "clusters": report.fleet.clusters,
        "clustersByKind": dict(clusters_by_kind(report)),
        "incomplete": [{"scope": gap.scope, "reason": gap.reason} for gap in inventory.incomplete],
    }


def _summary(report: Report) -> JSON:
    moved = delta(report)
    return {
        **_figures(totals(report)),
        "previous": _point(report.previous) if report.previous else None,
        "delta": None if moved is None else round(moved, 6),
        "changes": {way.value: moved_towards(report, way) for way in Direction},
        "clusters": {
            "all": report.fleet.clusters,
            "failing": report.fleet.failing,
            "unreachable": report.fleet.unreachable,
        },
        "openSince": {name: n for (name, _), n in zip(AGES, report.ages, strict=False)},
        "oldest": _finding(report.oldest) if report.oldest else None,
    }


def _figures(counts: Counts) -> dict[str, JSON]:
    """Counts with both percentages, each out of what."""
    ours, azure = compliance_ratio(counts), azure_ratio(counts)
    beside = (ComplianceState.EXEMPT, ComplianceState.UNKNOWN)
    return {
        "counts": {state.value: counts.get(state, 0) for state in STATE_ORDER},
        "compliance": {
            "ratio": None if ours is None else round(ours, 6),
            "compliant": counts.get(ComplianceState.COMPLIANT, 0),
            "of": counted(counts),
        },
        "azure": {
            "ratio": None if azure is None else round(azure, 6),
            "compliant": counts.get(ComplianceState.COMPLIANT, 0) + sum(counts.get(state, 0) for state in beside),
            "of": counted(counts) + counts.get(ComplianceState.EXEMPT, 0),
        },
    }


def _point(point: TrendPoint) -> JSON:
    return {"at": iso(point.at), **_figures(point.counts)}


def _change(change: ChangeEntry) -> JSON:
    return {
        "cluster": change.cluster.text,
        "clusterName": change.cluster_name,
        "policy": change.policy,
        "old": change.old.value if change.old else None,
        "new": change.new.value,
        "at": iso(change.at),
        "direction": change.direction.value,
        "note": change.note,
    }


def _policy(policy: PolicyEntry) -> JSON:
    return {
        "key": policy.key,
        "displayName": policy.display_name,
        "assignment": policy.assignment,
        "initiative": policy.initiative,
        "severity": policy.severity,
        "effect": policy.effect,
        "owner": policy.owner,
        "runbook": policy.runbook,
        "version": policy.version,
        "digest": policy.digest,
        **_figures(policy.counts),
    }


def _initiative(entry: InitiativeEntry) -> JSON:
    return {"name": entry.name, "policies": entry.policies, "state": entry.state.value, **_figures(entry.counts)}


def _scope(node: ScopeNode) -> JSON:
    return {
        "id": node.id.text,
        "name": node.name,
        "kind": node.kind.value,
        "clusters": node.clusters,
        "state": node.state.value,
        **_figures(node.counts),
        "children": [_scope(child) for child in node.children],
    }


def _cluster(cluster: ClusterEntry, report: Report) -> JSON:
    return {
        "id": cluster.id.text,
        "name": cluster.name,
        "kind": cluster.kind,
        "subscription": cluster.subscription,
        "resourceGroup": cluster.resource_group,
        "location": cluster.location,
        "owner": cluster.owner,
        "unreachableReason": cluster.unreachable_reason,
        "lamps": {
            "declared": cluster.lamps.declared.value,
            "reconciled": cluster.lamps.reconciled.value,
            "reachable": cluster.lamps.reachable.value,
        },
        "states": {key: state.value for key, state in sorted(cluster.states.items())},
        "initiatives": {name: s.value for name, s in initiative_states(cluster, report.policies).items()},
    }


def _finding(finding: FindingEntry) -> JSON:
    return {
        "cluster": finding.cluster.text,
        "clusterName": finding.cluster_name,
        "policy": finding.policy,
        "state": finding.state.value,
        "severity": finding.severity,
        "owner": finding.owner,
        "since": iso(finding.since),
        "reason": finding.reason,
        "message": finding.message,
        "fix": finding.fix,
        "command": finding.command,
        "nextTry": finding.next_try,
    }


def _cause(cause: CauseEntry) -> JSON:
    return {
        "policy": cause.policy,
        "state": cause.state.value,
        "reason": cause.reason,
        "findings": cause.findings,
    }


def _named(report: Report) -> JSON:
    """How much of the fleet is listed here one by one; the streamed formats list all of it."""
    findings = sum(n for state, n in totals(report).items() if state.is_finding)
    changes = sum(moved_towards(report, way) for way in Direction)
    return {
        "clusters": {"listed": len(report.clusters), "of": report.fleet.clusters},
        "findings": {"listed": len(report.findings), "of": findings},
        "changes": {"listed": len(report.changes), "of": changes},
    }


def _remediation(entry: RemediationEntry) -> JSON:
    return {
        "plan": entry.plan_id,
        "at": iso(entry.at),
        "by": entry.by,
        "scope": entry.scope,
        "steps": dict(entry.steps),
        "failures": [{"cause": failure.cause, "clusters": list(failure.clusters)} for failure in entry.failures],
    }


def _exemption(entry: ExemptionEntry, at: datetime) -> JSON:
    return {
        "name": entry.name,
        "assignment": entry.assignment,
        "policyDefinitionReferenceIds": list(entry.reference_ids),
        "scopes": list(entry.scopes),
        "category": entry.category,
        "reason": entry.reason,
        "owner": entry.owner,
        "ticket": entry.ticket,
        "approvedBy": list(entry.approved_by),
        "expiresOn": _maybe(entry.expires_on),
        "daysLeft": entry.days_left(at),
        "covers": entry.covers,
        "stillNeeded": entry.still_needed,
    }


def _maybe(at: datetime | None) -> str | None:
    return None if at is None else iso(at)
