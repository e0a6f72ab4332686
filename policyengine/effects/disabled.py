"""disabled: no evaluation and no record. Source: policy language §6."""

from __future__ import annotations

from policyengine.language.documents import PolicyDefinition


def bind(definition: PolicyDefinition) -> None:
    """Nothing to evaluate, whatever else the policy says."""
