"""Registering a resource provider with a subscription, where that was agreed to. Pure.

Source: configuration API §5 (MissingSubscriptionRegistration) and §10; Azure Resource Manager, resource providers.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from policyengine.errors import ArmError
from policyengine.model.values import JSON, walk

REGISTRATION: Final = "2021-04-01"
POLL_S: Final = 10.0
LONGEST_S: Final = 600.0
"""How long a registration is waited for; it usually takes a minute or two."""

_CODE: Final = "missingsubscriptionregistration"
_QUOTED: Final = re.compile(r"'([^']+)'")
_SUBSCRIPTION: Final = re.compile(r"/subscriptions/([^/?]+)", re.IGNORECASE)
_NAMESPACE: Final = re.compile(r"[A-Za-z][A-Za-z0-9]*(\.[A-Za-z0-9]+)+")


@dataclass(frozen=True, slots=True)
class Registration:
    """A provider that a subscription lacks."""

    subscription: str
    namespace: str

    @property
    def path(self) -> str:
        return f"/subscriptions/{self.subscription}/providers/{self.namespace}"

    @property
    def command(self) -> str:
        return f"az provider register --namespace {self.namespace} --subscription {self.subscription}"


def missing_in(code: str | None, message: str, path: str) -> Registration | None:
    """What a refusal says is not registered; None when it says no such thing.

    The namespace is the last quoted word; only what looks like one is believed.
    """
    subscription = _SUBSCRIPTION.search(path)
    if (code or "").casefold() != _CODE or subscription is None:
        return None
    names = [name for name in _QUOTED.findall(message) if _NAMESPACE.fullmatch(name)]
    return Registration(subscription[1], names[-1] if names else "Microsoft.KubernetesConfiguration")


def missing_registration(error: ArmError) -> Registration | None:
    return missing_in(error.code, error.message, error.url)


def is_registered(provider: JSON) -> bool:
    return str(walk(provider, "registrationState") or "").casefold() == "registered"
