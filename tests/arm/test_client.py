"""The client against a server of raw sockets, which can misbehave in ways no framework would."""

from __future__ import annotations

import asyncio
import gzip
import json
import logging
import re
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from policyengine.arm import exchange
from policyengine.arm.client import ArmClient
from policyengine.arm.credentials import Credential, StaticToken
from policyengine.arm.throttle import Kind, Throttle
from policyengine.errors import (
    ArmConflict,
    ArmNotAuthorized,
    ArmNotFound,
    ArmRejected,
    ArmThrottled,
    ArmTransportError,
    ArmUnavailable,
    ConfigError,
    OperationFailed,
)

CLUSTER = "/subscriptions/5b0c/resourceGroups/g/providers/Microsoft.Kubernetes/connectedClusters/c"
FLUX = f"{CLUSTER}/providers/Microsoft.KubernetesConfiguration/extensions/flux"
VERSION = "2024-11-01"
HOUR = timedelta(hours=1)
T = TypeVar("T")


@dataclass(frozen=True)
class Heard:
    """A request as it came over the wire."""

    method: str
    target: str
    headers: Mapping[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)


@dataclass
class Server:
    """Answers with the scripted bytes, in order; the last one again and again. ``b""`` drops the connection."""

    script: list[bytes]
    heard: list[Heard] = field(default_factory=list)
    url: str = ""
    third: asyncio.Event = field(default_factory=asyncio.Event)

    def choose(self, request: Heard) -> bytes:
        return self.script[min(len(self.heard), len(self.script)) - 1]

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while request := await _read_request(reader):
                self.heard.append(request)
                if len(self.heard) == 3:
                    self.third.set()
                answer = self.choose(request)
                if not answer:
                    break
                writer.write(_with_host(answer, self.url))
                await writer.drain()
                if b"connection: close" in answer.lower():
                    break
        finally:
            writer.close()


def _with_host(answer: bytes, url: str) -> bytes:
    """``answer`` with ``{host}`` filled in, and the length of its body put right if that made it longer."""
    head, end, body = answer.partition(b"\r\n\r\n")
    filled = body.replace(b"{host}", url.encode())
    if filled != body:
        head = re.sub(rb"content-length: \d+", b"content-length: %d" % len(filled), head)
    return head.replace(b"{host}", url.encode()) + end + filled


async def _read_request(reader: asyncio.StreamReader) -> Heard | None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    except (asyncio.IncompleteReadError, ConnectionError):
        return None
    first, *lines = head.strip().split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    method, target, _ = first.split(" ")
    return Heard(method, target, headers, await reader.readexactly(int(headers.get("content-length", 0))))


class ImpatientTimer:
    """Sleeps take no time; they are written down, and move the clock."""

    def __init__(self) -> None:
        self.now = 0.0
        self.slept: list[float] = []

    def monotonic(self) -> float:
        return self.now

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds
        await asyncio.sleep(0)


@dataclass
class Run:
    """One client and the server it talks to."""

    arm: ArmClient
    server: Server
    timer: ImpatientTimer
    waits: list[str]


def answer(status: int = 200, body: object = None, **headers: str) -> bytes:
    content = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} X", f"content-length: {len(content)}"]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + content


def refused(status: int, code: str, message: str = "Message.", **headers: str) -> bytes:
    return answer(status, {"error": {"code": code, "message": message}}, **headers)


@asynccontextmanager
async def serving(server: Server, credential: Credential, *, register_providers: bool = False) -> AsyncIterator[Run]:
    timer, waits = ImpatientTimer(), list[str]()
    sockets = await asyncio.start_server(server.talk, "127.0.0.1", 0)
    server.url = f"http://127.0.0.1:{sockets.sockets[0].getsockname()[1]}"
    try:
        async with ArmClient(
            server.url,
            credential,
            timer=timer,
            jitter=lambda: 0.5,
            on_wait=lambda reason, _: waits.append(reason),
            register_providers=register_providers,
        ) as arm:
            yield Run(arm, server, timer, waits)
    finally:
        sockets.close()
        await asyncio.sleep(0)


