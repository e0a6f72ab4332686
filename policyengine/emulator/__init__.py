"""A Resource Manager of our own: clusters, extensions and Flux configurations over HTTP, driven by a settable clock."""

from __future__ import annotations

from policyengine.emulator.app import create_app
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.server import RunningEmulator, serve
from policyengine.emulator.settings import Settings

__all__ = ["Emulator", "RunningEmulator", "Settings", "create_app", "serve"]
