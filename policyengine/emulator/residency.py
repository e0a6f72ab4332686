"""Where the service keeps what it stores: in the region of the cluster, and in its pair.

Source: GitOps behaviour G46; the pairs are those Azure publishes. Three regions keep everything to themselves.
"""

from __future__ import annotations

from typing import Final

STAYS_IN_REGION: Final = frozenset({"brazilsouth", "eastasia", "southeastasia"})
_MUTUAL: Final = (
    ("australiacentral", "australiacentral2"),
    ("australiaeast", "australiasoutheast"),
    ("canadacentral", "canadaeast"),
    ("centralindia", "southindia"),
    ("centralus", "eastus2"),
    ("chinaeast", "chinanorth"),
    ("chinaeast2", "chinanorth2"),
    ("chinaeast3", "chinanorth3"),
    ("eastasia", "southeastasia"),
    ("eastus", "westus"),
    ("francecentral", "francesouth"),
    ("germanynorth", "germanywestcentral"),
    ("japaneast", "japanwest"),
    ("jioindiacentral", "jioindiawest"),
    ("koreacentral", "koreasouth"),
    ("northcentralus", "southcentralus"),
    ("northeurope", "westeurope"),
    ("norwayeast", "norwaywest"),
    ("southafricanorth", "southafricawest"),
    ("swedencentral", "swedensouth"),
    ("switzerlandnorth", "switzerlandwest"),
    ("uaecentral", "uaenorth"),
    ("uksouth", "ukwest"),
    ("usdodcentral", "usdodeast"),
    ("usgovarizona", "usgovtexas"),
    ("westcentralus", "westus2"),
)
_ONE_WAY: Final = {
    "brazilsouth": "southcentralus",
    "brazilsoutheast": "brazilsouth",
    "usgovvirginia": "usgovtexas",
    "westindia": "southindia",
    "westus3": "eastus",
}
PAIRS: Final = {**dict(_MUTUAL), **{there: here for here, there in _MUTUAL}, **_ONE_WAY}
"""Each region's pair, by short names; a region that is not here has none."""


def short_name(location: str) -> str:
    """`southeastasia`, of that or of `Southeast Asia`."""
    return "".join(letter for letter in location.casefold() if letter.isalnum())


def stored_in(location: str) -> list[str]:
    """Short names of the regions that hold a copy, the cluster's own first."""
    region = short_name(location)
    pair = None if region in STAYS_IN_REGION else PAIRS.get(region)
    return [region, pair] if pair else [region]
