"""Azure's clouds: where each has its Resource Manager, and who issues tokens for it. Pure.

Source: Azure national clouds, endpoints of Microsoft Entra ID and Azure Resource Manager.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class Cloud:
    """``endpoint`` is Resource Manager, ``authority`` issues tokens, ``audience`` is whom they are for."""

    endpoint: str
    authority: str
    audience: str


def _of(management: str, authority: str) -> Cloud:
    return Cloud(f"https://{management}", f"https://{authority}", f"https://{management}")


PUBLIC: Final = "public"

CLOUDS: Final[Mapping[str, Cloud]] = {
    PUBLIC: _of("management.azure.com", "login.microsoftonline.com"),
    "usgovernment": _of("management.usgovcloudapi.net", "login.microsoftonline.us"),
    "china": _of("management.chinacloudapi.cn", "login.chinacloudapi.cn"),
}
