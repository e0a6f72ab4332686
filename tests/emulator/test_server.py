"""Serving: a port of its own, and nothing left behind."""

from __future__ import annotations

import gc
import socket
import threading
import time

import httpx
import pytest

from policyengine.emulator import Emulator, RunningEmulator
from policyengine.errors import ConfigError


def test_it_answers_inside_the_with_and_leaves_nothing_running() -> None:
    with RunningEmulator(Emulator(clock="frozen")) as running:
        assert httpx.get(f"{running.url}/_emulator/health").json()["status"] == "ok"
        assert any(t.name == "emulator" for t in threading.enumerate() if t is running.thread)
    assert not running.thread.is_alive()
    with pytest.raises(httpx.ConnectError):
        httpx.get(f"{running.url}/_emulator/health")


def test_stopping_twice_or_before_the_start_is_harmless() -> None:
    running = RunningEmulator(Emulator(clock="frozen"))
    running.stop()
    running.stop()
    with RunningEmulator(Emulator(clock="frozen")) as other:
        pass
    other.stop()


def test_a_request_that_never_ends_does_not_outlive_the_server() -> None:
    with RunningEmulator(Emulator(clock="frozen")) as running:
        port = int(running.url.rpartition(":")[2])
        client = socket.create_connection(("127.0.0.1", port), timeout=10)
        client.sendall(
            b"POST /_emulator/reset HTTP/1.1\r\nHost: emulator\r\nContent-Length: 9\r\nExpect: 100-continue\r\n\r\n"
        )
        # The emulator asks for the rest: it waits for it now, and shall do so when it is stopped.
        assert client.recv(64).startswith(b"HTTP/1.1 100")
    with client:
        assert client.recv(1024) == b""
    gc.collect()


def test_a_port_that_is_taken_is_named() -> None:
    with RunningEmulator(Emulator(clock="frozen")) as running:
        port = int(running.url.rpartition(":")[2])
        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}"):
            RunningEmulator(Emulator(clock="frozen"), port=port)


def test_a_host_that_is_none_of_this_machine_is_told_apart_from_a_port_that_is_taken() -> None:
    with pytest.raises(ConfigError) as raised:
        RunningEmulator(Emulator(clock="frozen"), host="192.0.2.1")
    assert "`--host`" in str(raised.value.help)


def test_on_all_addresses_it_names_one_that_can_be_called() -> None:
    with RunningEmulator(Emulator(clock="frozen"), host="0.0.0.0") as running:
        assert running.url.startswith("http://127.0.0.1:")
        assert httpx.get(f"{running.url}/_emulator/health").json()["status"] == "ok"


def test_at_sixty_times_the_speed_a_minute_passes_in_a_second() -> None:
    """The only test that waits: everything else moves the clock itself."""
    with RunningEmulator(Emulator(clock="x60")) as running:
        emulator = running.emulator
        before = emulator.settle()
        time.sleep(0.2)
        assert (emulator.settle() - before).total_seconds() >= 12