def against(
    *script: bytes,
    act: Callable[[Run], Awaitable[T]],
    credential: Credential | None = None,
    register_providers: bool = False,
    server: Server | None = None,
) -> tuple[T | Exception, Run]:
    """What ``act`` gave back or raised, and the run it happened in."""

    async def main() -> tuple[T | Exception, Run]:
        async with serving(
            server or Server(list(script)),
            credential or StaticToken("s3cret-token"),
            register_providers=register_providers,
        ) as run:
            try:
                return await act(run), run
            except Exception as error:
                return error, run

    return asyncio.run(main())


async def get(run: Run) -> Any:
    return await run.arm.get(FLUX, VERSION)


async def put(run: Run) -> Any:
    return await run.arm.send("PUT", FLUX, VERSION, {"properties": {"extensionType": "microsoft.flux"}})


async def listed(run: Run) -> Any:
    return [item async for item in run.arm.list(f"{CLUSTER}/x", VERSION)]


def test_a_request_carries_what_the_service_wants() -> None:
    result, run = against(answer(200, {"name": "flux"}), act=get)
    heard = run.server.heard[0]

    assert result == {"name": "flux"}
    assert (heard.method, heard.target) == ("GET", f"{FLUX}?api-version={VERSION}")
    assert heard.headers["authorization"] == "Bearer s3cret-token"
    assert heard.headers["user-agent"].startswith("policyengine/")
    assert heard.headers["accept-encoding"] == "gzip, deflate"
    assert len(heard.headers["x-ms-correlation-request-id"]) == len(heard.headers["x-ms-client-request-id"]) == 36


def test_a_write_is_sent_as_json_and_its_operation_found() -> None:
    accepted, run = against(
        answer(201, {"name": "flux"}, azure_asyncoperation="{host}/operations/1?api-version=x", retry_after="7"),
        act=put,
    )

    assert run.server.heard[0].json == {"properties": {"extensionType": "microsoft.flux"}}
    assert run.server.heard[0].headers["content-type"] == "application/json; charset=utf-8"
    assert not isinstance(accepted, Exception)
    assert accepted.status == 201
    assert accepted.operation_url.endswith("/operations/1?api-version=x")
    assert accepted.retry_after_s == 7.0


def test_a_query_is_a_post_that_may_be_sent_again() -> None:
    async def ask(run: Run) -> Any:
        return await run.arm.query("/providers/Microsoft.ResourceGraph/resources", "2024-04-01", {"query": "resources"})

    result, run = against(b"", refused(500, "InternalServerError"), answer(200, {"data": []}), act=ask)

    assert result == {"data": []}
    assert [(heard.method, heard.json) for heard in run.server.heard] == [("POST", {"query": "resources"})] * 3
    assert isinstance(against(answer(200, []), act=ask)[0], ArmRejected)


def test_compressed_and_marked_text_is_read() -> None:
    body = gzip.compress(b"\xef\xbb\xbf" + json.dumps({"name": "flöx"}).encode())

    assert against(answer(200, body, content_encoding="gzip"), act=get)[0] == {"name": "flöx"}


def test_pages_are_followed_to_the_end_and_empty_ones_are_legal() -> None:
    result, run = against(
        answer(200, {"value": [{"id": 1}], "nextLink": "{host}/p?api-version=v&$skipToken=a%3D%2Bb"}),
        answer(200, {"value": [], "nextLink": "{host}/p?page=3"}),
        answer(200, {"value": [{"id": 2}], "nextLink": ""}),
        act=listed,
    )

    assert result == [{"id": 1}, {"id": 2}]
    assert "skipToken=a" in run.server.heard[1].target
    assert "%2B" in run.server.heard[1].target


def test_a_link_to_another_host_is_refused_before_anything_is_sent() -> None:
    for link in ("https://evil.example/p", "http://127.0.0.1:1/p", "//evil.example/p"):
        error, run = against(answer(200, {"value": [], "nextLink": link}), act=listed)

        assert isinstance(error, ArmRejected)
        assert len(run.server.heard) == 1


def test_pages_that_lead_in_a_circle_end() -> None:
    error, run = against(answer(200, {"value": [], "nextLink": "{host}/p"}), act=listed)

    assert isinstance(error, ArmRejected)
    assert len(run.server.heard) == 2


