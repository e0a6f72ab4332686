"""How log lines look: text for people, JSON for collectors; always on stderr.

Ours and those of the libraries we use come out alike. None of them holds a body, a header or a local variable.
"""

from __future__ import annotations

import logging
import sys

import structlog

from policyengine.cli.context import LogFormat


def configure(log_format: LogFormat, verbosity: int) -> None:
    """Our own lines from INFO on, warnings of all but azure-identity; with ``verbosity`` its too, and every request."""
    before: list[structlog.typing.Processor] = [
        structlog.stdlib.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=before,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_rendering(log_format)],
        )
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(logging.WARNING)
    logging.getLogger("policyengine").setLevel(logging.DEBUG if verbosity else logging.INFO)
    logging.getLogger("httpx").setLevel(logging.INFO if verbosity else logging.WARNING)
    # It warns, over a screen, of each way to sign in that it tried; when none was left, our error says so.
    logging.getLogger("azure.identity").setLevel(logging.WARNING if verbosity else logging.ERROR)
    structlog.configure(
        processors=[*before, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
    )


def _rendering(log_format: LogFormat) -> list[structlog.typing.Processor]:
    if log_format is LogFormat.JSON:
        return [structlog.processors.format_exc_info, structlog.processors.JSONRenderer(ensure_ascii=False)]
    plain = structlog.dev.plain_traceback
    return [structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty(), exception_formatter=plain)]
