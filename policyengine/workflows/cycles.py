"""When Python looks for cycles among objects: seldom while clusters are judged, for hardly any are made.

Source: performance, "Pitfalls" 5.
"""

from __future__ import annotations

import gc
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

YOUNG: Final = 100_000
"""Objects made between two looks while clusters are judged: as much as some of them take in full."""


@contextmanager
def settled() -> Iterator[None]:
    """What is there already is not searched for cycles, nor before: it is much, and stays."""
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def rare_collection() -> Iterator[None]:
    """Documents hold no cycles, and looking for some among many takes long; the subjects of conditions do hold some."""
    young, *older = gc.get_threshold()
    gc.set_threshold(max(young, YOUNG), *older)
    try:
        yield
    finally:
        gc.set_threshold(young, *older)
