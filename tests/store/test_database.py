"""The door: which URLs are understood, and what a person reads when the database cannot be used."""

from __future__ import annotations

import sys
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import text

from policyengine.errors import StoreError
from policyengine.store.database import Database
from policyengine.store.store import Store

NOW = datetime(2026, 11, 22, 20, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("url", "message"),
    [
        ("", "is not named by a URL"),
        ("policyengine.db", "is not named by a URL"),
        ("postgresql://joe:s3cret@host:port/db", "is not named by a URL"),
        ("mysql://joe:s3cret@host/db", "no kind of database called `mysql`"),
        ("postgresql+asyncpg://joe:s3cret@host/db", "no kind of database called `postgresql+asyncpg`"),
        ("postgresql://joe:s3cret@s3cret@host/db", "more than one `@`"),
        ("sqlite://", "names no file"),
        ("sqlite:///:memory:", "names no file"),
        ("sqlite://policyengine.db", "names no file"),
    ],
)
def test_a_url_that_names_no_database_is_refused_without_repeating_it(url: str, message: str) -> None:
    with pytest.raises(StoreError) as error:
        Store.open(url)

    assert message in error.value.message
    assert error.value.help
    assert "s3cret" not in error.value.message + error.value.help


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match=f"there is no folder `{tmp_path}/nowhere`") as error:
        Store.open(f"sqlite:///{tmp_path}/nowhere/store.db")

    assert "make the folder first" in (error.value.help or "")


def test_a_folder_is_not_a_database(tmp_path: Path) -> None:
    with pytest.raises(StoreError, match="is a folder"):
        Store.open(f"sqlite:///{tmp_path}")


def test_a_file_of_another_kind_is_refused_untouched(tmp_path: Path) -> None:
    file = tmp_path / "notes.txt"
    file.write_text("not a database, only a long enough text to be looked at " * 20)
    before = file.read_bytes()

    with pytest.raises(StoreError, match=r"notes\.txt` cannot be used: file is not a database"):
        Store.open(f"sqlite:///{file}")

    assert file.read_bytes() == before


def test_a_relative_path_keeps_its_meaning_when_the_folder_changes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path)
    with Store.open("sqlite:///store.db") as store:
        monkeypatch.chdir(tmp_path / "elsewhere")
        store.record_fire("nightly", NOW)

    assert not list((tmp_path / "elsewhere").iterdir())
    with Store.open(f"sqlite:///{tmp_path}/store.db") as store:
        assert store.last_fire("nightly") == NOW


def test_without_psycopg_the_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(StoreError, match="`psycopg`, which is not installed") as error:
        Store.open("postgresql://joe@127.0.0.1/db")

    assert "policyengine-fleet[postgres]" in (error.value.help or "")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+psycopg"])
def test_a_server_that_does_not_answer_is_named_without_the_password(scheme: str) -> None:
    pytest.importorskip("psycopg")
    with pytest.raises(StoreError) as error:
        Store.open(f"{scheme}://joe:s3cret@127.0.0.1:1/fleet?sslmode=disable&application_name=s3cret")

    assert "database `postgresql://joe@127.0.0.1:1/fleet` cannot be reached: " in error.value.message
    assert "s3cret" not in error.value.message
    assert "\n" not in error.value.message


def test_a_database_that_does_not_exist_is_told(postgresql: str) -> None:
    with pytest.raises(StoreError, match=r'cannot be reached: .*"nowhere" does not exist'):
        Store.open(postgresql.replace("/postgres?", "/nowhere?"))


def test_options_of_the_url_reach_the_server(postgresql: str) -> None:
    """Users put our tables into a schema of their own this way."""
    database = Database(f"{postgresql}&options=-c%20statement_timeout%3D7000&connect_timeout=3", busy_timeout_s=5)
    with database.read() as session:
        found = [session.scalar(text(f"SHOW {name}")) for name in ("statement_timeout", "lock_timeout")]
    database.close()

    assert found == ["7s", "5s"]


def test_a_writer_that_holds_on_makes_others_give_up_with_a_reason(url: str, store: Store) -> None:
    holder = Database(url)
    with holder.write(), Store.open(url, busy_timeout_s=0.05) as waiting:
        with pytest.raises(StoreError, match=r"is busy: another process has been writing for 0.05 s"):
            waiting.record_fire("nightly", NOW)
        assert waiting.last_fire("nightly") is None
    holder.close()

    assert store.record_fire("nightly", NOW)


def test_readers_see_one_instant_and_wait_for_nobody(url: str, store: Store) -> None:
    reader = Database(url)
    count = text("SELECT count(*) FROM fire")
    with reader.read() as session:
        before = session.scalar(count)
        store.record_fire("nightly", NOW)
        during = session.scalar(count)
    with reader.read() as session:
        after = session.scalar(count)
    reader.close()

    assert (before, during, after) == (0, 0, 1)


def test_a_write_that_raises_leaves_nothing(database: Database, store: Store) -> None:
    def write() -> None:
        with database.write() as session:
            session.execute(text("INSERT INTO schedule (name) VALUES ('nightly')"))
            raise RuntimeError("changed my mind")

    with pytest.raises(RuntimeError):
        write()

    with database.read() as session:
        assert session.scalar(text("SELECT count(*) FROM schedule")) == 0


def test_a_statement_that_fails_is_told_without_its_values(database: Database) -> None:
    with pytest.raises(StoreError) as error, database.write() as session:
        session.execute(text("INSERT INTO nowhere (secret) VALUES (:value)"), {"value": "s3cret"})

    assert "nowhere" in error.value.message
    assert "s3cret" not in error.value.message
    assert "\n" not in error.value.message


def test_rows_that_point_nowhere_are_refused(database: Database) -> None:
    with pytest.raises(StoreError, match="cannot be used"), database.write() as session:
        session.execute(text("INSERT INTO state_block (assignment, chunk, states) VALUES (99, 0, :s)"), {"s": b""})
