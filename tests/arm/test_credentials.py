from __future__ import annotations

import asyncio

import pytest

from policyengine.arm.credentials import EmulatorCredential, StaticToken
from policyengine.errors import ConfigError


def test_a_token_is_handed_out_and_never_shown() -> None:
    credential = StaticToken(" eyJ.secret ")

    assert asyncio.run(credential.token()) == "eyJ.secret"
    assert "secret" not in repr(credential)


@pytest.mark.parametrize("text", ["", "  ", "two words", "line\nbreak", "tök"])
def test_what_cannot_be_a_token_is_refused_without_showing_it(text: str) -> None:
    with pytest.raises(ConfigError) as refused:
        StaticToken(text)
    assert not text.strip() or text not in refused.value.message


def test_the_emulator_takes_any_token() -> None:
    assert asyncio.run(EmulatorCredential().token())
