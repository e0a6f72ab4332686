"""The demo is the first thing anybody runs."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[subprocess.CompletedProcess[str], Path]:
    folder = tmp_path_factory.mktemp("demo")
    environment = {k: v for k, v in os.environ.items() if not k.startswith("POLICYENGINE_")}
    run = subprocess.run(
        [sys.executable, "-m", "policyengine", "demo"],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=170,
        check=False,
    )
    return run, folder


Demo = tuple[subprocess.CompletedProcess[str], Path]


def test_it_ends_with_a_higher_compliance_than_it_began_with(demo: Demo) -> None:
    run, _ = demo
    found = re.search(r"(\d+) % → (\d+) % compliant", run.stdout)

    assert run.returncode == 0, run.stderr
    assert found is not None
    assert int(found[2]) > int(found[1])


def test_it_leaves_its_report_and_nothing_else(demo: Demo) -> None:
    _, folder = demo

    assert [path.name for path in folder.iterdir()] == ["report.html"]
    assert (folder / "report.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.parametrize(
    "text",
    [
        "Flux reports Non-Compliant",  # one finding explained
        'gitRepository.repositoryRef.branch   "release/1.8" → "main"',  # a field-level update
        "parked: agent offline",
        "refused: write conflict on `gitRepository.repositoryRef.branch`",
        "another operation is in progress",  # a 409, retried
        'admission webhook "validation.gatekeeper.sh" denied the request',  # a failure's innermost cause
        "WHY IT REMAINS",
        "$ policyengine scan",
        "$ policyengine explain",
        "$ policyengine plan",
        "$ policyengine remediate --plan p-",
        "$ policyengine report --out",
    ],
)
def test_it_tells(demo: Demo, text: str) -> None:
    run, _ = demo

    assert text in run.stdout + run.stderr


def test_every_finding_that_remains_says_why(demo: Demo) -> None:
    run, _ = demo
    remaining = run.stdout.partition("WHY IT REMAINS")[2].partition("7 ·")[0]
    rows = [line for line in remaining.splitlines() if re.match(r"\S+ +\S+ +[✘–!?≠] ", line)]

    assert len(rows) > 5
    assert all(len(re.split(r" {2,}", row.strip())) >= 4 for row in rows)
