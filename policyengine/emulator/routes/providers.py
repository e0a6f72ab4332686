"""Resource providers of a subscription: what they have, whether they are registered. Source: configuration API §10."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from policyengine.emulator.answers import Answer, ArmRequest, Refusal
from policyengine.emulator.emulator import Emulator
from policyengine.emulator.routes.subscriptions import find_subscription
from policyengine.emulator.routing import Route
from policyengine.model.values import JSON

CONFIGURATION_NAMESPACE: Final = "Microsoft.KubernetesConfiguration"
NAMESPACES: Final[Mapping[str, Mapping[str, tuple[str, ...]]]] = {
    CONFIGURATION_NAMESPACE: {
        "extensions": ("2025-03-01", "2024-11-01", "2023-05-01", "2022-11-01", "2022-03-01"),
        "fluxConfigurations": ("2025-04-01", "2024-11-01", "2023-05-01", "2022-11-01", "2022-03-01"),
    },
    "Microsoft.Kubernetes": {"connectedClusters": ("2026-05-01", "2024-01-01", "2021-10-01")},
    "Microsoft.ContainerService": {"managedClusters": ("2026-08-01", "2026-06-01", "2021-10-01")},
    "Microsoft.Resources": {"subscriptions": ("2022-12-01",), "resourceGroups": ("2025-04-01",)},
}
"""The versions are those clients use; every newer one is answered as well."""


def check_registered(emulator: Emulator, subscription: str) -> None:
    """Refuses a subscription that has not registered the configuration service's namespace."""
    if (subscription.casefold(), CONFIGURATION_NAMESPACE.casefold()) in emulator.state.unregistered:
        raise Refusal(
            409,
            "MissingSubscriptionRegistration",
            f"The subscription is not registered to use namespace '{CONFIGURATION_NAMESPACE}'. "
            f"See https://aka.ms/rps-not-found for how to register '{CONFIGURATION_NAMESPACE}'",
        )


def _get(emulator: Emulator, request: ArmRequest) -> Answer:
    return Answer(200, _document(emulator, request, _namespace(emulator, request)))


def _register(emulator: Emulator, request: ArmRequest) -> Answer:
    namespace = _namespace(emulator, request)
    emulator.state.unregistered.discard((request["subscription"].casefold(), namespace.casefold()))
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
    missing = (subscription.subscription_id.casefold(), namespace.casefold()) in emulator.state.unregistered
    return {
        "id": f"{subscription.id}/providers/{namespace}",
        "namespace": namespace,
        "registrationPolicy": "RegistrationRequired",
        "registrationState": "NotRegistered" if missing else "Registered",
        "resourceTypes": [
            {"resourceType": name, "locations": [], "apiVersions": list(versions)}
            for name, versions in NAMESPACES[namespace].items()
        ],
    }


_PROVIDER: Final = "/subscriptions/{subscription}/providers/{namespace}"
ROUTES: Final = (
    Route(_PROVIDER, {"GET": _get}, since="2016-02-01"),
    Route(f"{_PROVIDER}/register", {"POST": _register}, since="2016-02-01"),
    Route(f"{_PROVIDER}/unregister", {"POST": _unregister}, since="2016-02-01"),
)
