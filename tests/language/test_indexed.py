"""Which types a mode looks at. Policy language §1.2."""

from __future__ import annotations

import pytest

from policyengine.language.alias_file import catalogue_of
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.indexed import looks_at

CONFIGURATION = "Microsoft.KubernetesConfiguration"
AKS = "Microsoft.ContainerService/managedClusters"
GROUPS = "Microsoft.Resources/subscriptions/resourceGroups"


@pytest.mark.parametrize(
    ("type", "indexed", "everything"),
    [
        (AKS, True, True),
        ("microsoft.kubernetes/CONNECTEDCLUSTERS", True, True),
        (f"{CONFIGURATION}/extensions", False, True),
        (f"{CONFIGURATION}/fluxConfigurations", False, True),
        (f"{AKS}/agentPools", False, True),
        (f"{AKS}/maintenanceConfigurations", False, True),
        ("Microsoft.Insights/diagnosticSettings", False, True),
        ("Microsoft.Resources/subscriptions", False, True),
        (GROUPS, False, True),
        ("Microsoft.Resources/deployments", False, False),
        ("Microsoft.Billing/billingAccounts", False, False),
        ("Microsoft.Capacity/reservationOrders/reservations", False, False),
        ("Microsoft.Help/diagnostics", False, False),
        ("Microsoft.Diagnostics/solutions", False, False),
        ("Microsoft.Unheard/of", True, True),
    ],
)
def test_types_are_looked_at_as_stated(type: str, indexed: bool, everything: bool) -> None:
    aliases = AliasCatalogue.packaged()

    assert [looks_at(mode, type, aliases) for mode in ("Indexed", None, "", "INDEXED")] == [indexed] * 4
    assert looks_at("all", type, aliases) is everything


def test_an_imported_catalogue_knows_better() -> None:
    capabilities = {"tills": "SupportsTags, SupportsLocation", "drawers": "SupportsTags"}
    types = [{"resourceType": name, "capabilities": said} for name, said in capabilities.items()]
    alias = {"resourceType": "x", "aliases": [{"name": "Contoso.Shop/x/y"}]}
    aliases = catalogue_of([{"namespace": "Contoso.Shop", "resourceTypes": [*types, alias]}])

    assert looks_at("Indexed", "Contoso.Shop/tills", aliases)
    assert not looks_at("Indexed", "contoso.shop/DRAWERS", aliases)