@pytest.mark.parametrize("body", [{"items": []}, [], {"value": None}, {"value": [None]}, "x"])
def test_a_list_that_is_none_is_said_to_be_none(body: object) -> None:
    assert isinstance(against(answer(200, body), act=listed)[0], ArmRejected)


def test_a_redirect_is_not_followed() -> None:
    error, run = against(answer(307, location="http://127.0.0.1:1/elsewhere"), act=get)

    assert isinstance(error, ArmRejected)
    assert "redirect" in error.message
    assert len(run.server.heard) == 1


def test_a_throttled_request_waits_and_tells_why() -> None:
    result, run = against(refused(429, "TooManyRequests", retry_after="17"), answer(201, {}), act=put)

    assert not isinstance(result, Exception)
    assert sum(run.timer.slept) >= 17.0
    assert run.waits[0] == "429 TooManyRequests"
    assert len(run.server.heard) == 2


def test_a_throttled_request_gives_up_in_the_end() -> None:
    error, run = against(refused(429, "TooManyRequests", retry_after="5"), act=get)

    assert isinstance(error, ArmThrottled)
    assert error.retry_after_s == 5.0
    assert len(run.server.heard) == 10


def test_a_bucket_closed_for_an_hour_gets_one_request_and_no_more() -> None:
    async def many(run: Run) -> list[type[BaseException]]:
        puts = [await asyncio.gather(put(run), return_exceptions=True) for _ in range(3)]
        with pytest.raises(ArmThrottled, match="wants no more such requests for 60 min"):
            run.arm.demand_open("PUT", FLUX)
        run.arm.demand_open("GET", FLUX)
        run.arm.demand_open("PUT", FLUX.replace("5b0c", "0000"))
        return [type(error) for (error,) in puts]

    result, run = against(refused(429, "TooManyRequests", retry_after="3600"), act=many)

    assert result == [ArmThrottled] * 3
    assert len(run.server.heard) == 1
    assert sum(run.timer.slept) < 5.0


def test_a_throttled_request_holds_the_others_back_too() -> None:
    """Heard while the first one waits: the second does not go before the time is over."""
    gone: list[float] = []

    async def two(run: Run) -> None:
        await put(run)
        began = run.timer.now
        await asyncio.gather(put(run), put(run))
        gone.append(run.timer.now - began)

    _, paused = against(refused(429, "TooManyRequests", retry_after="17"), answer(201, {}), act=two)
    against(answer(201, {}), act=two)

    assert len(paused.server.heard) == 4
    assert gone[0] > gone[1]  # after a pause nothing bursts


def test_another_operation_in_progress_is_waited_for() -> None:
    busy = refused(409, "OperationInProgress", "Another operation is in progress.")
    result, run = against(busy, busy, answer(200, {}), act=put)

    assert not isinstance(result, Exception)
    assert run.waits == ["409 another operation is in progress"] * 2


def test_a_conflict_that_stays_is_raised_at_once() -> None:
    error, run = against(
        refused(409, "MissingSubscriptionRegistration", "not registered to use namespace 'Microsoft.N'"), act=put
    )

    assert isinstance(error, ArmConflict)
    assert "--namespace Microsoft.N" in (error.help or "")
    assert len(run.server.heard) == 1


UNREGISTERED = refused(
    409,
    "MissingSubscriptionRegistration",
    "The subscription is not registered to use namespace 'Microsoft.KubernetesConfiguration'.",
)
PROVIDER = "/subscriptions/5b0c/providers/Microsoft.KubernetesConfiguration"


def registering(state: str) -> bytes:
    return answer(200, {"namespace": "Microsoft.KubernetesConfiguration", "registrationState": state})


def test_a_provider_is_registered_where_that_was_agreed_to_and_the_write_sent_again() -> None:
    states = [registering(state) for state in ("NotRegistered", "Registering", "Registering", "Registered")]
    result, run = against(
        UNREGISTERED, states[0], states[1], *states[1:], answer(201, {}), act=put, register_providers=True
    )

    assert not isinstance(result, Exception)
    assert [(heard.method, heard.target.partition("?")[0]) for heard in run.server.heard] == [
        ("PUT", FLUX),
        ("GET", PROVIDER),
        ("POST", f"{PROVIDER}/register"),
        *[("GET", PROVIDER)] * 3,
        ("PUT", FLUX),
    ]
    assert run.waits == ["Microsoft.KubernetesConfiguration is being registered"] * 2


