"""What is remembered: the inventory, the state of every pair, plans and their progress, on SQLite or PostgreSQL.

The names are resolved when they are first asked for: a process that only judges needs little of it, and is waited for.
"""

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from policyengine.store.records import Change, PairVerdict, PolicyRecord, RollupRow, ScanRecord, SyncRecord
    from policyengine.store.store import Store

__all__ = ["Change", "PairVerdict", "PolicyRecord", "RollupRow", "ScanRecord", "Store", "SyncRecord"]


def __getattr__(name: str) -> Any:
    if name in __all__:
        from importlib import import_module

        home = "policyengine.store.store" if name == "Store" else "policyengine.store.records"
        return getattr(import_module(home), name)
    raise AttributeError(f"module `policyengine.store` has no attribute `{name}`")
