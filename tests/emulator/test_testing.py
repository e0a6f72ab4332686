"""The helper for tests of other projects, as the page on the emulator shows it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import httpx
import pytest

import policyengine
from policyengine.emulator.testing import emulated
from policyengine.errors import InventoryError

FLEET = {
    "apiVersion": "policyengine/v1",
    "kind": "Fleet",
    "tenantId": "t",
    "subscriptions": [{"subscriptionId": "s"}],
}
PAGE = Path(__file__).parents[2] / "docs/emulator.md"
CONFTEST = """
import pytest

pytest_plugins = ["policyengine.emulator.testing"]


@pytest.fixture
def policyengine_fleet():
    return "3"
"""
TEST = """
from urllib.request import urlopen


def test_it_is_there(policyengine_emulator):
    assert b'"clusters": 3' in urlopen(f"{policyengine_emulator.url}/_emulator/health").read()
    assert policyengine_emulator.emulator.clock.mode == "frozen"
"""


def test_a_fleet_may_be_a_document_a_size_or_nothing() -> None:
    for fleet, clusters in ((FLEET, 0), ("20", 20), (None, 0)):
        with emulated(fleet) as running:
            assert httpx.get(f"{running.url}/_emulator/health").json()["clusters"] == clusters


def test_a_fleet_that_cannot_be_used_is_refused() -> None:
    with pytest.raises(InventoryError), emulated("many"):
        pass


def test_the_example_of_the_page_runs(capsys: pytest.CaptureFixture[str]) -> None:
    text = PAGE.read_text(encoding="utf-8")
    example = next(block for block in text.split("```python\n")[1:] if "emulated(" in block).partition("```")[0]
    exec(compile(example, str(PAGE), "exec"), {})
    assert int(capsys.readouterr().out) == 20


def test_the_fixture_works_in_a_project_of_its_own(tmp_path: Path) -> None:
    (tmp_path / "conftest.py").write_text(CONFTEST, encoding="utf-8")
    (tmp_path / "test_it.py").write_text(TEST, encoding="utf-8")
    ran = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", str(tmp_path)],
        cwd=tmp_path,
        env={"PYTHONPATH": str(Path(policyengine.__file__).parents[1]), "PATH": ""},
        capture_output=True,
        text=True,
        check=False,
        timeout=60,
    )
    assert ran.returncode == 0, ran.stdout
