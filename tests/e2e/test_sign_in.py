"""The client signs in at the emulator, over https: two implementations of one protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from policyengine.arm import ArmClient
from policyengine.arm.azure_identity import AzureIdentity
from policyengine.arm.choice import Surroundings, choose
from policyengine.emulator import Emulator, RunningEmulator, Settings
from policyengine.emulator.crypto.certificates import certificate_for
from policyengine.inventory import read
from policyengine.model.synthetic import SyntheticFleet

AUDIENCE = "https://management.azure.com"
APPLICATION = {
    "AZURE_TENANT_ID": "5e1f0000-0000-4000-8000-000000000000",
    "AZURE_CLIENT_ID": "11111111-2222-4333-8444-555555555555",
    "AZURE_CLIENT_SECRET": "any secret",
}


class LateWall:
    """The emulator's own clock: the client's may be another."""

    late = timedelta(0)

    def now(self) -> datetime:
        return datetime.now(UTC) + self.late


@pytest.fixture
def wall() -> LateWall:
    return LateWall()


@pytest.fixture
def running(wall: LateWall, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[RunningEmulator]:
    certificate = certificate_for("127.0.0.1", tmp_path, datetime.now(UTC))
    for name in ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE"):
        monkeypatch.setenv(name, str(certificate.authority))
    emulator = Emulator(
        SyntheticFleet.parse("12?seed=2"), clock="frozen", wall=wall, settings=Settings(throttling=False)
    )
    with RunningEmulator(emulator, chain=certificate.chain) as running:
        yield running


def test_a_token_that_runs_out_on_the_way_is_renewed_and_nothing_is_lost(
    running: RunningEmulator, wall: LateWall
) -> None:
    async def main() -> tuple[int, int]:
        credential = choose("client-secret", Surroundings(running.url, AUDIENCE, APPLICATION))
        async with ArmClient(running.url, credential, reads_per_second=1000) as arm:
            before = await read("arm:", arm=arm)
            wall.late = timedelta(hours=2)
            after = await read("arm:list", arm=arm)
        assert before.complete
        assert after.complete
        return len(before.clusters), len(after.clusters)

    assert asyncio.run(main()) == (12, 12)
    assert [entry.status for entry in running.emulator.journal.entries() if entry.status >= 400] == [401]


def test_azure_identity_signs_in_where_microsoft_does_not_know_the_authority(
    running: RunningEmulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AZURE_TOKEN_CREDENTIALS", "EnvironmentCredential")
    for name, value in APPLICATION.items():
        monkeypatch.setenv(name, value)

    assert asyncio.run(AzureIdentity(running.url, AUDIENCE).fetch("")).value.count(".") == 2
