"""The codes of diagnostics are a promise: every code that is used is in the table, and the table has no others."""

from __future__ import annotations

import re
from pathlib import Path

import policyengine
from policyengine.language.checker import RULES
from policyengine.language.problems import CODES, Problems

REPORTED = re.compile(r'(?:error|warning)\(\s*"([a-z]+(?:-[a-z]+)*)"')


def test_every_code_in_use_is_in_the_table_and_none_besides() -> None:
    package = Path(policyengine.__file__).parent
    files = [*package.glob("language/**/*.py"), *package.glob("text/*.py")]
    texts = [file.read_text(encoding="utf-8") for file in files if file.name != "problems.py"]
    reported = {code for text in texts for code in REPORTED.findall(text)}

    assert reported <= set(CODES)
    assert {code for code in CODES if not any(f'"{code}"' in text for text in texts)} == set()
    assert set(RULES) <= set(CODES)


def test_codes_are_sorted_and_explained() -> None:
    assert list(CODES) == sorted(CODES)
    assert all(meaning for meaning in CODES.values())


def test_the_same_problem_is_told_once() -> None:
    problems = Problems()
    problems.error("cycle", "a ring", None)
    problems.error("cycle", "a ring", None)

    assert len(problems.found) == 1
