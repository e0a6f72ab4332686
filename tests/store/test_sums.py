"""Sums kept by differences, on both databases."""

from __future__ import annotations

from collections.abc import Callable

from sqlalchemy import select
from sqlmodel import col

from policyengine.store.database import Database
from policyengine.store.store import Store
from policyengine.store.sums import Sums
from policyengine.store.tables import GroupTotalRow

GROUPS = Sums("group_total", {"subscription": "text", "resource_group": "text", "state": "text"})


def test_cells_that_come_down_to_nothing_go_and_no_others(new_url: Callable[[], str]) -> None:
    url = new_url()
    Store.open(url).close()
    database = Database(url)
    with database.write() as session:
        GROUPS.add(session, [("edge", "labs", "Compliant", 2), ("edge", "stores", "Compliant", 2)])
        GROUPS.add(session, [("edge", "labs", "Compliant", -2), ("edge", "stores", "Compliant", -1)])
    with database.read() as session:
        rows = session.execute(select(col(GroupTotalRow.resource_group), col(GroupTotalRow.n))).all()
    database.close()
    assert [tuple(row) for row in rows] == [("stores", 1)]
