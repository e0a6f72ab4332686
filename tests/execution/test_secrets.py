from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest

from policyengine.errors import ConfigError
from policyengine.execution import SecretResolver
from policyengine.remediation.diff import MASK


def body(reference: object) -> dict[str, object]:
    return {"properties": {"configurationProtectedSettings": {"httpsKey": reference}, "kept": [1, {"a": None}]}}


def test_references_become_values_and_the_plan_keeps_the_references(tmp_path: Path) -> None:
    (tmp_path / "key.txt").write_text("from-file\r\n", encoding="utf-8")
    resolver = SecretResolver({"TOKEN": "from-env"}, tmp_path)
    planned = body({"secretRef": {"env": "TOKEN"}})

    assert resolver.resolve(planned).body == body("from-env")
    assert resolver.resolve(body({"secretRef": {"file": "key.txt"}})).body == body("from-file")
    assert planned == body({"secretRef": {"env": "TOKEN"}})


def test_what_is_missing_is_named_and_no_value_is_shown(tmp_path: Path) -> None:
    (tmp_path / "empty").write_text("\n")
    resolver = SecretResolver({"EMPTY": "", "OTHER": "s3cret"}, tmp_path)

    for reference, message in (
        ({"env": "TOKEN"}, "secret variable `TOKEN` is not set"),
        ({"env": "EMPTY"}, "secret variable `EMPTY` is empty"),
        ({"file": "none"}, "none` cannot be read: No such file"),
        ({"file": "empty"}, "empty` is empty"),
        ({"vault": "x"}, "names neither"),
        ("TOKEN", "names neither"),
    ):
        with pytest.raises(ConfigError) as missing:
            resolver.resolve(body({"secretRef": reference}))
        assert message in missing.value.message
    assert "s3cret" not in repr(resolver)


PEM = "-----BEGIN KEY-----\nb3BlbnNzaC1rZXk\nQUJDREVGRw==\n-----END KEY-----"
QUOTED = 'pa"ss\\word/1234'


@pytest.mark.parametrize(
    ("secret", "text"),
    [
        (PEM, PEM),
        (PEM, " ".join(PEM.split())),
        (PEM, json.dumps({"key": PEM})),
        (PEM, json.dumps(json.dumps({"key": PEM}))),
        (PEM, "line 2 is b3BlbnNzaC1rZXk"),
        (PEM, base64.b64encode(PEM.encode()).decode()),
        (base64.b64encode(PEM.encode()).decode(), "it holds QUJDREVGRw== and b3BlbnNzaC1rZXk"),
        (QUOTED, json.dumps({"key": QUOTED})),
        (QUOTED, json.dumps(json.dumps({"key": QUOTED}))),
        (QUOTED, base64.urlsafe_b64encode(QUOTED.encode()).decode()),
        ("åpen-sesam", json.dumps("åpen-sesam")),
    ],
)
def test_a_secret_is_found_in_whatever_form_it_is_quoted(secret: str, text: str) -> None:
    scrubbed = SecretResolver({"A": secret}).resolve({"a": {"secretRef": {"env": "A"}}}).scrub(text)

    assert MASK in scrubbed
    for piece in ("b3BlbnNzaC1rZXk", "QUJDREVGRw", "word", "sesam", *text.split()[-1:]):
        assert piece not in scrubbed


def test_a_text_that_quotes_a_secret_is_scrubbed() -> None:
    resolved = SecretResolver({"A": "abc", "B": "abcdef"}).resolve(
        {"a": {"secretRef": {"env": "A"}}, "b": {"secretRef": {"env": "B"}}}
    )

    assert resolved.scrub("bad key abcdef, not abc") == f"bad key {MASK}, not {MASK}"
    assert "abc" not in repr(resolved)
