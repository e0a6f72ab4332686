"""What every official client does for itself: tokens, retries, pages, registration; and which errors it raises."""

from __future__ import annotations

from collections.abc import Callable

import pytest
from azure.core.exceptions import (
    ClientAuthenticationError,
    HttpResponseError,
    ResourceExistsError,
    ResourceNotFoundError,
)
from azure.mgmt.core.policies import _base as registration
from azure.mgmt.kubernetesconfiguration.extensions import KubernetesConfigurationExtensionsMgmtClient
from azure.mgmt.kubernetesconfiguration.extensions.models import Extension, ExtensionProperties

from policyengine.emulator.durations import parse_duration
from tests.emulator.sdk.conftest import AKS_CLUSTER, ARC_CLUSTER, Azure

KubernetesConfiguration = KubernetesConfigurationExtensionsMgmtClient
NAMESPACE = "Microsoft.KubernetesConfiguration"


def extensions(azure: Azure, token: str = "secret-token") -> KubernetesConfiguration:
    return azure.client(KubernetesConfigurationExtensionsMgmtClient, azure.shops, token=token)


def flux() -> Extension:
    return Extension(properties=ExtensionProperties(extension_type="microsoft.flux"))


def test_a_missing_token_is_an_authentication_error(azure: Azure) -> None:
    with pytest.raises(ClientAuthenticationError) as raised:
        list(extensions(azure, token="").extensions.list(*ARC_CLUSTER))
    assert raised.value.status_code == 401


def test_what_is_missing_is_a_not_found_error_with_its_code(azure: Azure) -> None:
    client = extensions(azure)
    with pytest.raises(ResourceNotFoundError, match="Extension instance with name 'none' not found") as raised:
        client.extensions.get(*ARC_CLUSTER, "none")
    assert raised.value.error is not None
    assert raised.value.error.code == "ResourceNotFound"
    with pytest.raises(ResourceNotFoundError, match="connectedClusters/none' under resource group 'Stores'"):
        client.extensions.begin_create(*ARC_CLUSTER[:3], "none", "flux", flux())
    with pytest.raises(ResourceNotFoundError, match="Resource group 'none' could not be found"):
        list(client.extensions.list("none", *ARC_CLUSTER[1:]))


def test_a_conflict_is_an_exists_error(azure: Azure) -> None:
    client = extensions(azure)
    client.extensions.begin_create(*ARC_CLUSTER, "flux", flux()).result()
    with pytest.raises(ResourceExistsError, match="does not allow multiple instances") as raised:
        client.extensions.begin_create(*ARC_CLUSTER, "another", flux())
    assert raised.value.error is not None
    assert raised.value.error.code == "Conflict"


def test_a_missing_role_is_named(azure: Azure) -> None:
    roles = [{"role": "Reader", "scope": f"/subscriptions/{azure.shops}"}]
    azure.emulator.principals.add({"token": "reader", "objectId": "o", "roles": roles})
    client = extensions(azure, token="reader")
    assert list(client.extensions.list(*ARC_CLUSTER)) == []
    with pytest.raises(HttpResponseError, match=f"{NAMESPACE}/extensions/write") as raised:
        client.extensions.begin_create(*ARC_CLUSTER, "flux", flux())
    assert raised.value.status_code == 403
    assert raised.value.error is not None
    assert raised.value.error.code == "AuthorizationFailed"


def test_a_refusal_is_an_error_with_its_code(azure: Azure) -> None:
    bad = Extension(properties=ExtensionProperties(extension_type="microsoft.flux", version="1.18.4"))
    with pytest.raises(HttpResponseError) as raised:
        extensions(azure).extensions.begin_create(*ARC_CLUSTER, "flux", bad)
    assert type(raised.value) is HttpResponseError
    assert raised.value.error is not None
    assert (raised.value.status_code, raised.value.error.code) == (400, "ValidationFailed")
    assert raised.value.error.target == "properties.version"


def test_a_list_is_followed_from_page_to_page(serve: Callable[..., Azure]) -> None:
    azure = serve(page_size=1)
    client = extensions(azure)
    for name in ("a", "b", "c"):
        properties = ExtensionProperties(extension_type=f"contoso.{name}")
        client.extensions.begin_create(*ARC_CLUSTER, name, Extension(properties=properties), polling=False)
    pages = [[e.name for e in page] for page in client.extensions.list(*ARC_CLUSTER).by_page()]
    assert pages == [["a"], ["b"], ["c"]]


@pytest.mark.parametrize("status", [429, 500, 502, 503, 504])
def test_a_put_is_tried_again_after_the_time_it_was_told(azure: Azure, status: int) -> None:
    azure.emulator.add_fault({"method": "PUT", "status": status, "retryAfter": 7})
    client = extensions(azure)
    client.extensions.begin_create(*ARC_CLUSTER, "flux", flux(), polling=False)
    assert azure.statuses() == [status, 201]
    assert azure.waits == [7]


def test_an_empty_bucket_is_waited_for(azure: Azure) -> None:
    client = extensions(azure)
    for _ in range(260):
        list(client.extensions.list(*ARC_CLUSTER))
    assert 429 in azure.statuses()
    assert azure.statuses().count(200) == 260
    assert all(wait >= 1 for wait in azure.waits)


def test_an_unregistered_provider_is_registered_on_the_way(
    serve: Callable[..., Azure], monkeypatch: pytest.MonkeyPatch
) -> None:
    azure = serve(registration_duration=parse_duration("15m"))

    class Wait:
        """This one policy of the client sleeps by itself, ten seconds a time."""

        @staticmethod
        def sleep(seconds: float) -> None:
            azure.waits.append(seconds)
            azure.wall.pass_(seconds)

    monkeypatch.setattr(registration, "time", Wait)
    azure.emulator.state.unregistered.add((azure.shops.casefold(), NAMESPACE.casefold()))

    client = extensions(azure)

    # What begins an operation reads its answer as a stream, into which the policy cannot look: its caller is told.
    with pytest.raises(ResourceExistsError, match="not registered to use namespace"):
        client.extensions.begin_create(*ARC_CLUSTER, "flux", flux())
    assert list(client.extensions.list(*ARC_CLUSTER)) == []

    assert azure.waits == [10, 10]
    assert azure.requests("POST") == [f"/subscriptions/{azure.shops}/providers/{NAMESPACE}/register"]
    assert azure.statuses() == [409, 409, 200, 200, 200, 200]


def test_one_cluster_type_is_not_taken_for_the_other(azure: Azure) -> None:
    client = azure.client(KubernetesConfigurationExtensionsMgmtClient, azure.web)
    assert list(client.extensions.list(*AKS_CLUSTER)) == []
    with pytest.raises(ResourceNotFoundError):
        list(client.extensions.list("web", *ARC_CLUSTER[1:3], "web-01"))


def test_ids_of_requests_come_back(azure: Azure) -> None:
    seen: list[str] = []
    client = extensions(azure)
    client.extensions.begin_create(
        *ARC_CLUSTER,
        "flux",
        flux(),
        polling=False,
        headers={"x-ms-correlation-request-id": "c0ffee", "x-ms-return-client-request-id": "true"},
        raw_response_hook=lambda r: seen.extend(
            (
                r.http_response.headers["x-ms-correlation-request-id"],
                str(
                    r.http_response.headers["x-ms-client-request-id"]
                    == r.http_request.headers["x-ms-client-request-id"]
                ),
            )
        ),
    )
    assert seen == ["c0ffee", "True"]
