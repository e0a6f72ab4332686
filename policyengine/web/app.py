"""The web application: for now, what an orchestrator asks of a service."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from fastapi import FastAPI
from fastapi.responses import JSONResponse

from policyengine import __version__

Readiness = Callable[[], Mapping[str, str]]
"""What stands in the way of work: part → problem; empty when ready."""


def create_app(readiness: Readiness) -> FastAPI:
    app = FastAPI(title="policyengine", version=__version__, docs_url=None, redoc_url=None)

    @app.get("/healthz")
    def healthz() -> dict[str, str]:
        """Alive: the process answers."""
        return {"status": "ok", "version": __version__}

    @app.get("/readyz")
    def readyz() -> JSONResponse:
        """Ready: the database opens and the scheduler runs; 503 with the reasons otherwise."""
        problems = dict(readiness())
        body = {"status": "not ready", "problems": problems} if problems else {"status": "ready"}
        return JSONResponse(body, status_code=503 if problems else 200)

    return app
