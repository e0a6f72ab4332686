from __future__ import annotations

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from policyengine.cli.main import main
from policyengine.cli.problems import github, sarif
from policyengine.model.diagnostic import Diagnostic, Severity, Source, Span

HERE = Path("/project")
SPAN = Span(Source("/project/a b,c.yaml", "x"), 3, 5, 4, 7)
FOUND = [
    Diagnostic("unknown-effect", "`100%` is not an effect", SPAN, "did you mean `audit`?"),
    Diagnostic("missing-owner", "no owner", severity=Severity.WARNING),
]


def test_sarif_names_rule_level_and_place() -> None:
    document = json.loads(json.dumps(sarif(FOUND, HERE)))
    (run,) = document["runs"]
    first, second = run["results"]

    assert document["version"] == "2.1.0"
    assert [rule["id"] for rule in run["tool"]["driver"]["rules"]] == ["missing-owner", "unknown-effect"]
    assert (first["ruleId"], first["ruleIndex"], first["level"]) == ("unknown-effect", 1, "error")
    place = first["locations"][0]["physicalLocation"]
    assert place["artifactLocation"]["uri"] == "a%20b%2Cc.yaml"
    assert place["region"] == {"startLine": 3, "startColumn": 5, "endLine": 4, "endColumn": 7}
    assert (second["level"], "locations" in second) == ("warning", False)


def test_workflow_commands_escape_what_would_end_them() -> None:
    first, second = github(FOUND, HERE)

    assert first == (
        "::error file=a b%2Cc.yaml,line=3,endLine=4,col=5,title=unknown-effect::"
        "`100%25` is not an effect%0Adid you mean `audit`?"
    )
    assert second == "::warning title=missing-owner::no owner"


@pytest.fixture(autouse=True)
def signals_as_before() -> Iterator[None]:
    """A command line takes over the process's signals; the test run needs them back."""
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    yield
    for number, handler in before.items():
        signal.signal(number, handler)


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "p.yaml").write_text("if: {field: name, like: x}\nthen: {effect: audit}\n", encoding="utf-8")
    return tmp_path


def answer(*arguments: str) -> int:
    with pytest.raises(SystemExit) as ended:
        main(["validate", "p.yaml", *arguments])
    return int(ended.value.code or 0)


@pytest.mark.usefixtures("folder")
@pytest.mark.parametrize("format", ["text", "json", "sarif", "github", "csv"])
def test_the_answer_is_the_same_in_every_format(format: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("-o", format) == 0
    assert answer("-o", format, "--strict") == 1
    assert answer("-o", format, "--strict", "--ignore", "missing-owner,like-without-wildcard") == 0
    assert answer("-o", format, "--strict", "--select", "missing-owner") == 0
    assert "like-without-wildcard" in capsys.readouterr().out


@pytest.mark.usefixtures("folder")
def test_a_code_nobody_has_is_wrong_usage(capsys: pytest.CaptureFixture[str]) -> None:
    assert answer("--ignore", "like-without-wildcards") == 2
    assert "did you mean `like-without-wildcard`?" in capsys.readouterr().err


def test_other_commands_have_no_such_format(folder: Path) -> None:
    with pytest.raises(SystemExit) as ended:
        main(["aliases", "list", "Microsoft.Kubernetes/connectedClusters", "-o", "sarif"])

    assert ended.value.code == 2
