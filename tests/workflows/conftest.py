"""A project in a temporary folder: policy files, an inventory file, a database, and a clock that stands still."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from policyengine.model.resource import AKS, ARC, EXTENSIONS, FLUX_CONFIGURATIONS
from policyengine.reports import Report
from policyengine.store.store import Store
from policyengine.workflows.plan import Planned, PlanRequest, make_plan
from policyengine.workflows.report import make_report
from policyengine.workflows.scan import ScanRequest, ScanResult, scan
from policyengine.workflows.settings import Settings
from policyengine.workflows.sync import unwatched

SUBSCRIPTION = "/subscriptions/5b0c0000-0000-0000-0000-000000000001"
FLUX = {"extensionType": "microsoft.flux", "provisioningState": "Succeeded", "releaseTrain": "Stable"}


@dataclass
class ManualClock:
    instant: datetime = datetime(2026, 11, 22, 12, tzinfo=UTC)

    def now(self) -> datetime:
        return self.instant

    def advance(self, **time: float) -> None:
        self.instant += timedelta(**time)


@dataclass
class Project:
    """What the verbs work on. Clusters are kept by name; every change is in the inventory file at once."""

    folder: Path
    store: Store
    clock: ManualClock = field(default_factory=ManualClock)
    documents: dict[str, list[Mapping[str, Any]]] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return Settings(
            policies=[str(self.folder / "policies")],
            database=f"sqlite:///{self.folder}/policyengine.db",
            inventory=f"file:{self.folder}/fleet.json",
        )

    def write(self, path: str, text: str) -> Path:
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    def put(
        self,
        name: str,
        *,
        group: str = "stores-no",
        type: str = ARC,
        tags: Mapping[str, str] | None = None,
        extensions: Mapping[str, Mapping[str, Any]] | None = None,
        flux: Mapping[str, Mapping[str, Any]] | None = None,
        **properties: Any,
    ) -> str:
        """Put the cluster in the inventory, in place of what was known of it; answers with its id."""
        id = f"{SUBSCRIPTION}/resourceGroups/{group}/providers/{type}/{name}"
        head = {"id": id, "location": "norwayeast", "tags": tags or {}, "properties": properties}
        children = [
            {"id": f"{id}/providers/{kind}/{child}", "properties": dict(body)}
            for kind, found in ((EXTENSIONS, extensions), (FLUX_CONFIGURATIONS, flux))
            for child, body in (found or {}).items()
        ]
        self.documents[name] = [head, *children]
        self.write("fleet.json", json.dumps([d for documents in self.documents.values() for d in documents]))
        return id

    def scan(self, **request: Any) -> ScanResult:
        asked = ScanRequest(**request)
        return asyncio.run(scan(self.settings, self.store, self.clock, asked, on_sync=unwatched, on_scan=unwatched))

    def plan(self, **request: Any) -> Planned:
        return asyncio.run(make_plan(self.settings, self.store, self.clock, PlanRequest(**request), unwatched))

    def report(self) -> Report:
        return make_report(self.settings, self.store, self.clock)


NEEDS_FLUX = f"""
apiVersion: policyengine/v1
kind: PolicyDefinition
metadata: {{name: flux, displayName: Flux is installed, severity: high, owner: platform, version: 1.0.0}}
spec:
  appliesTo: [aks, arc]
  require: {{extension: {{extensionType: microsoft.flux, releaseTrain: Stable}}}}
---
apiVersion: policyengine/v1
kind: Assignment
metadata: {{name: edge}}
spec: {{policy: flux, scope: {SUBSCRIPTION}}}
"""


@pytest.fixture
def project(tmp_path: Path) -> Iterator[Project]:
    """One policy, `flux`, assigned to everything as `edge`; no clusters yet."""
    with Store.open(f"sqlite:///{tmp_path}/policyengine.db") as store:
        project = Project(tmp_path, store)
        project.write("policies/flux.yaml", NEEDS_FLUX)
        yield project


@pytest.fixture
def flux() -> Mapping[str, Mapping[str, Any]]:
    """The extensions of a compliant cluster."""
    return {"flux": FLUX}


@pytest.fixture
def aks() -> str:
    return AKS
