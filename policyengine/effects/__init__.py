"""What a policy does about a cluster; the table EFFECTS names every effect this release acts on."""

from collections.abc import Mapping
from typing import Final

from policyengine.effects import audit, audit_if_not_exists, deploy_if_not_exists, disabled
from policyengine.effects.base import Factory

EFFECTS: Final[Mapping[str, Factory]] = {
    "audit": audit.bind,
    "auditIfNotExists": audit_if_not_exists.bind,
    "deployIfNotExists": deploy_if_not_exists.bind,
    "disabled": disabled.bind,
}
"""Canonical name → how it is bound."""

__all__ = ["EFFECTS"]
