"""Settings → an open store, a client for Resource Manager.

The client is imported only when one is wanted: most commands read the store and should answer at once.
"""

from __future__ import annotations

import os
import random
from threading import Lock
from typing import TYPE_CHECKING

from policyengine.errors import ArmNotAuthorized, ConfigError
from policyengine.store.store import Store
from policyengine.workflows.settings import Settings

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient
    from policyengine.arm.credentials import Credential
    from policyengine.arm.throttle import Throttle

TOKEN_VARIABLE = "POLICYENGINE_TOKEN"

_throttles: dict[tuple[str, float, float], Throttle] = {}
_one_throttle = Lock()


def open_store(settings: Settings) -> Store:
    return Store.open(settings.database)


def arm_client(settings: Settings) -> ArmClient:
    from policyengine.arm.client import ArmClient

    budget = settings.arm.budget
    return ArmClient(
        settings.arm.endpoint,
        _credential(settings.arm.credential, settings.arm.endpoint),
        writes_per_second=budget.writes_per_second,
        reads_per_second=budget.reads_per_second,
        jitter=random.random,
        throttle=_throttle(settings),
    )


def _throttle(settings: Settings) -> Throttle:
    """One for the process: what runs side by side has one budget, whatever thread it is in."""
    from policyengine.arm.throttle import Throttle
    from policyengine.arm.timer import LoopTimer

    budget = settings.arm.budget
    key = (settings.arm.endpoint.rstrip("/").casefold(), budget.reads_per_second, budget.writes_per_second)
    with _one_throttle:
        if key not in _throttles:
            _throttles[key] = Throttle(LoopTimer(), reads_per_second=key[1], writes_per_second=key[2])
        return _throttles[key]


def _credential(kind: str, endpoint: str) -> Credential:
    from policyengine.arm.credentials import EmulatorCredential, StaticToken

    if kind == "emulator":
        return EmulatorCredential()
    if kind != "token":
        raise ConfigError(
            f"`arm.credential` is `{kind}`, which this release does not know",
            help=f"use `token` (with a bearer token in {TOKEN_VARIABLE}) or `emulator`",
        )
    token = os.environ.get(TOKEN_VARIABLE)
    if not token:
        raise ArmNotAuthorized(
            f"there is no token to sign in with: {TOKEN_VARIABLE} is not set",
            method="GET",
            url=endpoint,
            help=f"for example: export {TOKEN_VARIABLE}=$(az account get-access-token --query accessToken -o tsv)",
        )
    return StaticToken(token)