def test_writes_that_need_the_same_provider_register_it_once() -> None:
    async def two(run: Run) -> Any:
        return await asyncio.gather(put(run), put(run))

    class Provider(Server):
        """Refuses writes until the provider was registered."""

        def choose(self, request: Heard) -> bytes:
            posted = any(heard.method == "POST" for heard in self.heard)
            if request.method == "PUT":
                return answer(201, {}) if posted else UNREGISTERED
            return registering("Registered" if posted else "NotRegistered")

    result, run = against(act=two, register_providers=True, server=Provider([]))

    assert not isinstance(result, Exception)
    assert [heard.method for heard in run.server.heard].count("POST") == 1


def test_a_registration_that_takes_long_holds_up_no_other_subscription() -> None:
    other = FLUX.replace("5b0c", "7d1e")

    async def both(run: Run) -> Any:
        return await asyncio.gather(put(run), run.arm.send("PUT", other, VERSION, {}), return_exceptions=True)

    class Provider(Server):
        """One subscription is registered at once; the other only some time after that one has been written to."""

        def choose(self, request: Heard) -> bytes:
            written = [heard for heard in self.heard if heard.method == "PUT" and "7d1e" in heard.target]
            posted = any(heard.method == "POST" and heard.target[:20] == request.target[:20] for heard in self.heard)
            done = posted and ("7d1e" in request.target or len(written) > 1)
            if request.method == "PUT":
                return answer(201, {}) if done else UNREGISTERED
            return registering("Registered" if done else "Registering")

    result, _ = against(act=both, register_providers=True, server=Provider([]))

    assert isinstance(result, list)
    assert [accepted.status for accepted in result] == [201, 201]


def test_a_registration_that_does_not_end_is_given_up() -> None:
    error, _ = against(UNREGISTERED, registering("Registering"), act=put, register_providers=True)

    assert isinstance(error, ArmConflict)
    assert "still not registered with subscription 5b0c after 10 min" in error.message


@pytest.mark.parametrize("status", [500, 502, 504])
def test_a_write_in_doubt_is_sent_once_and_a_read_again(status: int) -> None:
    error, run = against(refused(status, "InternalServerError"), answer(200, {}), act=put)
    assert isinstance(error, ArmUnavailable)
    assert len(run.server.heard) == 1

    result, run = against(refused(status, "InternalServerError"), answer(200, {}), act=get)
    assert result == {}


