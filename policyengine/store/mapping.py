"""Row ⇄ value: the only module that knows both shapes."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import asdict
from datetime import datetime
from typing import Any

from policyengine.evaluation.masking import may_hold_secrets
from policyengine.language.shape import respelled
from policyengine.model.cluster_text import to_text, to_texts
from policyengine.model.fleet import ScopeFailure
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster, ResourceWrite
from policyengine.model.scope import ManagementGroup, ResourceGroup, Subscription
from policyengine.model.states import ComplianceState, Reason
from policyengine.remediation.steps import FieldChange, Plan, Preflight, Step, StepOutcome, StepState, Unmended
from policyengine.store.records import PolicyRecord, ScanRecord, SyncRecord
from policyengine.store.tables import (
    AssignmentRow,
    ManagementGroupRow,
    PlanRow,
    ResourceGroupRow,
    ScanRow,
    StepRow,
    SubscriptionRow,
    SyncRow,
)

UNSTATED = Reason("unstated", "")
"""Stands for the reason of a finding that was given none."""


def storable(message: str) -> str:
    """The text without what no database takes: NUL characters and halves of surrogate pairs."""
    if message.isascii() and "\x00" not in message:
        return message
    return message.replace("\x00", "\ufffd").encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def storable_reason(reason: Reason | None) -> Reason:
    if reason is None:
        return UNSTATED
    return Reason(storable(reason.code), storable(reason.message))


def cluster_columns(cluster: Cluster) -> dict[str, Any]:
    """ClusterRow's columns, save the two numbers."""
    id = cluster.id
    document, children = to_texts(respelled(cluster))
    return {
        "key": id.key,
        "id": id.text,
        "name": cluster.name.casefold(),
        "subscription": (id.subscription or "").casefold(),
        "resource_group": (id.resource_group or "").casefold(),
        "location": cluster.resource.location,
        "type": cluster.resource.type,
        "document": document,
        "children": children,
        "content_hash": cluster.content_hash,
        "secretive": may_hold_secrets(document, children),
        "unreachable": cluster.unreachable_reason or "",
    }


def management_group_row(group: ManagementGroup) -> ManagementGroupRow:
    return ManagementGroupRow(
        key=group.name.casefold(), name=group.name, display_name=group.display_name, parent=group.parent
    )


def subscription_row(subscription: Subscription) -> SubscriptionRow:
    return SubscriptionRow(
        key=subscription.subscription_id.casefold(),
        subscription_id=subscription.subscription_id,
        display_name=subscription.display_name,
        management_group=subscription.management_group,
        tenant_id=subscription.tenant_id,
        tags=to_text(subscription.tags),
    )


def subscription_value(
    id: str, display_name: str, management_group: str | None, tenant_id: str | None, tags: str
) -> Subscription:
    return Subscription(id, display_name, management_group, tenant_id, json.loads(tags))


def resource_group_row(group: ResourceGroup) -> ResourceGroupRow:
    return ResourceGroupRow(key=group.id.key, id=group.id.text, location=group.location, tags=to_text(group.tags))


def resource_group_value(id: str, location: str, tags: str) -> ResourceGroup:
    return ResourceGroup(ResourceId(id), location, json.loads(tags))


def sync_value(row: SyncRow) -> SyncRecord:
    failures = tuple(ScopeFailure(ResourceId(scope), reason) for scope, reason in json.loads(row.failures))
    return SyncRecord(row.at, row.source, row.complete, row.clusters, row.seq, failures)


def assignment_columns(policy: PolicyRecord, position: int) -> dict[str, Any]:
    """AssignmentRow's columns, save number and retired."""
    return {**asdict(policy), "position": position}


def policy_value(row: AssignmentRow) -> PolicyRecord:
    return PolicyRecord(
        key=row.key,
        digest=row.digest,
        assignment=row.assignment,
        reference_id=row.reference_id,
        definition=row.definition,
        display_name=row.display_name,
        severity=row.severity,
        effect=row.effect,
        owner=row.owner,
        runbook=row.runbook,
        initiative=row.initiative,
        message=row.message,
    )


def scan_id(number: int) -> str:
    """``s-000042``: short, and sorted as text in the order of time for the first million."""
    return f"s-{number:06d}"


def scan_number(id: str) -> int:
    """The number of which that is the id."""
    return int(id.partition("-")[2])


def scan_value(row: ScanRow, counts: Mapping[ComplianceState, int]) -> ScanRecord:
    return ScanRecord(
        id=scan_id(row.number),
        started=row.started,
        finished=row.finished,
        complete=row.complete,
        trigger=row.trigger,
        changed=row.changed,
        clusters=row.clusters,
        policies=row.policies,
        counts=counts,
        inventory_seq=row.inventory_seq,
        evaluated=row.evaluated,
    )


def plan_row(plan: Plan) -> PlanRow:
    document = {
        "createdAt": plan.created_at.isoformat(),
        "unenforced": plan.unenforced,
        "unmended": [[u.cluster.text, u.policy, u.reason] for u in plan.unmended],
    }
    return PlanRow(id=plan.id, hash=plan.hash, created=plan.created_at, scope=plan.scope, document=to_text(document))


def plan_value(row: PlanRow, steps: list[StepRow]) -> Plan:
    document = json.loads(row.document)
    return Plan(
        created_at=datetime.fromisoformat(document["createdAt"]),
        steps=tuple(step_value(step) for step in steps),
        unmended=tuple(Unmended(ResourceId(id), policy, reason) for id, policy, reason in document["unmended"]),
        scope=row.scope,
        unenforced=document["unenforced"],
    )


def step_row(plan: int, position: int, step: Step) -> StepRow:
    write = step.write
    document = {
        "policies": step.policies,
        "write": {
            "method": write.method,
            "apiVersion": write.api_version,
            "body": write.body,
            "dependsOn": [id.text for id in write.depends_on],
        },
        "before": step.before,
        "changes": [[change.path, change.old, change.new] for change in step.changes],
        "preflight": step.preflight.value,
        "reason": step.reason,
        "afterSteps": step.after_steps,
    }
    return StepRow(
        plan=plan,
        position=position,
        id=step.id,
        cluster=step.cluster.text,
        target=write.id.text,
        document=to_text(document),
        state=StepState.PLANNED.value,
    )


def step_value(row: StepRow) -> Step:
    document = json.loads(row.document)
    write = document["write"]
    return Step(
        id=row.id,
        cluster=ResourceId(row.cluster),
        policies=tuple(document["policies"]),
        write=ResourceWrite(
            ResourceId(row.target),
            write["apiVersion"],
            write["body"],
            write["method"],
            tuple(ResourceId(id) for id in write["dependsOn"]),
        ),
        before=document["before"],
        changes=tuple(FieldChange(path, old, new) for path, old, new in document["changes"]),
        preflight=Preflight(document["preflight"]),
        reason=document["reason"],
        after_steps=tuple(document["afterSteps"]),
    )


def outcome_value(row: StepRow) -> StepOutcome | None:
    """None for a step of which nothing has been recorded."""
    if row.at is None:
        return None
    return StepOutcome(row.id, StepState(row.state), row.at, row.message, row.operation_url, row.attempts)
