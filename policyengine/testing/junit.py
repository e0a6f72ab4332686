"""Test results as JUnit XML, which every build server reads."""

from __future__ import annotations

import re
from typing import Final
from xml.etree import ElementTree

from policyengine.testing.results import CaseResult, FileResult, Mismatch, TestRun

_NOT_XML: Final = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def to_junit(run: TestRun) -> str:
    """One suite a file, one case a case; a case that could not be judged is an error, one that fails a failure."""
    root = ElementTree.Element("testsuites", {"name": "policyengine", **_counts(tuple(run.cases))})
    for file in run.files:
        _add_file(root, file)
    ElementTree.indent(root)
    return ElementTree.tostring(root, encoding="unicode", xml_declaration=True) + "\n"


def _add_file(root: ElementTree.Element, file: FileResult) -> None:
    suite = ElementTree.SubElement(root, "testsuite", {"name": _clean(file.name), **_counts(file.cases)})
    for case in file.cases:
        element = ElementTree.SubElement(
            suite,
            "testcase",
            name=_clean(case.name),
            classname=_clean(case.policy),
            file=_clean(case.place.source.name),
            line=str(case.place.line),
            time=f"{case.seconds:.3f}",
        )
        if case.error is not None:
            ElementTree.SubElement(element, "error", message=_clean(case.error.partition("\n")[0])).text = _clean(
                case.error
            )
        for mismatch in case.mismatches:
            failure = ElementTree.SubElement(element, "failure", message=_clean(mismatch.sentence))
            failure.text = _clean(_details(mismatch))


def _counts(cases: tuple[CaseResult, ...]) -> dict[str, str]:
    outcomes = [case.outcome for case in cases]
    return {
        "tests": str(len(outcomes)),
        "failures": str(outcomes.count("failed")),
        "errors": str(outcomes.count("error")),
        "time": f"{sum(case.seconds for case in cases):.3f}",
    }


def _details(mismatch: Mismatch) -> str:
    lines = [mismatch.sentence]
    lines += [
        f"clause {c.number} of {c.total}: {c.text}" + (f" ({c.place})" if c.place else "") for c in mismatch.clues
    ]
    return "\n".join([*lines, f"hint: {mismatch.hint}"] if mismatch.hint else lines)


def _clean(text: str) -> str:
    """Without the characters that XML has no way to write."""
    return _NOT_XML.sub("\ufffd", text)
