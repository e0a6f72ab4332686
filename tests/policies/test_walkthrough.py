"""The commands of `samples/README.md` work as printed: here those that need no server, in a copy of the folder."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest
from typer.testing import CliRunner

from policyengine.cli.main import app
from policyengine.workflows.data import data_root

SAMPLES = data_root() / "samples"
NEEDS_A_SERVER = {"emulator", "inventory", "plan", "remediate"}


def commands() -> Iterator[list[str]]:
    readme = (SAMPLES / "README.md").read_text(encoding="utf-8")
    (block,) = re.findall(r"```sh\n(.*?)```", readme, re.DOTALL)
    for line in block.splitlines():
        words = shlex.split(line.replace("&", ""), comments=True)
        assert words[0] == "policyengine"
        yield words[1:]


def run(words: Sequence[str]) -> str:
    """What the command prints; the test fails when it ends otherwise than well."""
    result = CliRunner().invoke(app, [*words])
    assert result.exit_code == 0, f"{words}: {result.output}{result.exception}"
    return result.stdout


@pytest.mark.parametrize("name", sorted(NEEDS_A_SERVER))
def test_the_other_commands_exist(name: str) -> None:
    written = [words for words in commands() if words[0] == name]

    assert written
    for words in written:
        told = run([*(word for word in words[:2] if not word.startswith("-")), "--help"])
        assert [word for word in words if word.startswith("--") and word not in told] == []


def test_the_walk_works_from_the_file_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "samples"
    shutil.copytree(SAMPLES, folder)
    monkeypatch.chdir(folder)
    told = run(["inventory", "import", "fleet.yaml"])
    for words in commands():
        if words[0] not in NEEDS_A_SERVER:
            told += run([*words, "--no-sync"] if words == ["scan"] else words)

    assert "78 %" in told
    assert "edge-cph-01 does not follow the fleet repository" in told
    assert "edge-osl-03" in (folder / "report.html").read_text(encoding="utf-8")
