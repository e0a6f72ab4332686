"""What happens to a whole fleet at once: a version is published, a repository is another than it was."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Published:
    """A version of ``extension_type`` (folded) has reached some region at ``at``."""

    at: datetime
    extension_type: str


@dataclass(frozen=True, slots=True)
class Rescripted:
    """What the repository ``url`` holds, or whether it answers, changed at ``at``."""

    at: datetime
    url: str


News = Published | Rescripted
