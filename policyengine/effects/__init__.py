"""What a policy does about a cluster; the table EFFECTS names every effect of the language."""

from collections.abc import Mapping
from functools import partial
from typing import Final

from policyengine.effects import (
    append,
    audit,
    audit_if_not_exists,
    deny_action,
    deploy_if_not_exists,
    disabled,
    elsewhere,
    manual,
    modify,
)
from policyengine.effects.base import Factory
from policyengine.language.providers import PROVIDER_EFFECTS

EFFECTS: Final[Mapping[str, Factory]] = {
    "append": append.bind,
    "audit": audit.bind,
    "auditIfNotExists": audit_if_not_exists.bind,
    "deny": audit.bind_deny,
    "denyAction": deny_action.bind,
    "deployIfNotExists": deploy_if_not_exists.bind,
    "disabled": disabled.bind,
    "manual": manual.bind,
    "modify": modify.bind,
    **{name: partial(elsewhere.bind, name=name) for name in PROVIDER_EFFECTS},
}
"""Canonical name → how it is bound."""

__all__ = ["EFFECTS"]
