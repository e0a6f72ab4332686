"""Where clusters come from: `open_source` any of SOURCES, then `reconcile` each batch with what is known."""

from policyengine.inventory.reading import Reading
from policyengine.inventory.reconcile import Changes, reconcile
from policyengine.inventory.sources import SOURCES, open_source, read

__all__ = ["SOURCES", "Changes", "Reading", "open_source", "read", "reconcile"]
