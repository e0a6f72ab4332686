"""The sessions on the page about Python are what Python answers."""

from __future__ import annotations

import doctest
import re
from collections.abc import Callable
from inspect import signature
from typing import TYPE_CHECKING

import policyengine

if TYPE_CHECKING:
    from tests.docs.conftest import Page


def test_the_sessions_run_as_shown(page: Callable[[str], Page]) -> None:
    found = page("docs/api.md")
    text = "\n".join(found.blocks("python"))
    test = doctest.DocTestParser().get_doctest(text, {}, found.path.name, found.path.name, 0)
    runner = doctest.DocTestRunner(verbose=False)
    told: list[str] = []

    runner.run(test, out=told.append)

    assert "".join(told) == ""
    assert runner.tries > 5


def test_every_function_is_shown_with_its_arguments(page: Callable[[str], Page]) -> None:
    text = re.sub(r"\s+", " ", page("docs/api.md").path.read_text(encoding="utf-8"))
    for function in (policyengine.parse_definition, policyengine.evaluate, policyengine.evaluate_expression):
        arguments = ", ".join(str(p).partition(":")[0] + ("=" + repr(p.default) if p.default is not p.empty else "")
                              for p in signature(function).parameters.values())  # fmt: skip
        shown = re.search(rf"`{function.__name__}\((.*?)\)`", text)
        assert shown is not None
        assert shown[1].replace("*, ", "").replace("related=()", "related=()") == arguments
