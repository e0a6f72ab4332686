"""What a process that only judges reads is what a scan reads, from either database."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from policyengine.errors import StoreError
from policyengine.model.resource import Cluster
from policyengine.store.documents import Documents
from policyengine.store.store import Store


def test_it_reads_what_a_scan_reads(
    store: Store, url: str, sync: Any, cluster: Callable[..., Cluster], number_from: Callable[[int], None]
) -> None:
    number_from(4090)
    sync(*(cluster(f"c{n:02d}") for n in range(12)))
    sync(removed=[cluster("c03")])
    documents = Documents.open(url)

    assert len(documents.documents([0, 1])) == 11
    assert documents.documents([1]) == store.scanning.documents([1])
    assert documents.documents([0, 1, 7]) == store.scanning.documents([0, 1, 7])
    assert documents.documents((), [4101, 4091]) == store.scanning.documents((), [4091, 4101])
    documents.close()


def test_it_makes_no_database_where_there_is_none(tmp_path: Path) -> None:
    documents = Documents.open(f"sqlite:///{tmp_path}/none.db")

    with pytest.raises(StoreError, match=r"none\.db` cannot be read: unable to open database file"):
        documents.documents([0])
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["50 #ä+@b.db", "50%20.db", "50.db?timeout=9"])
def test_it_opens_what_the_store_opens(tmp_path: Path, name: str) -> None:
    url = f"sqlite:///{tmp_path}/{name}"
    with Store.open(url):
        assert Documents.open(url).documents([0]) == []


def test_what_judges_needs_neither_the_tables_nor_the_wire() -> None:
    """A scan waits for its processes."""
    program = "import policyengine.workflows.shards, sys; print(*{name.partition('.')[0] for name in sys.modules})"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, timeout=30)

    assert set(done.stdout.split()) & {"sqlalchemy", "sqlmodel", "pydantic", "alembic", "httpx", "aiohttp"} == set()
