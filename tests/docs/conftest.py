"""The reference pages as values: sections, tables, code blocks, links."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parents[2]

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_HEADING = re.compile(r"^(#+) (.+)$", re.MULTILINE)
_LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
_CODE = re.compile(r"`([^`]+)`")


@dataclass(frozen=True)
class Row:
    """One row of a table, by the titles of its columns; the first column may have none."""

    cells: dict[str, str]

    def __getitem__(self, title: str) -> str:
        return self.cells[title]

    @property
    def first(self) -> str:
        return next(iter(self.cells.values()))

    def codes(self, title: str | None = None) -> list[str]:
        """What stands between backticks, in one cell or, without a title, in the first."""
        return _CODE.findall(self.first if title is None else self.cells[title])


@dataclass(frozen=True)
class Page:
    """A Markdown text and the file it stands in."""

    path: Path
    text: str

    @cached_property
    def prose(self) -> str:
        """Without code blocks, where nothing is a heading, a table or a link."""
        return _FENCED.sub("", self.text)

    @property
    def headings(self) -> list[str]:
        return [heading for _, heading in _HEADING.findall(self.prose)]

    @property
    def anchors(self) -> set[str]:
        return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in self.headings}

    @property
    def links(self) -> list[str]:
        return _LINK.findall(self.prose)

    def section(self, heading: str) -> Page:
        """What stands below ``heading``, its subsections included."""
        found = next((match for match in _HEADING.finditer(self.text) if match[2] == heading), None)
        assert found is not None, f"{self.path.name} has no section {heading!r}"
        rest = self.text[found.end() :]
        end = re.search(rf"^#{{1,{len(found[1])}}} ", rest, re.MULTILINE)
        return Page(self.path, rest[: end.start()] if end else rest)

    def blocks(self, language: str) -> list[str]:
        return [body for found, body in _FENCED.findall(self.text) if found == language]

    @property
    def rows(self) -> list[Row]:
        """The rows of every table."""
        return list(_rows(self.prose))

    def table(self, title: str) -> list[Row]:
        """The rows of the tables whose first column has that title."""
        return [row for row in self.rows if next(iter(row.cells)) == title]


def _rows(text: str) -> Iterator[Row]:
    titles: list[str] | None = None
    for line in text.splitlines():
        if not line.startswith("|"):
            titles = None
            continue
        cells = [cell.strip() for cell in line.strip()[1:-1].split("|")]
        if titles is None:
            titles = cells
        elif not set("".join(cells)) <= set("-: "):
            assert len(cells) == len(titles), f"a row does not fit its table: {line}"
            yield Row(dict(zip(titles, cells, strict=True)))


def read_page(path: str) -> Page:
    return Page(REPOSITORY / path, (REPOSITORY / path).read_text(encoding="utf-8"))


@pytest.fixture(scope="session")
def page() -> Callable[[str], Page]:
    """``page("docs/language.md")``; paths start at the repository."""
    return read_page


@pytest.fixture(scope="session")
def pages() -> list[Page]:
    """Every page that people read: the reference, and the two that lead to it."""
    reference = sorted(path.relative_to(REPOSITORY).as_posix() for path in (REPOSITORY / "docs").glob("*.md"))
    return [read_page(path) for path in ("README.md", "samples/README.md", *reference)]
