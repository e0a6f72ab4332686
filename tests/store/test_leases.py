"""One process carries out a plan, and one plan at a time writes to an object."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from policyengine.errors import RemediationError, StoreError
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ResourceWrite
from policyengine.remediation.steps import Plan, Step, StepOutcome, StepState
from policyengine.store.owners import Owner, _started
from policyengine.store.store import Store

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)
CLUSTER = ResourceId("/subscriptions/edge/resourceGroups/stores/providers/Microsoft.Kubernetes/connectedClusters/e-1")
FLUX = CLUSTER.extension("Microsoft.KubernetesConfiguration/extensions", "flux")
ELSEWHERE = Owner("other-host", "0123", 7, "1", "a").text
ME = Owner.new().text


@pytest.fixture
def plan(store: Store) -> Callable[..., Plan]:
    def plan(hours: int = 0, target: ResourceId = FLUX) -> Plan:
        write = ResourceWrite(target, "2024-11-01", {"properties": {"extensionType": "microsoft.flux"}})
        made = Plan(NOW + timedelta(hours=hours), (Step("s001", CLUSTER, ("p",), write, None, ()),))
        store.save_plan(made)
        store.start_remediation(made.id, NOW, "anna")
        return made

    return plan


@pytest.fixture
def process() -> Iterator[subprocess.Popen[bytes]]:
    process = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"])
    yield process
    process.kill()
    process.wait()


def owner_of(process: subprocess.Popen[bytes]) -> str:
    return replace(Owner.new(), pid=process.pid, started=_started(process.pid) or "").text


def outcome(state: StepState, at: datetime = NOW) -> StepOutcome:
    return StepOutcome("s001", state, at)


def test_an_owner_is_read_back_and_told_from_every_other() -> None:
    one = Owner.new()

    assert Owner.parse(one.text) == one
    assert one != Owner.new()
    assert Owner.parse("another release") is None
    assert str(one) == f"process {os.getpid()} on {one.host}"


def test_a_plan_is_leased_once(store: Store, plan: Callable[..., Plan]) -> None:
    id = plan().id
    store.take_lease(id, ELSEWHERE, NOW)
    store.take_lease(id, ELSEWHERE, NOW)

    with pytest.raises(RemediationError, match="is being carried out by process 7 on other-host"):
        store.take_lease(id, ME, NOW)
    assert store.leased_plans(NOW) == {id}

    store.release_lease(id, ME)
    assert store.leased_plans(NOW) == {id}, "it is not mine to release"
    store.release_lease(id, ELSEWHERE)
    assert store.leased_plans(NOW) == set()
    store.take_lease(id, ME, NOW)


def test_a_lease_that_ran_out_elsewhere_is_free_and_its_owner_is_told(store: Store, plan: Callable[..., Plan]) -> None:
    id = plan().id
    store.take_lease(id, ELSEWHERE, NOW, seconds=0)
    store.take_lease(id, ME, NOW)

    with pytest.raises(StoreError, match="another process took plan"):
        store.renew_lease(id, ELSEWHERE, NOW)
    with pytest.raises(StoreError, match="another process took plan"):
        store.record_outcome(id, outcome(StepState.INTENT), owner=ELSEWHERE)
    assert store.progress(id) == {}
    store.record_outcome(id, outcome(StepState.INTENT), owner=ME)


def test_renewing_keeps_it(store: Store, plan: Callable[..., Plan]) -> None:
    id = plan().id
    store.take_lease(id, ELSEWHERE, NOW, seconds=0)
    store.renew_lease(id, ELSEWHERE, NOW, seconds=60)

    with pytest.raises(RemediationError):
        store.take_lease(id, ME, NOW)


@pytest.mark.skipif(not os.path.exists("/proc/self/stat"), reason="tells processes apart by /proc")  # noqa: PTH110
def test_a_killed_process_of_this_machine_holds_nothing(
    store: Store, plan: Callable[..., Plan], process: subprocess.Popen[bytes]
) -> None:
    id = plan().id
    store.take_lease(id, owner_of(process), NOW, seconds=3600)
    with pytest.raises(RemediationError, match=f"process {process.pid} on"):
        store.take_lease(id, ME, NOW)

    process.send_signal(signal.SIGKILL)
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)  # dead, and not yet buried
    store.take_lease(id, ME, NOW)


def test_a_stopped_process_of_this_machine_still_holds_what_ran_out(
    store: Store, plan: Callable[..., Plan], process: subprocess.Popen[bytes]
) -> None:
    """It may go on at any moment, in the middle of a request."""
    id = plan().id
    process.send_signal(signal.SIGSTOP)
    store.take_lease(id, owner_of(process), NOW, seconds=0)

    with pytest.raises(RemediationError):
        store.take_lease(id, ME, NOW)


def test_another_process_with_the_same_number_holds_nothing(
    store: Store, plan: Callable[..., Plan], process: subprocess.Popen[bytes]
) -> None:
    id = plan().id
    before = replace(Owner.new(), pid=process.pid, started="1")
    store.take_lease(id, before.text, NOW, seconds=3600)

    store.take_lease(id, ME, NOW)


@pytest.mark.parametrize("state", [StepState.INTENT, StepState.ACCEPTED])
def test_an_object_that_one_plan_writes_to_is_no_other_plans(
    store: Store, plan: Callable[..., Plan], state: StepState
) -> None:
    one, other = plan(), plan(hours=1, target=ResourceId(FLUX.text.upper()))
    store.take_lease(one.id, ELSEWHERE, NOW)
    for reached in (StepState.INTENT, StepState.ACCEPTED)[: 1 + (state is StepState.ACCEPTED)]:
        assert not store.record_outcome(one.id, outcome(reached))

    with pytest.raises(RemediationError, match=f"plan {one.id} is writing to the same object now"):
        store.record_outcome(other.id, outcome(StepState.INTENT))
    assert store.progress(other.id) == {}

    store.release_lease(one.id, ELSEWHERE)
    assert store.record_outcome(other.id, outcome(StepState.INTENT)), "to be looked at once more"


def test_what_another_plan_wrote_meanwhile_is_told(store: Store, plan: Callable[..., Plan]) -> None:
    mine, other, old, elsewhere = plan(), plan(hours=1), plan(hours=2), plan(hours=3, target=CLUSTER)
    for one, finished in ((old, NOW - timedelta(days=1)), (elsewhere, NOW)):
        store.record_outcome(one.id, outcome(StepState.SUCCEEDED))
        store.finish_remediation(one.id, finished)
    assert not store.record_outcome(mine.id, outcome(StepState.INTENT))
    store.record_outcome(mine.id, outcome(StepState.PLANNED))

    store.record_outcome(other.id, outcome(StepState.INTENT))
    store.record_outcome(other.id, outcome(StepState.FAILED))
    store.finish_remediation(other.id, NOW)
    assert store.record_outcome(mine.id, outcome(StepState.INTENT))


def test_processes_that_carry_out_plans_are_counted_once_each(store: Store, plan: Callable[..., Plan]) -> None:
    assert store.writing_processes(NOW) == 0
    for hours, owner in enumerate((ME, Owner.new().text, ELSEWHERE, "of another release")):
        store.take_lease(plan(hours).id, owner, NOW)

    assert store.writing_processes(NOW) == 3
