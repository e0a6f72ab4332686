from __future__ import annotations

import pytest

from policyengine.arm.silence import silence


@pytest.mark.parametrize(
    ("why", "told", "help"),
    [
        (
            "Cannot connect to host h:1 ssl:True [SSLCertVerificationError: (1, '[SSL: CERTIFICATE_VERIFY_FAILED] "
            "certificate verify failed: certificate is not yet valid (_ssl.c:1006)')]",
            "Cannot connect to host h:1 [certificate verify failed: certificate is not yet valid]",
            "this machine's clock",
        ),
        (
            'Cannot connect to host h:1 ssl:True [SSLCertVerificationError: (1, "[SSL: CERTIFICATE_VERIFY_FAILED] '
            "certificate verify failed: IP address mismatch, certificate is not valid for 'h'. (_ssl.c:1006)\")]",
            "Cannot connect to host h:1 [certificate verify failed: IP address mismatch, "
            "certificate is not valid for 'h'.]",
            "another host",
        ),
        (
            "Response payload is not completed: <TransferEncodingError: 400, message='Not enough data.'>",
            "Response payload is not completed: Not enough data.",
            "reached from here",
        ),
    ],
)
def test_no_answer_is_told_in_words_that_are_not_a_programmer_s(why: str, told: str, help: str) -> None:
    error = silence(why, method="PUT", path="/p", endpoint="https://h", sent=False, correlation_id=None)

    assert error.message == f"PUT /p got no answer from https://h: {told}"
    assert help in (error.help or "")
