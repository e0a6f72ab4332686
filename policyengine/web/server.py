"""Serves the application over HTTP, in this thread, until SIGINT or SIGTERM."""

from __future__ import annotations

import errno
import socket

import uvicorn
from fastapi import FastAPI

from policyengine.errors import ConfigError

GRACE_S = 5
"""How long an answer that is under way may hold up the end."""


def listen(host: str, port: int) -> socket.socket:
    """A listening socket; port 0 takes any free one. Raises ConfigError when it cannot be had."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen()
    except OSError as error:
        listener.close()
        of_port = error.errno in {errno.EADDRINUSE, errno.EACCES}
        help = (
            "choose another `--port`; 0 takes any free one" if of_port else "`--host` takes an address of this machine"
        )
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}", help=help) from error
    return listener


def url_of(listener: socket.socket) -> str:
    host, port = listener.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def server_for(app: FastAPI) -> uvicorn.Server:
    """Run it with ``server.run(sockets=[listener])``; it passes the signal on that ended it."""
    return uvicorn.Server(
        uvicorn.Config(
            app,
            lifespan="off",
            ws="none",
            log_config=None,
            access_log=False,
            server_header=False,
            timeout_graceful_shutdown=GRACE_S,
        )
    )
