"""`policyengine serve`."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Annotated

import typer

from policyengine.cli.context import cli_of
from policyengine.errors import PolicyEngineError, UsageError

if TYPE_CHECKING:
    from policyengine.scheduler.service import Job, SchedulerService
    from policyengine.workflows.settings import Settings


def command(
    context: typer.Context,
    host: Annotated[str, typer.Option(help="Address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=0, max=65535)] = 8080,
) -> None:
    """Scan by schedule, and mend what may be mended by itself.

    Only assignments with `remediation.mode: continuous` are ever written for. Answers /healthz and /readyz.
    """
    from policyengine.cli.logs import configure

    cli = cli_of(context)
    configure(cli.log_format, cli.verbosity)
    serve(cli.settings, host=host, port=port)


def serve(settings: Settings, *, host: str, port: int) -> None:
    """Returns after SIGINT or SIGTERM, once what was running has stopped at a safe place.

    Raises PolicyError, ConfigError or UsageError before anything runs.
    """
    from threading import Event

    import structlog

    from policyengine.clock import SystemClock
    from policyengine.scheduler.runner import resume_all, run_due
    from policyengine.scheduler.service import SchedulerService
    from policyengine.web.app import create_app
    from policyengine.web.server import listen, server_for, url_of
    from policyengine.workflows.connect import open_store

    log = structlog.get_logger()
    stopping = Event()
    jobs = _jobs(settings)
    with open_store(settings) as store, listen(host, port) as listener:
        service = SchedulerService(jobs, store, SystemClock(), lambda name: run_due(settings, store, name, stopping))
        server = server_for(create_app(lambda: _problems(store.last_scan, service)))
        try:
            service.start(before=lambda: resume_all(settings, store, stopping))
            log.info("listening", url=url_of(listener))
            for name, at in sorted(service.upcoming().items()):
                log.info("scheduled", assignment=name, next=at.isoformat())
            server.run(sockets=[listener])
        finally:
            stopping.set()
            service.stop()
            log.info("stopped")


def _jobs(settings: Settings) -> list[Job]:
    from policyengine.scheduler.service import Job
    from policyengine.workflows.load import load

    library = load(settings.policies, settings.aliases).library
    jobs = [job for assignment in library.assignments if (job := Job.of(assignment))]
    if not jobs:
        raise UsageError("no assignment has a schedule", help="add `schedule: {interval: 30m}` to an assignment")
    return jobs


def _problems(ask_database: Callable[[], object], service: SchedulerService) -> Mapping[str, str]:
    problems = {}
    try:
        ask_database()
    except PolicyEngineError as error:
        problems["database"] = error.message
    if not service.is_running:
        problems["scheduler"] = "not running"
    return problems
