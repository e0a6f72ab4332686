"""The schema: made on first use, checked on every use, and never somebody else's."""

from __future__ import annotations

import importlib.resources
import logging
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from policyengine.errors import StoreError
from policyengine.store.database import Database
from policyengine.store.records import PolicyRecord, ScanRecord
from policyengine.store.schema import HEAD, REVISIONS, VERSION_TABLE
from policyengine.store.store import Store
from policyengine.store.tables import ClusterRow


def execute(url: str, *statements: str) -> None:
    database = Database(url)
    with database.write() as session:
        for statement in statements:
            session.execute(text(statement))
    database.close()


def alembic_config() -> Config:
    config = Config()
    config.set_main_option("script_location", "policyengine.store:migrations")
    config.set_main_option("path_separator", "os")
    return config


def tables(url: str) -> set[str]:
    database = Database(url)
    with database.read() as session:
        found = set(session.scalars(text(database.backend.list_tables)))
    database.close()
    return found


def test_a_fresh_database_gets_every_table_and_the_view(empty_url: str) -> None:
    Store.open(empty_url).close()

    assert tables(empty_url) == set(ClusterRow.metadata.tables) | {"compliance_state", VERSION_TABLE}


def test_the_migrations_make_what_the_rows_declare(database: Database) -> None:
    with database.read() as session:
        context = MigrationContext.configure(session.connection(), opts={"version_table": VERSION_TABLE})
        differences = compare_metadata(context, ClusterRow.metadata)

    assert differences == []


def test_the_program_knows_every_revision_it_ships() -> None:
    scripts = ScriptDirectory.from_config(alembic_config())

    assert [script.revision for script in scripts.walk_revisions()][::-1] == list(REVISIONS)
    assert scripts.get_current_head() == HEAD


def test_the_first_schema_can_be_taken_down_again(empty_url: str) -> None:
    Store.open(empty_url).close()
    database = Database(empty_url)
    with database.write() as session:
        config = alembic_config()
        config.attributes["connection"] = session.connection()
        command.downgrade(config, "base")
    database.close()

    assert tables(empty_url) == {VERSION_TABLE}
    Store.open(empty_url).close()


def test_a_database_of_the_release_before_is_brought_up_to_date(empty_url: str) -> None:
    """What was read is due since it was read, and nothing that was judged says yet what it was judged with."""
    database = Database(empty_url)
    with database.write() as session:
        config = alembic_config()
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "0002")
        names = "number, seq, key, id, name, subscription, resource_group, location, type, document, children"
        values = "7, 3, '/a', '/a', 'a', 's', 'g', '', '', '{}', '{}'"
        session.execute(text(f"INSERT INTO cluster ({names}, content_hash) VALUES ({values}, 'h')"))
        session.execute(
            text("INSERT INTO scan VALUES (1, '2026-11-01', '2026-11-01', :yes, 3, 'scan', '', 0, 1, 0)"), {"yes": True}
        )
    database.close()

    with Store.open(empty_url) as store:
        assert [numbers.tolist() for numbers in store.scanning.due(0)] == [[7], [3]]
        assert store.scanning.marks() == {}
        assert [(scan.id, scan.evaluated) for scan in store.scans()] == [("s-000001", 0)]


def test_what_was_stored_is_there_when_it_is_opened_again(
    empty_url: str, policy: Callable[[str], PolicyRecord]
) -> None:
    now = datetime(2026, 11, 22, tzinfo=UTC)
    with Store.open(empty_url) as store:
        record = store.record_scan(
            started=now, finished=now, verdicts=[], policies=[policy("flux")], complete=True, at=now
        )
    with Store.open(empty_url) as store:
        assert store.last_scan() == record == ScanRecord("s-000001", now, now, True, 0, 0, 1)
        assert store.policies() == [policy("flux")]


def test_a_database_of_a_newer_program_is_refused_untouched(empty_url: str) -> None:
    Store.open(empty_url).close()
    execute(empty_url, f"UPDATE {VERSION_TABLE} SET version_num = '9999'", "DROP VIEW compliance_state")
    before = tables(empty_url)

    with pytest.raises(StoreError, match="newer policyengine: its schema is `9999`") as error:
        Store.open(empty_url)

    assert error.value.help == "upgrade policyengine, or name another database"
    assert tables(empty_url) == before


def test_a_database_of_another_program_is_refused_untouched(empty_url: str) -> None:
    execute(empty_url, "CREATE TABLE alembic_version (version_num VARCHAR)", "CREATE TABLE orders (id INTEGER)")

    with pytest.raises(StoreError, match="belongs to another program: it has a table `alembic_version`"):
        Store.open(empty_url)

    assert tables(empty_url) == {"alembic_version", "orders"}


