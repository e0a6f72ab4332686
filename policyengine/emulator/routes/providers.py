"""Resource providers of a subscription: what they have, whether they are registered. Source: configuration API §10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.paging import page
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.model.values import JSON

REGISTERED: Final = "Registered"
CONFIGURATION_NAMESPACE: Final = "Microsoft.KubernetesConfiguration"
NAMESPACES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    CONFIGURATION_NAMESPACE: {
        "extensionTypes": ("2026-05-01", "2026-04-01", "2024-11-01-preview", "2023-05-01-preview"),
        "sourceControlConfigurations": ("2023-05-01", "2022-11-01", "2022-07-01", "2022-03-01", "2021-03-01"),
        "extensions": ("2025-03-01", "2024-11-01", "2023-05-01", "2022-11-01", "2022-03-01"),
        "fluxConfigurations": ("2025-04-01", "2024-11-01", "2023-05-01", "2022-11-01", "2022-03-01"),
    },
    "Microsoft.Kubernetes": {"connectedClusters": ("2026-05-01", "2024-01-01", "2021-10-01")},
    "Microsoft.ContainerService": {"managedClusters": ("2026-08-01", "2026-06-01", "2021-10-01")},
    "Microsoft.Resources": {
        "subscriptions": ("2022-12-01",),
        "resourceGroups": ("2025-04-01",),
        "deployments": ("2026-06-01", "2022-09-01", "2021-04-01", "2020-06-01"),
    },
    "Microsoft.ResourceGraph": {"resources": ("2024-04-01", "2022-10-01", "2021-03-01")},
    "Microsoft.Management": {"managementGroups": ("2023-04-01", "2020-05-01")},
    "Microsoft.Authorization": {"roleAssignments": ("2022-04-01",), "locks": ("2020-05-01",)},
    "Microsoft.HybridCompute": {"privateLinkScopes": ("2024-07-10",)},
    "Microsoft.Insights": {"diagnosticSettings": ("2021-05-01-preview",)},
    "Microsoft.KeyVault": {"vaults": ("2023-07-01",), "vaults/secrets": ("2023-07-01",)},
    "Microsoft.ManagedIdentity": {"userAssignedIdentities": ("2023-01-31",)},
    "Microsoft.Network": {"privateDnsZones": ("2020-06-01",), "privateEndpoints": ("2024-05-01",)},
    "Microsoft.OperationalInsights": {"workspaces": ("2023-09-01",)},
    "Microsoft.Storage": {"storageAccounts": ("2023-05-01",)},
}
"""The versions are those clients use; every newer one is answered as well."""


def check_registered(emulator: Emulator, subscription: str, namespace: str = CONFIGURATION_NAMESPACE) -> None:
    """Refuses a subscription that has not registered ``namespace``, or not yet."""
    if _state(emulator, subscription, namespace) != REGISTERED:
        raise Refusal(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{namespace}'. "
            f"See https://aka.ms/rps-not-found for how to register '{namespace}'",
        )


def _state(emulator: Emulator, subscription: str, namespace: str) -> str:
    key = (subscription.casefold(), namespace.casefold())
    if key in emulator.state.unregistered:
        return "NotRegistered"
    return (
        REGISTERED
        if emulator.state.registered_at.get(key, emulator.clock.now()) <= emulator.clock.now()
        else "Registering"
    )


def _list(emulator: Emulator, request: ArmRequest) -> Answer:
    documents = [_document(emulator, request, namespace) for namespace in NAMESPACES]
    return page(request, sorted(documents, key=lambda d: str(d["id"]).casefold()), emulator.settings.page_size)


def _get(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, _document(emulator, request, _namespace(emulator, request)))


def _register(emulator: Emulator, request: ArmRequest) -> Answer:
    namespace = _namespace(emulator, request)
    key = (request["subscription"].casefold(), namespace.casefold())
    if key in emulator.state.unregistered:
        emulator.state.unregistered.discard(key)
        emulator.state.registered_at[key] = request.at + emulator.settings.registration_duration
    return Answer(200, _document(emulator, request, namespace))


def _unregister(emulator: Emulator, request: ArmRequest) -> Answer:
    namespace = _namespace(emulator, request)
    emulator.state.unregistered.add((request["subscription"].casefold(), namespace.casefold()))
    return Answer(200, _document(emulator, request, namespace))


def _namespace(emulator: Emulator, request: ArmRequest) -> str:
    find_subscription(emulator, request)
    wanted = request["namespace"]
    for namespace in NAMESPACES:
        if namespace.casefold() == wanted.casefold():
            return namespace
    raise Refusal(404, "InvalidResourceNamespace", f"The resource namespace '{wanted}' is invalid.")


def _document(emulator: Emulator, request: ArmRequest, namespace: str) -> dict[str, JSON]:
    subscription = find_subscription(emulator, request)
    return {
        "id": f"{subscription.id}/providers/{namespace}",
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": _state(emulator, subscription.subscription_id, namespace),
        "resourceTypes": [
            {"resourceType": name, "locations": [], "apiVersions": list(versions)}
            for name, versions in NAMESPACES[namespace].items()
        ],
    }


_PROVIDER: Final = "/subscriptions/{subscription}/providers/{namespace}"
ROUTES: Final = (
    Route("/subscriptions/{subscription}/providers", {"GET": _list}, since="2016-02-01"),
    Route(_PROVIDER, {"GET": _get}, since="2016-02-01"),
    Route(f"{_PROVIDER}/register", {"POST": _register}, since="2016-02-01"),
    Route(f"{_PROVIDER}/unregister", {"POST": _unregister}, since="2016-02-01"),
)
