"""The two ways in which a definition is written down."""

from __future__ import annotations

from enum import StrEnum


class Form(StrEnum):
    AZURE = "azure"
    SHORT = "short"