@pytest.mark.parametrize(
    "broken",
    [
        b"",
        b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\nconnection: close\r\n\r\n{",
        b"nonsense\r\n\r\n",
        answer(200, b"<html>sign in</html>"),
        answer(200, b"not gzip", content_encoding="gzip"),
    ],
    ids=["dropped", "cut short", "no HTTP", "no JSON", "wrong encoding"],
)
def test_without_a_usable_answer_a_write_goes_out_once(broken: bytes) -> None:
    """aiohttp would send a PUT again by itself when the connection drops; nobody may."""
    error, run = against(broken, answer(200, {}), act=put)

    assert isinstance(error, ArmTransportError)
    assert error.sent
    assert "look before trying again" in (error.help or "")
    assert len(run.server.heard) == 1


@pytest.mark.parametrize(
    "broken", [b"", b"HTTP/1.1 200 OK\r\ncontent-length: 400\r\nconnection: close\r\n\r\n{", answer(200, b"<html>")]
)
def test_without_a_usable_answer_a_read_is_tried_again(broken: bytes) -> None:
    result, run = against(broken, answer(200, {"name": "flux"}), act=get)

    assert result == {"name": "flux"}
    assert run.waits == ["no answer"]


@pytest.mark.parametrize(
    ("limit", "value"),
    [("_TIMEOUT", httpx.Timeout(0.1, connect=10.0)), ("_WHOLE_ANSWER_S", 0.3)],
    ids=["silent", "without end"],
)
def test_an_answer_that_takes_too_long_is_none(monkeypatch: pytest.MonkeyPatch, limit: str, value: object) -> None:
    """A write may have been applied; a read is tried again."""
    monkeypatch.setattr(exchange, limit, value)

    class Slow(Server):
        """Begins to answer, and does not go on."""

        def choose(self, request: Heard) -> bytes:
            return b"HTTP/1.1 200 X\r\ncontent-length: 9\r\n\r\n{"

    error, run = against(act=put, server=Slow([]))
    assert isinstance(error, ArmTransportError)
    assert error.sent
    assert len(run.server.heard) == 1

    error, run = against(act=get, server=Slow([]))
    assert isinstance(error, ArmTransportError)
    assert "what stands between here and" in (error.help or "")
    assert len(run.server.heard) == 5


def test_a_connection_that_was_never_made_was_not_sent() -> None:
    async def main() -> ArmTransportError:
        async with ArmClient("http://127.0.0.1:9", StaticToken("t"), timer=ImpatientTimer(), jitter=lambda: 0.5) as arm:
            with pytest.raises(ArmTransportError) as refused:
                await arm.send("PUT", FLUX, VERSION, {})
            return refused.value

    error = asyncio.run(main())
    assert not error.sent
    assert "check that `http://127.0.0.1:9` is the right endpoint" in (error.help or "")


def test_a_certificate_nobody_vouches_for_is_told_at_once_and_nothing_is_sent(tmp_path: Path) -> None:
    async def main() -> tuple[ArmTransportError, list[float]]:
        timer = ImpatientTimer()
        server = await asyncio.start_server(Server([answer(200)]).talk, "127.0.0.1", 0, ssl=self_signed(tmp_path))
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, ArmClient(url, StaticToken("t"), timer=timer, jitter=lambda: 0.5) as arm:
            with pytest.raises(ArmTransportError, match="certificate verify failed") as distrusted:
                await arm.send("PUT", FLUX, VERSION, {})
            return distrusted.value, timer.slept

    error, slept = asyncio.run(main())
    assert not error.sent
    assert slept == []
    assert "SSL_CERT_FILE" in (error.help or "")


@pytest.mark.parametrize("written", [None, "no certificate"])
def test_a_file_of_certificates_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, written: str | None
) -> None:
    file = tmp_path / "ca.pem"
    if written is not None:
        file.write_text(written)
    monkeypatch.setenv("SSL_CERT_FILE", str(file))
    with pytest.raises(ConfigError, match="certificates to trust cannot be read") as unusable:
        ArmClient("https://arm.example", StaticToken("t"))
    assert "SSL_CERT_FILE" in (unusable.value.help or "")


def self_signed(folder: Path) -> ssl.SSLContext:
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.now(UTC)
    builder = x509.CertificateBuilder(name, name, key.public_key(), x509.random_serial_number(), now, now + HOUR)
    certificate = builder.sign(key, hashes.SHA256())
    file = folder / "server.pem"
    form = serialization.PrivateFormat.PKCS8
    private = key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption())
    file.write_bytes(private + certificate.public_bytes(serialization.Encoding.PEM))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(file)
    return context


