"""Clusters out of a file with one document to a line (NDJSON), in any order, of any size.

The file is read twice: once to learn where the documents of each cluster stand, which is kept in a database of its
own that lives as long as the reading, and once in order of the clusters. Neither holds more than a batch.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from typing import BinaryIO, Final

import msgspec

from policyengine.errors import InventoryError
from policyengine.inventory.containers import is_container, read_tree
from policyengine.inventory.documents import HELP, Document, cluster_key, orphaned, problem_of
from policyengine.model.fleet import Fleet, ScopeFailure, assemble
from policyengine.model.ids import ResourceId
from policyengine.model.resource import Cluster
from policyengine.model.values import get_folded

_BOM: Final = b"\xef\xbb\xbf"
_Row = tuple[str, int, int, int]


class _Head(msgspec.Struct):
    """What the first look wants of a document: the rest of it is passed over."""

    id: str


_HEAD: Final = msgspec.json.Decoder(_Head)


@dataclass(slots=True)
class Lines:
    """A file that was read once. ``places`` are known by any cluster in them."""

    path: Path
    index: sqlite3.Connection
    containers: list[Document] = field(default_factory=list)
    places: dict[tuple[str, str], ResourceId] = field(default_factory=dict)
    failures: list[ScopeFailure] = field(default_factory=list)
    groups: int = 0

    def clusters(self) -> Iterator[Cluster]:
        """In id order; what has no cluster above it is entered with the failures."""
        with self.path.open("rb") as file:
            rows = self.index.execute("SELECT owner, line, start, size FROM document ORDER BY owner, line")
            for _, group in groupby(rows, itemgetter(0)):
                clusters, orphans = assemble([self._document(file, *row) for row in group])
                self.failures += orphaned(orphans)
                for cluster in clusters:
                    id = cluster.id
                    self.places.setdefault(
                        ((id.subscription or "").casefold(), (id.resource_group or "").casefold()), id
                    )
                    yield cluster

    def rest(self) -> Fleet:
        """The fleet without its clusters, once all of them were read."""
        self.index.close()
        return Fleet(read_tree(self.containers, self.places.values()), (), tuple(self.failures))

    def _document(self, file: BinaryIO, _owner: str, number: int, start: int, size: int) -> Document:
        file.seek(start)
        return _document(file.read(size), number, self.path)


def read_lines(path: Path) -> Lines:
    """Raises InventoryError naming the first line that is no document, before any cluster is given out."""
    # Reading goes on in whatever thread is free, never in two at once. Without a name the database is nobody else's.
    lines = Lines(path, sqlite3.connect("", check_same_thread=False, isolation_level=None))
    try:
        _enter(lines)
    except BaseException:
        lines.index.close()
        raise
    return lines


def _enter(lines: Lines) -> None:
    index, rows = lines.index, _rows(lines)
    index.execute("CREATE TABLE document (owner TEXT, line INTEGER, start INTEGER, size INTEGER)")
    index.execute("BEGIN")
    index.executemany("INSERT INTO document VALUES (?, ?, ?, ?)", rows)
    index.execute("COMMIT")
    (lines.groups,) = index.execute("SELECT COUNT(DISTINCT owner) FROM document").fetchone()


def _rows(lines: Lines) -> Iterator[_Row]:
    """Owner, number, start and size of each document on a cluster or of one."""
    with lines.path.open("rb") as file:
        start = 0
        for number, line in enumerate(file, start=1):
            if number == 1:
                start, line = (len(_BOM), line.removeprefix(_BOM)) if line.startswith(_BOM) else (0, line)
            if line.strip():
                id = _id(line, number, start, lines.path)
                if is_container(id):
                    lines.containers.append(_document(line, number, lines.path))
                elif (owner := cluster_key(id)) is not None:
                    yield owner, number, start, len(line)
            start += len(line)


def _id(line: bytes, number: int, start: int, path: Path) -> ResourceId:
    """Of the document in the line. What the fast way does not take is read again, to say what is wrong with it."""
    try:
        return ResourceId(_HEAD.decode(line).id)
    except (msgspec.MsgspecError, UnicodeError, ValueError, RecursionError):
        try:
            line.decode()
        except UnicodeDecodeError as error:
            raise InventoryError(f"inventory file `{path}` is not UTF-8: byte {start + error.start + 1}") from error
        return ResourceId(str(get_folded(_document(line, number, path), "id")))


def _document(line: bytes, number: int, path: Path) -> Document:
    try:
        document = json.loads(line)
    except (ValueError, RecursionError) as error:
        why = error.msg if isinstance(error, json.JSONDecodeError) else "it is nested too deeply"
        raise InventoryError(
            f"{path}:{number}: this line is not JSON: {why.lower()}", help="write one whole document on each line"
        ) from error
    if (problem := problem_of(document)) is not None:
        raise InventoryError(f"{path}:{number}: {problem}", help=HELP)
    return document if isinstance(document, Mapping) else {}
