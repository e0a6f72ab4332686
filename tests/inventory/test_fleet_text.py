"""What is wrong with a fleet file is named with its line and column."""

from __future__ import annotations

import pytest

from policyengine.errors import InventoryError
from policyengine.inventory.fleet_text import parse_fleet_text

FLEET = """apiVersion: policyengine/v1
kind: Fleet
tenantId: 5f0c1a52-0b1e-4c8e-9b5c-6d0f7a3c1e11
templates:
  shop: {kind: arc}
subscriptions:
  - {subscriptionId: 9e2a, displayName: edge}
resourceGroups:
  - {subscription: edge, name: shops, location: norwayeast}
clusters:
  - name: osl-01
    use: shop
    subscription: edge
    resourceGroup: shops
"""


def test_a_fleet_is_read() -> None:
    assert [c.name for c in parse_fleet_text(FLEET, "fleet.yaml").fleet.clusters] == ["osl-01"]


@pytest.mark.parametrize(
    ("old", "new", "place", "message"),
    [
        ("kind: Fleet", "kind: Flet", "1:1", "the document is not a fleet"),
        ("use: shop", "use: shp", "12:5", "`clusters[0]` uses the unknown template `shp`"),
        ("  subscription: edge", "  subscription: egde", "13:5", "`clusters[0]` names the unknown subscription `egde`"),
        ("resourceGroup: shops", "resourceGrup: shops", "14:5", "`clusters[0]` has an unknown key `resourceGrup`"),
        ("    resourceGroup: shops\n", "", "11:5", "`clusters[0]` needs `resourceGroup`, a text that is not empty"),
        ("{kind: arc}", "{kind: eks}", "11:5", "`clusters[0]` has the unknown kind `eks`"),
        ("displayName: edge", "displayNam: edge", "7:28", "`subscriptions[0]` has an unknown key `displayNam`"),
        ("osl-01", "{a: b", "12:", ""),
    ],
)
def test_what_is_wrong_is_named_with_its_place(old: str, new: str, place: str, message: str) -> None:
    assert old in FLEET
    with pytest.raises(InventoryError) as refused:
        parse_fleet_text(FLEET.replace(old, new), "fleet.yaml")

    assert refused.value.message.startswith(f"fleet.yaml:{place}")
    assert message in refused.value.message
