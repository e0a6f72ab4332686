"""What an orchestrator asks, over a real connection."""

from __future__ import annotations

import json
import socket
import threading
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest

from policyengine import __version__
from policyengine.errors import ConfigError
from policyengine.web.app import create_app
from policyengine.web.server import listen, server_for, url_of

Answer = tuple[int, dict[str, Any]]


@pytest.fixture
def problems() -> dict[str, str]:
    """What the service is told is wrong; a test may change it while the server runs."""
    return {}


@pytest.fixture
def ask(problems: Mapping[str, str]) -> Iterator[Callable[[str], Answer]]:
    with listen("127.0.0.1", 0) as listener:
        server = server_for(create_app(lambda: problems))
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()

        def ask_once(path: str) -> Answer:
            try:
                with urllib.request.urlopen(url_of(listener) + path, timeout=10) as answer:
                    return answer.status, json.load(answer)
            except urllib.error.HTTPError as error:
                with error:
                    return error.code, json.load(error)

        yield ask_once
        server.should_exit = True
        thread.join()


def test_it_is_healthy_as_long_as_it_answers(ask: Callable[[str], Answer], problems: dict[str, str]) -> None:
    problems["database"] = "gone"

    assert ask("/healthz") == (200, {"status": "ok", "version": __version__})


def test_it_is_ready_when_nothing_stands_in_the_way(ask: Callable[[str], Answer]) -> None:
    assert ask("/readyz") == (200, {"status": "ready"})


def test_it_is_not_ready_and_says_why(ask: Callable[[str], Answer], problems: dict[str, str]) -> None:
    problems |= {"database": "the database is locked", "scheduler": "not running"}

    status, body = ask("/readyz")

    assert status == 503
    assert body == {"status": "not ready", "problems": problems}


def test_it_is_ready_again_when_the_problem_is_gone(ask: Callable[[str], Answer], problems: dict[str, str]) -> None:
    problems["database"] = "gone"
    assert ask("/readyz")[0] == 503
    problems.clear()

    assert ask("/readyz")[0] == 200


@pytest.mark.parametrize("path", ["/", "/docs", "/redoc"])
def test_it_serves_nothing_else_yet(ask: Callable[[str], Answer], path: str) -> None:
    assert ask(path)[0] == 404


def test_a_port_that_is_taken_is_told() -> None:
    with listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]

        with pytest.raises(ConfigError, match=f"cannot listen on 127.0.0.1:{port}") as caught:
            listen("127.0.0.1", port)
    assert "another `--port`" in str(caught.value.help)


def test_an_address_of_another_machine_is_told_as_such() -> None:
    with pytest.raises(ConfigError, match=r"cannot listen on 192\.0\.2\.1:0") as caught:
        listen("192.0.2.1", 0)
    assert caught.value.help == "`--host` takes an address of this machine"


def test_an_address_of_version_six_is_written_in_brackets() -> None:
    if not socket.has_ipv6:
        pytest.skip("this machine has no IPv6")
    try:
        listener = listen("::1", 0)
    except ConfigError:
        pytest.skip("this machine has no IPv6 address")
    with listener:
        assert url_of(listener).startswith("http://[::1]:")
