"""What the control API is asked, and what answers it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from policyengine.emulator.emulator import Emulator
from policyengine.model.values import JSON


@dataclass(frozen=True, slots=True)
class ControlRequest:
    """``rest`` is the path below the noun."""

    method: str
    rest: tuple[str, ...]
    query: Mapping[str, str]
    body: Mapping[str, JSON]


ControlHandler: TypeAlias = Callable[[Emulator, ControlRequest], JSON]
