"""Where clusters come from: `read` any of SOURCES, then `reconcile` with what is known."""

from policyengine.inventory.reconcile import Changes, reconcile
from policyengine.inventory.sources import SOURCES, read

__all__ = ["SOURCES", "Changes", "read", "reconcile"]