def test_tables_of_the_user_beside_ours_are_left_alone(empty_url: str) -> None:
    Store.open(empty_url).close()
    execute(empty_url, "CREATE TABLE my_notes (id INTEGER)")

    Store.open(empty_url).close()

    assert "my_notes" in tables(empty_url)


def test_a_damaged_database_is_refused(empty_url: str) -> None:
    Store.open(empty_url).close()
    execute(empty_url, "DROP VIEW compliance_state")

    with pytest.raises(StoreError, match="is damaged: `compliance_state` is missing"):
        Store.open(empty_url)


def test_a_refused_file_keeps_its_journal_mode(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/orders.db"
    execute(url, "CREATE TABLE orders (id INTEGER)")
    before = (tmp_path / "orders.db").read_bytes()

    with pytest.raises(StoreError):
        Store.open(url)

    assert (tmp_path / "orders.db").read_bytes() == before


def test_sqlite_keeps_a_write_ahead_log_and_foreign_keys(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    Store.open(url).close()
    database = Database(url)
    with database.write() as session:
        pragmas = [session.scalar(text(f"PRAGMA {name}")) for name in ("journal_mode", "foreign_keys", "synchronous")]
    database.close()

    assert pragmas == ["wal", 1, 1]
    assert [path.name for path in tmp_path.iterdir()] == ["store.db"]


def test_migrating_leaves_logging_as_it_was(
    empty_url: str, capfd: pytest.CaptureFixture[str], caplog: pytest.LogCaptureFixture
) -> None:
    before = (logging.getLogger().handlers[:], logging.getLogger().level, logging.getLogger("alembic").handlers[:])
    Store.open(empty_url).close()

    assert (
        logging.getLogger().handlers[:],
        logging.getLogger().level,
        logging.getLogger("alembic").handlers[:],
    ) == before
    assert capfd.readouterr() == ("", "")
    assert caplog.records == []


def test_an_open_at_the_head_does_not_load_alembic(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    Store.open(url).close()
    script = "import sys\nfrom policyengine.store.store import Store\nStore.open(sys.argv[1]).close()\n"
    script += "print(sorted(m for m in sys.modules if m.partition('.')[0] in {'alembic', 'mako', 'psycopg'}))"

    done = subprocess.run([sys.executable, "-c", script, url], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"


def test_the_migrations_are_part_of_the_package() -> None:
    folder = importlib.resources.files("policyengine.store") / "migrations"

    assert (folder / "env.py").is_file()
    assert (folder / "script.py.mako").is_file()


def test_sqlite_keeps_rows_by_their_key_where_the_tables_say_so(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/store.db"
    Store.open(url).close()
    database = Database(url)
    with database.read() as session:
        made = session.execute(text("SELECT name, sql FROM sqlite_master WHERE type = 'table'")).all()
    database.close()

    declared = {
        name for name, table in ClusterRow.metadata.tables.items() if table.kwargs.get("sqlite_with_rowid") is False
    }
    assert {name for name, sql in made if "WITHOUT ROWID" in sql} == declared != set()


def test_findings_and_roll_ups_of_the_schema_before_are_kept(empty_url: str) -> None:
    database = Database(empty_url)
    with database.write() as session:
        config = alembic_config()
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "0007")
        session.execute(text("INSERT INTO finding VALUES (7, 1, 'Exempt', '2026-11-01', 3)"))
        session.execute(text("INSERT INTO rollup VALUES (1, 's', 'g', 'Exempt', 5)"))
        session.execute(text("INSERT INTO group_total VALUES ('s', 'g', 'Exempt', 6)"))
    database.close()
    Store.open(empty_url).close()

    database = Database(empty_url)
    with database.read() as session:
        kept = [
            tuple(row)
            for name in ("finding", "rollup", "group_total")
            for row in session.execute(text(f"SELECT * FROM {name}"))
        ]
    database.close()
    assert [row[:3] for row in kept] == [(7, 1, "Exempt"), (1, "s", "g"), ("s", "g", "Exempt")]
    assert [row[-1] for row in kept] == [3, 5, 6]


def test_a_database_of_the_first_schema_keeps_its_policies(empty_url: str) -> None:
    database = Database(empty_url)
    with database.write() as session:
        config = alembic_config()
        config.attributes["connection"] = session.connection()
        command.upgrade(config, "0001")
    database.close()
    columns = "key, position, digest, assignment, definition, display_name, severity, effect, owner, runbook"
    execute(
        empty_url, f"INSERT INTO assignment ({columns}) VALUES ('a', 0, 'd', 'a', 'p', 'P', 'low', 'audit', '', '')"
    )

    store = Store.open(empty_url)
    (policy,) = store.policies()
    store.close()

    assert (policy.key, policy.message) == ("a", "")
