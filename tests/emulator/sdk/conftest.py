"""Azure's own clients, unchanged, against a served emulator. What they wait for passes on a manual clock, not for real.

The emulator's clock runs 60 times as fast as that manual one: a client that sleeps for a second lets a minute pass.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, TypeVar

import pytest
from azure.core.credentials import AccessToken
from azure.core.pipeline import PipelineRequest
from azure.core.pipeline.policies import SansIOHTTPPolicy
from azure.core.pipeline.transport import RequestsTransport

from policyengine.emulator import Emulator, RunningEmulator, Settings
from policyengine.emulator.crypto.certificates import Certificate, certificate_for
from policyengine.emulator.durations import parse_duration
from tests.emulator.conftest import AKS, ARC, OFFLINE, REFUSED, REFUSING, SHOPS, TENANT, WEB, ManualClock, fleet

Client = TypeVar("Client", bound=AbstractContextManager[Any])

SCHEMES = ("http", "https")
ARC_CLUSTER = ("Stores", "Microsoft.Kubernetes", "connectedClusters", "osl-01")
AKS_CLUSTER = ("web", "Microsoft.ContainerService", "managedClusters", "web-01")


class WaitingTransport(RequestsTransport):  # type: ignore[misc]  # untyped in azure-core
    """Sleeps on the manual clock. Every wait of a client, for a poll or a retry, is asked of its transport."""

    def __init__(self, wall: ManualClock, waits: list[float], trusted: Mapping[str, str]) -> None:
        super().__init__(**trusted)
        self._wall = wall
        self._waits = waits

    def sleep(self, duration: float) -> None:
        self._waits.append(duration)
        self._wall.pass_(duration)


class OverPlainHttp(SansIOHTTPPolicy[Any, Any]):
    """Lets the client's own credential policy send its token without TLS, on every try and every poll."""

    def on_request(self, request: PipelineRequest[Any]) -> None:
        request.context.options["enforce_https"] = False


@dataclass(frozen=True)
class Credential:
    """A token as azure-identity would give it."""

    token: str = "secret-token"

    def get_token(self, *scopes: str, **options: Any) -> AccessToken:
        return AccessToken(self.token, 1 << 33)


class AsyncCredential(Credential):
    async def get_token(self, *scopes: str, **options: Any) -> AccessToken:  # type: ignore[override]
        return AccessToken(self.token, 1 << 33)

    async def __aenter__(self) -> AsyncCredential:
        return self

    async def __aexit__(self, *error: object) -> None:
        """Holds nothing."""

    async def close(self) -> None:
        """Holds nothing."""


@dataclass
class Azure:
    """An emulator and how to reach it. ``waits`` are the seconds that clients slept; ``trusted`` is what their
    transports are told of its certificate authority.
    """

    url: str
    emulator: Emulator
    wall: ManualClock
    closing: ExitStack
    trusted: Mapping[str, str]
    waits: list[float] = field(default_factory=list)

    shops = SHOPS
    web = WEB
    tenant = TENANT
    arc = ARC
    aks = AKS
    offline = OFFLINE
    refusing = REFUSING
    refused = REFUSED

    def options(self, transport: object) -> dict[str, Any]:
        """What a client of any package needs to be told."""
        plain = [OverPlainHttp()] if self.url.startswith("http:") else []
        return {"base_url": self.url, "transport": transport, "per_retry_policies": plain}

    def client(
        self, kind: Callable[..., Client], *arguments: str, token: str = "secret-token", **options: Any
    ) -> Client:
        """A client of that class; ``arguments`` are what it takes after the credential."""
        transport = WaitingTransport(self.wall, self.waits, self.trusted)
        client = kind(Credential(token), *arguments, **self.options(transport), **options)
        self.closing.enter_context(client)
        return client

    def advance(self, by: str) -> None:
        self.emulator.advance(parse_duration(by))

    def requests(self, method: str) -> list[str]:
        return [entry.path for entry in self.emulator.journal.entries() if entry.method == method]

    def statuses(self) -> list[int]:
        return [entry.status for entry in self.emulator.journal.entries()]


@pytest.fixture(params=SCHEMES)
def scheme(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(scope="session")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Certificate:
    return certificate_for("127.0.0.1", tmp_path_factory.mktemp("authority"), datetime.now(UTC))


@pytest.fixture
def serve(
    scheme: str, certificate: Certificate, wall: ManualClock, stopper: ThreadPoolExecutor
) -> Iterator[Callable[..., Azure]]:
    """Serves the fleet of the emulator's tests for each call, with the settings given."""
    chain = certificate.chain if scheme == "https" else None
    trusted = {"connection_verify": str(certificate.authority)} if chain else {}
    running: list[RunningEmulator] = []
    with ExitStack() as closing:

        def serve_one(*, clock: str = "x60", **settings: Any) -> Azure:
            emulator = Emulator(fleet(), clock=clock, settings=Settings(**settings), wall=wall)
            running.append(RunningEmulator(emulator, chain=chain).start())
            return Azure(running[-1].url, emulator, wall, closing, trusted)

        yield serve_one
    for served in running:
        stopper.submit(served.stop)


@pytest.fixture
def azure(serve: Callable[..., Azure]) -> Azure:
    return serve()


def told(model: Any) -> dict[str, Any]:
    """A model as JSON, without what is null."""
    shown: dict[str, Any] = _without_nulls(model.as_dict())
    return shown


def _without_nulls(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {name: _without_nulls(member) for name, member in value.items() if member is not None}
    return [_without_nulls(item) for item in value] if isinstance(value, list) else value
