"""Problems in files for other programs: SARIF for code scanning, workflow commands for GitHub Actions.

Source: OASIS SARIF 2.1.0; GitHub, "Workflow commands for GitHub Actions".
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from urllib.parse import quote

from policyengine import __version__
from policyengine.language.problems import CODES
from policyengine.model.diagnostic import Diagnostic, Span
from policyengine.model.values import JSON

SCHEMA = "https://json.schemastore.org/sarif-2.1.0.json"


def rows(diagnostics: Sequence[Diagnostic]) -> list[dict[str, JSON]]:
    """One flat object a problem."""
    return [
        {
            "file": d.span.source.name if d.span else None,
            "line": d.span.line if d.span else None,
            "column": d.span.column if d.span else None,
            "severity": d.severity.value,
            "code": d.code,
            "message": d.message,
            "help": d.help,
        }
        for d in diagnostics
    ]


def sarif(diagnostics: Sequence[Diagnostic], here: Path) -> dict[str, JSON]:
    """One run of SARIF 2.1.0; files under ``here`` are named from there."""
    codes = sorted({d.code for d in diagnostics})
    driver = {
        "name": "policyengine",
        "version": __version__,
        "rules": [{"id": code, "shortDescription": {"text": CODES.get(code, code)}} for code in codes],
    }
    results = [_result(d, codes.index(d.code), here) for d in diagnostics]
    run = {"tool": {"driver": driver}, "columnKind": "unicodeCodePoints", "results": results}
    return {"$schema": SCHEMA, "version": "2.1.0", "runs": [run]}


def _result(diagnostic: Diagnostic, rule: int, here: Path) -> dict[str, JSON]:
    result: dict[str, JSON] = {
        "ruleId": diagnostic.code,
        "ruleIndex": rule,
        "level": diagnostic.severity.value,
        "message": {"text": _sentence(diagnostic, "; ")},
    }
    if (span := diagnostic.span) is not None:
        place = {"artifactLocation": {"uri": quote(_relative(span, here))}, "region": _region(span)}
        result["locations"] = [{"physicalLocation": place}]
    return result


def _region(span: Span) -> dict[str, int]:
    return {
        "startLine": span.line,
        "startColumn": span.column,
        "endLine": span.end_line,
        "endColumn": span.end_column,
    }


def github(diagnostics: Sequence[Diagnostic], here: Path) -> Iterator[str]:
    """One workflow command a problem."""
    for d in diagnostics:
        place = ""
        if (span := d.span) is not None:
            file = _property(_relative(span, here))
            place = f"file={file},line={span.line},endLine={span.end_line},col={span.column},"
        yield f"::{d.severity.value} {place}title={_property(d.code)}::{_data(_sentence(d, chr(10)))}"


def _sentence(diagnostic: Diagnostic, between: str) -> str:
    return between.join(part for part in (diagnostic.message, diagnostic.help) if part)


def _relative(span: Span, here: Path) -> str:
    path = Path(span.source.name)
    return (path.relative_to(here) if path.is_relative_to(here) else path).as_posix()


def _data(text: str) -> str:
    return text.replace("%", "%25").replace("\r", "%0D").replace("\n", "%0A")


def _property(text: str) -> str:
    return _data(text).replace(":", "%3A").replace(",", "%2C")
