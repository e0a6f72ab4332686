from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta

import pytest

from policyengine.arm.credentials import TRY_AGAIN_S, EmulatorCredential, RenewedCredential, StaticToken
from policyengine.arm.tokens import EARLY_S, Token, token_until
from policyengine.errors import ArmError, ArmTransportError, ConfigError

HOUR = 3600.0


@dataclass
class ManualClock:
    at: datetime = datetime(2026, 1, 1, tzinfo=UTC)

    def now(self) -> datetime:
        return self.at

    def pass_s(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)


@dataclass
class Source:
    """Issues t1, t2, … for an hour each; fails while ``broken``."""

    clock: ManualClock
    broken: bool = False
    claims: list[str] = field(default_factory=list)

    async def fetch(self, claims: str) -> Token:
        self.claims.append(claims)
        await asyncio.sleep(0)
        if self.broken:
            raise ArmTransportError("no answer", method="POST", url="/token")
        now = self.clock.now().timestamp()
        return token_until(f"t{len(self.claims)}", now + HOUR, now=now)


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def source(clock: ManualClock) -> Source:
    return Source(clock)


@pytest.fixture
def credential(source: Source, clock: ManualClock) -> RenewedCredential:
    return RenewedCredential(source, clock)


def ask(credential: RenewedCredential) -> str:
    return asyncio.run(credential.token())


def test_a_token_is_handed_out_and_never_shown() -> None:
    credential = StaticToken(" eyJ.secret ")

    assert asyncio.run(credential.token()) == "eyJ.secret"
    assert asyncio.run(credential.renewed("eyJ.secret", "")) == "eyJ.secret"
    assert "secret" not in repr(credential)


@pytest.mark.parametrize("text", ["", "  ", "two words", "line\nbreak", "tök"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        StaticToken(text)
    assert not text.strip() or text not in refused.value.message


def test_the_emulator_takes_any_token() -> None:
    assert asyncio.run(EmulatorCredential().token())
    assert asyncio.run(EmulatorCredential().renewed("x", ""))


def test_a_token_is_kept_while_it_is_good(credential: RenewedCredential, clock: ManualClock) -> None:
    first = ask(credential)
    clock.pass_s(HOUR - EARLY_S - 1)

    assert (first, ask(credential)) == ("t1", "t1")


def test_a_token_is_renewed_before_it_runs_out(credential: RenewedCredential, clock: ManualClock) -> None:
    ask(credential)
    clock.pass_s(HOUR - EARLY_S)

    assert ask(credential) == "t2"


def test_many_who_ask_at_once_share_one_fetch(credential: RenewedCredential, source: Source) -> None:
    async def many() -> list[str]:
        return await asyncio.gather(*(credential.token() for _ in range(50)))

    assert asyncio.run(many()) == ["t1"] * 50
    assert len(source.claims) == 1


def test_many_whose_token_was_refused_share_one_renewal(credential: RenewedCredential, source: Source) -> None:
    async def many() -> list[str]:
        refused = await credential.token()
        return await asyncio.gather(*(credential.renewed(refused, '{"a":1}') for _ in range(50)))

    assert asyncio.run(many()) == ["t2"] * 50
    assert source.claims == ["", '{"a":1}']


def test_when_renewal_fails_the_old_token_serves_to_its_end(
    credential: RenewedCredential, source: Source, clock: ManualClock
) -> None:
    ask(credential)
    clock.pass_s(HOUR - EARLY_S)
    source.broken = True

    assert ask(credential) == ask(credential) == "t1"
    assert len(source.claims) == 2  # the second asks nobody: it is too soon for another try
    clock.pass_s(TRY_AGAIN_S)
    assert ask(credential) == "t1"
    assert len(source.claims) == 3
    clock.pass_s(EARLY_S)
    with pytest.raises(ArmError, match="no answer"):
        ask(credential)


def test_a_credential_serves_several_event_loops(credential: RenewedCredential, source: Source) -> None:
    async def many() -> None:
        await asyncio.gather(*(credential.renewed("t1", "") for _ in range(3)))

    asyncio.run(many())
    asyncio.run(many())
    assert len(source.claims) == 2


def test_a_renewed_token_does_not_show(credential: RenewedCredential) -> None:
    secret = ask(credential)

    assert secret not in repr(credential).replace("test_", "")
    assert "abc" not in repr(Token("abc", 1.0, 1.0))
