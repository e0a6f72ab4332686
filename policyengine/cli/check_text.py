"""What policies would do to a request, for people and for programs."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from rich.text import Text

from policyengine.cli.plan_table import change_text
from policyengine.cli.tables import Heading, Row, Table
from policyengine.compliance.admission import Act, Answer, Ruling
from policyengine.evaluation import mask
from policyengine.model.values import JSON
from policyengine.workflows.check import CheckedRequest

_ANSWERS: Final = {Answer.ALLOWED: ("✔", "blue"), Answer.CHANGED: ("~", "yellow"), Answer.DENIED: ("✘", "red")}
_ACTS: Final = {Act.CHANGES: "yellow", Act.DENIES: "red", Act.AUDITS: "dim", Act.YIELDS: "dim"}


def check_lines(checked: CheckedRequest) -> Iterator[Text | Table]:
    admission = checked.admission
    sign, style = _ANSWERS[admission.answer]
    yield Text.assemble((f"{sign} {admission.answer.value}", f"bold {style}"), f"  {admission.resource.id}")
    if not admission.rulings:
        yield Text("No assigned policy has anything to say.")
        return
    yield Text("")
    rows = [Row([Text(r.policy), Text(r.effect), Text(r.act.value, _ACTS[r.act])], _said(r)) for r in admission.rulings]
    yield Table([Heading("policy"), Heading("effect"), Heading("does")], rows, prose="what")
    if checked.changes:
        yield Text("\nThe request would become:")
        yield from (Text("  ") + change_text(change) for change in checked.changes)


def _said(ruling: Ruling) -> Text:
    return Text.assemble(ruling.words, (f" · {ruling.message}", "italic") if ruling.message else "")


def check_document(checked: CheckedRequest) -> dict[str, JSON]:
    admission = checked.admission
    return {
        "id": admission.resource.id.text,
        "answer": admission.answer.value,
        "policies": [
            {"policy": r.policy, "effect": r.effect, "act": r.act.value, "reason": r.words, "message": r.message}
            for r in admission.rulings
        ],
        "changes": [{"path": c.path, "old": c.old, "new": c.new} for c in checked.changes],
        "resource": mask(admission.resource.document),
    }
