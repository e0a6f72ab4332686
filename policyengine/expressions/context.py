"""Where an expression stands, and what it may ask for there.

Nothing here knows policies or templates: `field()`, `parameters()`, `variables()` come in as plain callables.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import Enum

from policyengine.expressions.limits import Effort
from policyengine.model.values import JSON


class Where(Enum):
    """The two expression contexts. Source: policy language §6.4, "Two expression contexts"."""

    RULE = "a policy rule"
    TEMPLATE = "a deployment template"


@dataclass(frozen=True, slots=True)
class ExpressionContext:
    """What an expression can see.

    ``functions`` holds the functions only a place can answer (``parameters``, ``field``, ``variables`` …) under their
    folded names; each is called with evaluated arguments. ``at`` is what ``utcNow()`` gives: aware, UTC. ``effort`` is
    what the evaluation may still take.
    """

    functions: Mapping[str, Callable[..., JSON]]
    at: datetime
    where: Where = Where.RULE
    effort: Effort = field(default_factory=Effort, compare=False)
