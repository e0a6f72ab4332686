from __future__ import annotations

from base64 import b64encode, urlsafe_b64encode

import pytest

from policyengine.arm.tokens import EARLY_S, Token, claims_in, read_token

NOW = 1_000_000.0
CLAIMS = '{"access_token":{"nbf":{"essential":true,"value":"1604106651"}}}'


@pytest.mark.parametrize(
    ("times", "expires_at"),
    [
        ({"expires_in": 3600}, NOW + 3600),
        ({"expires_in": "3600"}, NOW + 3600),
        ({"expires_on": NOW + 7200}, NOW + 7200),
        ({"expires_on": str(int(NOW + 7200))}, NOW + 7200),
        ({"expires_in": 60, "expires_on": 5}, NOW + 60),
        ({"expires_in": None, "expires_on": "soon"}, NOW + EARLY_S),
        ({}, NOW + EARLY_S),
    ],
)
def test_the_end_of_a_token_is_read_in_every_form(times: dict[str, object], expires_at: float) -> None:
    token = read_token({"access_token": "t", **times}, now=NOW)

    assert token is not None
    assert token.expires_at == expires_at
    assert NOW < token.refresh_at < expires_at


def test_a_token_is_due_a_little_before_its_end_or_when_its_issuer_says() -> None:
    answer = {"access_token": "t", "expires_in": 86400}

    assert read_token(answer, now=NOW) == Token("t", NOW + 86400, NOW + 86400 - EARLY_S)
    assert read_token({**answer, "refresh_in": "43200"}, now=NOW) == Token("t", NOW + 86400, NOW + 43200)
    assert read_token({**answer, "expires_in": 100}, now=NOW) == Token("t", NOW + 100, NOW + 50)


@pytest.mark.parametrize(
    "body", [None, "x", [], {}, {"access_token": 1}, {"access_token": ""}, {"access_token": "a b"}]
)
def test_what_is_no_token_answer_gives_none(body: object) -> None:
    assert read_token(body, now=NOW) is None


@pytest.mark.parametrize("encode", [b64encode, urlsafe_b64encode])
def test_the_claims_of_a_challenge_are_read(encode: object) -> None:
    coded = encode(CLAIMS.encode()).decode().rstrip("=")  # type: ignore[operator]
    challenge = f'Bearer realm="", error="insufficient_claims", claims="{coded}"'

    assert claims_in(challenge) == CLAIMS


@pytest.mark.parametrize(
    "challenge", ["", 'Bearer error="invalid_token"', 'Bearer claims="%%%"', 'Bearer claims="/w=="']
)
def test_a_challenge_without_claims_demands_none(challenge: str) -> None:
    assert claims_in(challenge) == ""
