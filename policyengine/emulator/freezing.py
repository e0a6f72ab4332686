"""Everything the emulator remembers as bytes, pending events included, and back.

What stands for the outside world (the emulator itself, the wall clock) is an anchor: named in the bytes, never in them.
Only our own classes and plain containers are thawed. The bytes hold secrets and are good for one version of the
program: keeping them is the callers' affair.
"""

from __future__ import annotations

import io
import pickle
import threading
from collections.abc import Mapping
from types import FunctionType
from typing import Any, Final

from policyengine.emulator.local_functions import is_local, reduced

_LOCK: Final = type(threading.Lock())
_ROOMS: Final = (
    "policyengine.emulator.",
    "policyengine.model.",
    "policyengine.templates.",
    "policyengine.expressions.",
)
_PLAIN: Final = frozenset(
    {
        ("_thread", "allocate_lock"),
        ("builtins", "getattr"),
        ("builtins", "frozenset"),
        ("builtins", "set"),
        ("collections", "OrderedDict"),
        ("collections", "deque"),
        ("datetime", "datetime"),
        ("datetime", "timedelta"),
        ("datetime", "timezone"),
        ("functools", "partial"),
        ("random", "Random"),
    }
)


class Unthawable(Exception):
    """The bytes are of another version of the program, or no such bytes at all."""


def freeze(value: object, anchors: Mapping[str, object]) -> bytes:
    buffer = io.BytesIO()
    _Freezer(buffer, anchors).dump(value)
    return buffer.getvalue()


def thaw(content: bytes, anchors: Mapping[str, object]) -> object:
    """Raises Unthawable."""
    try:
        return _Thawer(io.BytesIO(content), anchors).load()
    except (pickle.UnpicklingError, AttributeError, ImportError, TypeError, EOFError, LookupError) as error:
        raise Unthawable(str(error)) from error


def _anchored(name: str) -> object:
    """What stands in the bytes for an anchor; whoever thaws them puts its own in this place."""
    raise Unthawable(f"`{name}` is no part of what was frozen")


class _Freezer(pickle.Pickler):
    def __init__(self, buffer: io.BytesIO, anchors: Mapping[str, object]) -> None:
        super().__init__(buffer, protocol=5)
        self._names = {id(anchor): name for name, anchor in anchors.items()}

    def reducer_override(self, obj: object) -> Any:
        # Not `persistent_id`, which is asked for every text and number as well.
        name = self._names.get(id(obj))
        if name is not None:
            return _anchored, (name,)
        if isinstance(obj, FunctionType) and is_local(obj):
            return reduced(obj)
        # A lock is never held here, for whoever freezes holds the emulator's own.
        return (threading.Lock, ()) if isinstance(obj, _LOCK) else NotImplemented


class _Thawer(pickle.Unpickler):
    def __init__(self, buffer: io.BytesIO, anchors: Mapping[str, object]) -> None:
        super().__init__(buffer)
        self._anchors = anchors

    def find_class(self, module: str, name: str) -> object:
        if (module, name) == (__name__, _anchored.__name__):
            return self._anchors.__getitem__
        if (module, name) not in _PLAIN and not module.startswith(_ROOMS):
            raise pickle.UnpicklingError(f"`{module}.{name}` has no business there")
        return super().find_class(module, name)
