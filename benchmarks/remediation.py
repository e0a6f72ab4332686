"""Claim: the service's budget is the limit, not us; and without a budget, ours is at least half of the bare transport.

1. Fifty subscriptions, the emulator's buckets enforced as Azure's are, the client's set to the same (200 at once, then
   10 a second): writes that went out ÷ writes the buckets allow in that time. Client and emulator share one process
   and one clock that jumps from one event to the next, so twenty minutes of waiting take none; nothing is refused.
2. The same plan carried out whole, for the number of reads behind each write.
3. No budget, a real server in a process of its own: writes a second of the client ÷ those of a bare loop over its
   transport. Prints ratios, the machine and the seed.

    python -m benchmarks.remediation [--writes 500] [--steps 20] [--requests 4000] [--parallel 100] [--rounds 5]
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import os
import platform
import random
import statistics
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta

import httpx

from benchmarks.transport import VERSION, bare_client, client_without_budget, per_second, serve
from policyengine.arm import ArmClient, EmulatorCredential
from policyengine.emulator import Emulator, Settings
from policyengine.emulator.app import create_app
from policyengine.emulator.throttle import LIMITS, WRITES
from policyengine.execution import Event, SecretResolver, execute
from policyengine.model.fleet import FleetFile, parse_fleet
from policyengine.model.ids import ResourceId
from policyengine.model.resource import ARC, EXTENSIONS, ResourceWrite
from policyengine.remediation.steps import Plan, Step, StepState
from policyengine.store.store import Store
from tests.virtual_time import VirtualClock, run

SEED = 1
SUBSCRIPTIONS = [f"00000000-0000-4000-8000-{number:012d}" for number in range(50)]
BODY = {"properties": {"extensionType": "microsoft.flux", "autoUpgradeMinorVersion": True}}
