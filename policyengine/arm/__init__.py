"""The client side of the wire: requests, retries, operations and budgets."""

from policyengine.arm.client import Accepted, ArmClient
from policyengine.arm.credentials import Credential, EmulatorCredential, StaticToken

__all__ = ["Accepted", "ArmClient", "Credential", "EmulatorCredential", "StaticToken"]
