"""Everything judged once more says what is stored, or tells where it does not."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from sqlalchemy import text

from policyengine.errors import UsageError
from policyengine.store.database import Database
from policyengine.workflows.sync import unwatched
from policyengine.workflows.verify import Difference, Verified, verify

if TYPE_CHECKING:
    from tests.workflows.conftest import Project


@pytest.fixture
def fleet(project: Project, flux: Any) -> Project:
    for n in range(6):
        project.put(f"edge-{n}", extensions=flux if n % 2 else None)
    return project


def verified(project: Project) -> Verified:
    return asyncio.run(verify(project.settings, project.store, project.clock, on_scan=unwatched))


def write(project: Project, statement: str) -> None:
    database = Database(project.settings.database)
    with database.write() as session:
        session.execute(text(statement))
    database.close()


def test_it_finds_no_difference_after_a_scan(fleet: Project) -> None:
    fleet.scan()

    assert verified(fleet) == Verified(pairs=6, due=0, differences=0, shown=())


def test_it_tells_a_state_that_somebody_changed(fleet: Project) -> None:
    fleet.scan()
    write(fleet, "UPDATE state_block SET states = x'020202020202'")

    found = verified(fleet)

    assert (found.differences, len(found.shown)) == (3, 3)
    assert found.shown[0] == Difference("edge", str(fleet.documents["edge-1"][0]["id"]), "Compliant")


def test_it_tells_a_reason_that_is_another_one(fleet: Project) -> None:
    fleet.scan()
    write(fleet, "UPDATE reason SET message = 'because'")

    assert verified(fleet).differences == 3


def test_it_leaves_out_what_the_next_scan_judges_anyway(fleet: Project, flux: Any) -> None:
    fleet.scan()
    fleet.write("policies/flux.yaml", (fleet.folder / "policies/flux.yaml").read_text().replace("Stable", "Preview"))

    assert verified(fleet) == Verified(pairs=0, due=6, differences=0, shown=())


def test_a_policy_that_no_scan_knows_is_left_out(fleet: Project) -> None:
    fleet.scan()
    written = (fleet.folder / "policies/flux.yaml").read_text().partition("---")[2]
    fleet.write("policies/new.yaml", written.replace("name: edge", "name: another"))

    assert verified(fleet) == Verified(pairs=6, due=0, differences=0, shown=())


def test_it_writes_nothing(fleet: Project) -> None:
    fleet.scan()
    write(fleet, "UPDATE state_block SET states = x'020202020202'")
    verified(fleet)

    assert verified(fleet).differences == 3
    assert len(fleet.store.scans()) == 1


def test_there_must_be_something_to_compare_with(fleet: Project) -> None:
    with pytest.raises(UsageError, match="nothing has been scanned yet"):
        verified(fleet)
