"""What is remembered: the inventory, the state of every pair, plans and their progress, on SQLite or PostgreSQL."""

from policyengine.store.records import Change, PairVerdict, PolicyRecord, RollupRow, ScanRecord, SyncRecord
from policyengine.store.store import Store

__all__ = ["Change", "PairVerdict", "PolicyRecord", "RollupRow", "ScanRecord", "Store", "SyncRecord"]
