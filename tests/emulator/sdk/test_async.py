"""The asynchronous clients of the same packages, over aiohttp."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable

import pytest
from azure.core.exceptions import HttpResponseError, ResourceNotFoundError
from azure.core.pipeline.transport import AioHttpTransport
from azure.mgmt.kubernetesconfiguration.extensions.aio import KubernetesConfigurationExtensionsMgmtClient
from azure.mgmt.kubernetesconfiguration.extensions.models import Extension, ExtensionProperties

from tests.emulator.sdk.conftest import ARC_CLUSTER, AsyncCredential, Azure

REFUSING = (*ARC_CLUSTER[:3], "trd-01")
KubernetesConfiguration = KubernetesConfigurationExtensionsMgmtClient


class WaitingTransport(AioHttpTransport):  # type: ignore[misc]  # untyped in azure-core
    """Sleeps on the manual clock."""

    def __init__(self, azure: Azure) -> None:
        super().__init__(**azure.trusted)
        self._azure = azure

    async def sleep(self, duration: float) -> None:
        self._azure.waits.append(duration)
        self._azure.wall.pass_(duration)


def run(azure: Azure, story: Callable[[KubernetesConfiguration], Awaitable[None]]) -> None:
    async def told() -> None:
        options = azure.options(WaitingTransport(azure))
        async with KubernetesConfigurationExtensionsMgmtClient(AsyncCredential(), azure.shops, **options) as client:
            await story(client)

    asyncio.run(told())


def extension(type: str = "microsoft.flux") -> Extension:
    return Extension(properties=ExtensionProperties(extension_type=type))


def test_it_creates_polls_lists_and_deletes(serve: Callable[..., Azure]) -> None:
    azure = serve(page_size=1)

    async def story(client: KubernetesConfiguration) -> None:
        flux = await client.extensions.begin_create(*ARC_CLUSTER, "flux", extension())
        shop = await client.extensions.begin_create(*ARC_CLUSTER, "shop", extension("contoso.shop"))
        for done in (await flux.result(), await shop.result()):
            assert done.properties is not None
            assert done.properties.provisioning_state == "Succeeded"
        assert [e.name async for e in client.extensions.list(*ARC_CLUSTER)] == ["flux", "shop"]
        await (await client.extensions.begin_delete(*ARC_CLUSTER, "shop")).result()
        with pytest.raises(ResourceNotFoundError):
            await client.extensions.get(*ARC_CLUSTER, "shop")

    run(azure, story)
    assert azure.waits


def test_it_raises_what_the_agent_said_and_tries_again_after_a_429(azure: Azure) -> None:
    azure.emulator.add_fault({"method": "PUT", "status": 429, "retryAfter": 3})

    async def story(client: KubernetesConfiguration) -> None:
        with pytest.raises(HttpResponseError, match="denied the request"):
            await (await client.extensions.begin_create(*REFUSING, "flux", extension())).result()

    run(azure, story)
    assert azure.waits[0] == 3