def test_a_server_that_speaks_no_tls_is_told() -> None:
    async def main() -> ArmTransportError:
        async def talk(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            writer.write(answer(400))
            writer.close()

        server = await asyncio.start_server(talk, "127.0.0.1", 0)
        url = f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        async with server, ArmClient(url, StaticToken("t"), timer=ImpatientTimer(), jitter=lambda: 0.5) as arm:
            with pytest.raises(ArmTransportError) as garbled:
                await arm.send("PUT", FLUX, VERSION, {})
            return garbled.value

    error = asyncio.run(main())
    assert not error.sent
    assert "does not speak TLS" in (error.help or "")


def test_a_proxy_of_this_machine_is_used_and_its_refusal_is_no_sending(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """And no password from ~/.netrc comes in between."""
    (tmp_path / ".netrc").write_text("default login someone password something\n")
    (tmp_path / ".netrc").chmod(0o600)

    async def through(run: Run) -> Any:
        monkeypatch.setenv("HTTPS_PROXY", run.server.url)
        monkeypatch.setenv("NETRC", str(tmp_path / ".netrc"))
        monkeypatch.delenv("NO_PROXY", raising=False)
        monkeypatch.delenv("no_proxy", raising=False)
        async with ArmClient("https://arm.example", StaticToken("t"), timer=run.timer, jitter=lambda: 0.5) as arm:
            return await arm.send("PUT", FLUX, VERSION, {})

    error, run = against(answer(407), act=through)

    assert isinstance(error, ArmTransportError)
    assert not error.sent
    assert run.server.heard[0].method == "CONNECT"
    assert "authorization" not in run.server.heard[0].headers


def test_every_exchange_is_logged_with_its_correlation_id_and_without_token_or_query(
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG, "policyengine")
    error, run = against(refused(403, "AuthorizationFailed"), act=put)
    (line,) = [record.getMessage() for record in caplog.records if record.name.startswith("policyengine")]
    id = run.server.heard[0].headers["x-ms-correlation-request-id"]

    assert line == f"PUT {FLUX}: 403, correlation id {id}"
    assert isinstance(error, ArmNotAuthorized)
    assert error.correlation_id == id


def test_no_error_shows_the_token_or_the_query() -> None:
    for script in (refused(403, "AuthorizationFailed"), b"", answer(200, b"<html>"), refused(500, "E")):
        error, _ = against(script, act=put)

        assert isinstance(error, Exception)
        assert "s3cret" not in f"{error!r} {error} {vars(error)}"
        assert "api-version" not in str(error)


def test_a_refused_token_is_renewed_once() -> None:
    class Renewing:
        count = 1
        claims = ""

        async def token(self) -> str:
            return f"t{self.count}"

        async def renewed(self, refused: str, claims: str) -> str:
            self.count += refused == f"t{self.count}"
            self.claims = claims
            return await self.token()

    demanding = Renewing()
    challenge = 'Bearer error="insufficient_claims", claims="eyJhIjoxfQ"'
    result, run = against(
        refused(401, "InvalidAuthenticationToken", www_authenticate=challenge),
        answer(200, {}),
        act=get,
        credential=demanding,
    )
    assert result == {}
    assert demanding.claims == '{"a":1}'
    assert [heard.headers["authorization"] for heard in run.server.heard] == ["Bearer t1", "Bearer t2"]

    result, run = against(refused(401, "ExpiredAuthenticationToken"), answer(200, {}), act=get, credential=Renewing())
    assert result == {}

    error, run = against(refused(401, "InvalidAuthenticationToken"), act=get, credential=Renewing())
    assert isinstance(error, ArmNotAuthorized)
    assert len(run.server.heard) == 2

    error, run = against(refused(401, "InvalidAuthenticationToken"), act=get)
    assert isinstance(error, ArmNotAuthorized)
    assert len(run.server.heard) == 1


def test_an_operation_is_followed_by_its_retry_after() -> None:
    async def follow(run: Run) -> Any:
        return await run.arm.wait(run.server.url + "/operations/1", first_wait_s=3)

    result, run = against(
        answer(200, {"status": "Creating"}, retry_after="11"),
        answer(200, {"status": "InProgress"}),
        answer(200, {"status": "Succeeded"}),
        act=follow,
    )

    assert result == {"status": "Succeeded"}
    assert run.timer.slept == [3, 11.0, 11.0], "where an answer does not say, what was said before holds"
    assert run.waits == ["operation is accepted", "operation is Creating", "operation is InProgress"]


def test_a_failed_operation_tells_the_innermost_cause() -> None:
    async def follow(run: Run) -> Any:
        return await run.arm.wait("/operations/1")

    wrapped = json.dumps({"error": {"code": "InstallationFailed", "message": "no room"}})
    body = {"status": "Failed", "error": {"code": "ExtensionOperationFailed", "message": wrapped}}
    error, run = against(answer(200, {"status": "InProgress"}), answer(200, body), act=follow)

    assert isinstance(error, OperationFailed)
    assert (error.code, error.message) == ("InstallationFailed", "InstallationFailed: no room")
    assert {heard.headers["x-ms-correlation-request-id"] for heard in run.server.heard} == {error.correlation_id}


def test_a_forgotten_operation_is_not_found_and_a_foreign_one_not_asked_for() -> None:
    async def follow(run: Run) -> Any:
        return await run.arm.wait("/operations/1")

    async def follow_foreign(run: Run) -> Any:
        return await run.arm.wait("https://evil.example/operations/1")

    assert isinstance(against(refused(404, "NotFound"), act=follow)[0], ArmNotFound)
    error, run = against(answer(200, {}), act=follow_foreign)
    assert isinstance(error, ArmRejected)
    assert not run.server.heard


def test_an_operation_that_moves_to_another_host_is_not_followed() -> None:
    async def follow(run: Run) -> Any:
        return await run.arm.wait("/operations/1")

    error, run = against(answer(202, None, location="http://127.0.0.1:1/operations/2"), act=follow)

    assert isinstance(error, ArmRejected)
    assert len(run.server.heard) == 1


def test_a_foreign_operation_url_does_not_undo_an_accepted_write() -> None:
    accepted, _ = against(answer(201, {}, azure_asyncoperation="https://evil.example/o"), act=put)

    assert not isinstance(accepted, Exception)
    assert accepted.operation_url is None


def test_a_resource_is_followed_by_its_own_state() -> None:
    async def follow(run: Run) -> Any:
        return await run.arm.wait_for_resource(FLUX, VERSION)

    creating = {"properties": {"provisioningState": "Creating"}}
    done = {"properties": {"provisioningState": "Succeeded"}}

    assert against(answer(200, creating), answer(200, done), act=follow)[0] == done


def test_waiting_can_be_cancelled() -> None:
    async def main() -> None:
        async with serving(Server([answer(200, {"status": "InProgress"})]), StaticToken("t")) as run:
            waiting = asyncio.create_task(run.arm.wait("/operations/1"))
            await run.server.third.wait()
            waiting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await waiting

    asyncio.run(main())


def test_a_body_that_is_no_json_is_never_sent() -> None:
    async def send(run: Run) -> Any:
        return await run.arm.send("PUT", FLUX, VERSION, {"properties": {"x": float("nan")}})

    error, run = against(answer(200, {}), act=send)
    assert isinstance(error, ArmRejected)
    assert not run.server.heard


def test_what_is_left_at_the_service_slows_the_budget_down() -> None:
    async def many(run: Run) -> None:
        for _ in range(60):
            await run.arm.get(FLUX, VERSION)

    _, plenty = against(answer(200, {}, x_ms_ratelimit_remaining_subscription_reads="240"), act=many)
    _, little = against(answer(200, {}, x_ms_ratelimit_remaining_subscription_reads="2"), act=many)

    assert sum(little.timer.slept) > 5 * sum(plenty.timer.slept)


@pytest.mark.parametrize("budget", [{"writes_per_second": 0.0}, {"reads_per_second": -1.0}])
def test_a_budget_of_nothing_is_refused(budget: dict[str, float]) -> None:
    with pytest.raises(ConfigError):
        ArmClient("https://arm.example", StaticToken("t"), **budget)  # type: ignore[arg-type]


def test_a_turn_from_before_the_service_closed_the_bucket_is_void() -> None:
    """What is done right before a try takes time, in which others may be told to wait."""

    async def main() -> list[float]:
        timer, looks = ImpatientTimer(), list[float]()
        throttle = Throttle(timer, reads_per_second=20, writes_per_second=8)
        transport = httpx.MockTransport(lambda _: httpx.Response(201, json={}))

        async def look() -> None:
            looks.append(timer.now)
            if len(looks) == 1:
                throttle.pause("5b0c", Kind.WRITES, 30)

        async with ArmClient(
            "https://arm.example", StaticToken("t"), transport=transport, timer=timer, throttle=throttle
        ) as arm:
            await arm.send("PUT", FLUX, VERSION, {}, before_each=look)
        return [*looks, timer.now]

    begun, again, sent = asyncio.run(main())
    assert begun == 0
    assert again == sent >= 30
