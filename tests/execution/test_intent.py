from __future__ import annotations

from typing import Any

import pytest

from policyengine.execution.intent import Fate, fate, note
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS, ResourceWrite
from policyengine.remediation.diff import writable_fingerprint
from policyengine.remediation.steps import Step

CLUSTER = ResourceId(f"/subscriptions/s/resourceGroups/g/providers/{ARC}/c")
FLUX = CLUSTER.extension(EXTENSIONS, "flux")
SECRET = {"configurationProtectedSettings": {"key": {"secretRef": {"env": "TOKEN"}}}}


def live(state: str = "Succeeded", *, train: str = "Stable", changed: str | None = None) -> dict[str, Any]:
    document: dict[str, Any] = {
        "id": FLUX.text,
        "properties": {"extensionType": "microsoft.flux", "releaseTrain": train, "provisioningState": state},
    }
    return document | ({"systemData": {"lastModifiedAt": changed}} if changed else {})


def step(before: dict[str, Any] | None, **properties: Any) -> Step:
    body = {"properties": {"extensionType": "microsoft.flux", "releaseTrain": "Stable", **properties}}
    return Step(
        "s001", CLUSTER, (), ResourceWrite(FLUX, "2024-11-01", body), writable_fingerprint(before, EXTENSIONS), ()
    )


def test_a_creation_that_is_not_there_was_not_applied() -> None:
    assert fate(step(None), None, note(None)) is Fate.NOT_APPLIED


@pytest.mark.parametrize("state", ["Creating", "Succeeded", "Failed"])
def test_a_creation_that_is_there_was_applied_whatever_came_of_it(state: str) -> None:
    assert fate(step(None), live(state), note(None)) is Fate.APPLIED


def test_an_update_is_told_by_what_the_object_holds() -> None:
    update = step(live(train="Preview"))

    assert fate(update, live(train="Preview"), "") is Fate.NOT_APPLIED
    assert fate(update, live(train="Stable"), "") is Fate.APPLIED
    assert fate(update, live(train="Nightly"), "") is Fate.OVERTAKEN
    assert fate(update, None, "") is Fate.OVERTAKEN


class TestARepairWithTheSameFields:
    """The object failed before; the same body is written again, so its content tells nothing."""

    before = live("Failed", changed="2026-11-22T20:00:00Z")
    noted = note(before)

    def test_under_way_it_was_applied(self) -> None:
        assert fate(step(self.before), live("Updating", changed="2026-11-22T20:00:00Z"), self.noted) is Fate.APPLIED

    def test_untouched_it_was_not(self) -> None:
        assert fate(step(self.before), self.before, self.noted) is Fate.NOT_APPLIED

    def test_failed_again_it_was(self) -> None:
        assert fate(step(self.before), live("Failed", changed="2026-11-22T20:05:00Z"), self.noted) is Fate.APPLIED

    def test_without_a_record_of_changes_only_success_tells(self) -> None:
        assert fate(step(live("Failed")), live("Succeeded"), note(live("Failed"))) is Fate.APPLIED
        assert fate(step(live("Failed")), live("Failed"), note(live("Failed"))) is Fate.NOT_APPLIED


def test_a_new_secret_shows_only_in_the_record_of_changes() -> None:
    """Losing a secret is worse than writing it twice."""
    before = live(changed="2026-11-22T20:00:00Z")
    rotation = step(before, **SECRET)

    assert fate(rotation, before, note(before)) is Fate.NOT_APPLIED
    assert fate(rotation, live(changed="2026-11-22T20:09:00Z"), note(before)) is Fate.APPLIED
    assert fate(step(live(), **SECRET), live(), note(live())) is Fate.NOT_APPLIED
