"""Runs the emulator on a port: in this thread until interrupted, or in one of its own for as long as a `with` lasts."""

from __future__ import annotations

import errno
import socket
import threading
from pathlib import Path
from types import TracebackType

import uvicorn

from policyengine.emulator.app import create_app
from policyengine.emulator.emulator import Emulator
from policyengine.errors import ConfigError


def serve(emulator: Emulator, host: str = "127.0.0.1", port: int = 8765, chain: Path | None = None) -> None:
    """Serve until SIGINT or SIGTERM, stop cleanly, and let the signal have its usual effect.

    ``chain`` is as for ``RunningEmulator``. Raises ConfigError when the port cannot be had.
    """
    listener = listen(host, port)
    with listener:
        _server(emulator, chain).run(sockets=[listener])


class RunningEmulator:
    """A served emulator: inside the `with`, ``url`` answers; port 0 takes any free one.

    ``chain`` is a file with a key and its certificates (see ``crypto.certificates``): with it https is spoken.
    Raises ConfigError when the port cannot be had.
    """

    def __init__(self, emulator: Emulator, host: str = "127.0.0.1", port: int = 0, chain: Path | None = None) -> None:
        self.emulator = emulator
        self._listener = listen(host, port)
        reached = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(host, host)  # nobody's address is that of all
        shown = f"[{reached}]" if ":" in reached else reached
        self.url = f"{'https' if chain else 'http'}://{shown}:{self._listener.getsockname()[1]}"
        self._server = _server(emulator, chain)
        self.thread = threading.Thread(target=self._run, name="emulator", daemon=True)

    def start(self) -> RunningEmulator:
        # The socket listens already: a request that comes before the server loop runs waits in its queue.
        self.thread.start()
        return self

    def stop(self) -> None:
        """Idempotent; returns when the thread is gone and the port is free."""
        self._server.should_exit = True
        if self.thread.ident is not None:
            self.thread.join()
        self._listener.close()

    def __enter__(self) -> RunningEmulator:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def _run(self) -> None:
        self._server.run(sockets=[self._listener])


def listen(host: str, port: int) -> socket.socket:
    """A listening socket. Raises ConfigError."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    # The protocol is named because asyncio sets TCP_NODELAY only then; without it every answer takes 40 ms.
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
        listener.listen(1024)
    except OSError as error:
        listener.close()
        of_port = error.errno in {errno.EADDRINUSE, errno.EACCES}
        help = (
            "choose another `--port`; 0 takes any free one" if of_port else "`--host` takes an address of this machine"
        )
        raise ConfigError(f"cannot listen on {host}:{port}: {error.strerror}", help=help) from error
    return listener


class _Server(uvicorn.Server):
    """uvicorn, but no connection outlives it.

    It leaves those open that it accepts while it shuts down, or whose answer is not given within the grace.
    """

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        await super().shutdown(sockets)
        for connection in list(self.server_state.connections):
            transport = getattr(connection, "transport", None)
            if transport is not None:
                transport.abort()


def _server(emulator: Emulator, chain: Path | None) -> uvicorn.Server:
    config = uvicorn.Config(
        create_app(emulator),
        loop="asyncio",
        lifespan="off",
        ws="none",
        log_config=None,
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=1,
        timeout_keep_alive=30,
        ssl_certfile=chain,
    )
    return _Server(config)
