"""Pages that people read lead somewhere, and betray no machine."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.docs.conftest import Page

OUR_HOSTS = re.compile(
    r"(.+\.)?((azure|microsoft|microsoftonline|github)\.com|usgovcloudapi\.net|example)|127\.0\.0\.1|localhost"
)
OUR_ROOTS = {
    "{tenant",
    "metadata",
    "subscriptions",
    "providers",
    "tenants",
    "_emulator",
    "disconnect",
    "healthz",
    "readyz",
    "{id",
}
"""How paths of Resource Manager and of our own services begin; any other path from the root is a machine's."""

HOST = re.compile(r"\b(?:[\w-]+\.)+(?:com|org|net|io|dev|example)\b(?!\.\w)|\b\d+\.\d+\.\d+\.\d+\b")
ROOTED = re.compile(r"""(?:^|(?<=[\s`"'(\[=:]))/([\w{][\w.-]*)""", re.MULTILINE)


def test_every_relative_link_leads_to_a_file_and_to_a_heading_in_it(
    pages: list[Page], page: Callable[[str], Page]
) -> None:
    dead = []
    for origin in pages:
        for link in origin.links:
            path, _, anchor = link.partition("#")
            target = (origin.path.parent / path).resolve() if path else origin.path
            if not re.match(r"[a-z]+:", link) and not leads(target, anchor, page):
                dead.append(f"{origin.path.name}: {link}")

    assert dead == []


def leads(target: Path, anchor: str, page: Callable[[str], Page]) -> bool:
    return target.exists() and (not anchor or anchor in page(str(target)).anchors)


def test_the_index_names_every_page_of_the_reference(page: Callable[[str], Page], pages: list[Page]) -> None:
    index = page("docs/README.md")
    reference = {p.path.name for p in pages if p.path.parent.name == "docs" and p.path != index.path}

    assert {link for row in index.rows for link in re.findall(r"\((.+?)\)", row.first)} == reference


def test_no_page_names_a_path_of_a_machine(pages: list[Page]) -> None:
    roots = {(p.path.name, root) for p in pages for root in ROOTED.findall(p.text)}

    assert {(name, root) for name, root in roots if root not in OUR_ROOTS} == set()
    assert [p.path.name for p in pages if re.search(r"\b[A-Z]:\\", p.text)] == []


def test_no_page_sends_anybody_to_an_unknown_host(pages: list[Page]) -> None:
    hosts = {(p.path.name, host) for p in pages for host in HOST.findall(p.text)}

    assert {(name, host) for name, host in hosts if not OUR_HOSTS.fullmatch(host)} == set()
