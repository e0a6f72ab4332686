"""What a person sees when a file is wrong; `pytest --update-golden` rewrites the expected text."""

from __future__ import annotations

from pathlib import Path

import pytest

from policyengine.language.aliases import AliasCatalogue
from policyengine.language.checker import check
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import parse_documents
from policyengine.model.diagnostic import render

GOLDEN = Path(__file__).parent.parent / "golden" / "diagnostics"


@pytest.mark.parametrize("file", sorted(GOLDEN.glob("*.yaml")), ids=lambda file: str(file.stem))
def test_diagnostics_read_as_reviewed(file: Path, aliases: AliasCatalogue, update_golden: bool) -> None:
    parsed = parse_documents(file.read_text(encoding="utf-8"), file.name, aliases)
    library, between = PolicyLibrary.build(parsed.documents)
    diagnostics = [*parsed.diagnostics, *between, *check(library, aliases)]
    shown = "\n\n".join(render(d) for d in sorted(diagnostics, key=lambda d: d.sort_key)) + "\n"
    expected = file.with_suffix(".txt")
    if update_golden:
        expected.write_text(shown, encoding="utf-8")

    assert shown == expected.read_text(encoding="utf-8")


def test_there_is_something_to_read() -> None:
    assert len(list(GOLDEN.glob("*.yaml"))) >= 4
