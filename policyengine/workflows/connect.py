"""Settings → an open store, a client for Resource Manager.

The client is imported only when one is wanted: most commands read the store and should answer at once.
"""

from __future__ import annotations

import os
import random
from threading import Lock
from typing import TYPE_CHECKING, Final

from policyengine.model.clouds import CLOUDS
from policyengine.store.store import Store
from policyengine.workflows.settings import ArmSettings, Budget, Settings

if TYPE_CHECKING:
    from policyengine.arm.client import ArmClient
    from policyengine.arm.credentials import Credential
    from policyengine.arm.throttle import Throttle

_READ: Final = ("POLICYENGINE_TOKEN", "AZURE_", "IDENTITY_", "IMDS_", "MSI_")
"""How the variables begin from which credentials are made."""

_throttles: dict[tuple[str, Budget], Throttle] = {}
_credentials: dict[tuple[ArmSettings, tuple[tuple[str, str], ...]], Credential] = {}
_one_of_each = Lock()


def open_store(settings: Settings) -> Store:
    return Store.open(settings.database)


def arm_client(settings: Settings) -> ArmClient:
    from policyengine.arm.client import ArmClient

    return ArmClient(
        settings.arm.endpoint,
        credential_of(settings.arm),
        jitter=random.random,
        throttle=_throttle(settings),
        register_providers=settings.arm.register_providers,
    )


def share_budget(settings: Settings, processes: int) -> None:
    """So many processes spend the budgets of these settings from now on."""
    _throttle(settings).divide(processes)


def _throttle(settings: Settings) -> Throttle:
    """One for the process: what runs side by side has one budget, whatever thread it is in."""
    from policyengine.arm.throttle import Throttle
    from policyengine.arm.timer import LoopTimer

    budget = settings.arm.budget
    key = (settings.arm.endpoint.rstrip("/").casefold(), budget)
    with _one_of_each:
        if key not in _throttles:
            _throttles[key] = Throttle(
                LoopTimer(),
                reads_per_second=budget.reads_per_second,
                writes_per_second=budget.writes_per_second,
                writes_at_once=budget.writes_at_once,
            )
        return _throttles[key]


def credential_of(settings: ArmSettings) -> Credential:
    """One for the process as long as settings and environment stay: what runs side by side signs in once."""
    from policyengine.arm.choice import Surroundings, choose

    cloud = CLOUDS[settings.cloud]
    host = os.environ.get("AZURE_AUTHORITY_HOST", "")
    named = host if not host or "://" in host else f"https://{host}"
    environ = {name: value for name, value in os.environ.items() if name.startswith(_READ)}
    key = (settings, tuple(sorted(environ.items())))
    with _one_of_each:
        if key not in _credentials:
            around = Surroundings(
                settings.authority or named or cloud.authority, settings.audience or cloud.audience, environ
            )
            _credentials.clear()
            _credentials[key] = choose(settings.credential, around)
        return _credentials[key]
