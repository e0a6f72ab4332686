"""Serves an emulator for as long as the command runs, and tells how to reach it. Imported only by who serves."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

from policyengine.clock import SystemClock
from policyengine.emulator import Emulator, RunningEmulator, Settings
from policyengine.emulator.crypto.certificates import certificate_for
from policyengine.emulator.routes.subscriptions import tenant_of
from policyengine.emulator.state_file import Keeper, StateFile
from policyengine.errors import ConfigError
from policyengine.workflows.emulator_fleet import read_emulator_fleet

DEFAULT_CLOCK = "x60"
_TRY = "/subscriptions?api-version=2022-12-01"


@dataclass(frozen=True)
class Serving:
    """What the options ask for. ``strict`` is None for what is documented."""

    host: str
    port: int
    https: bool
    fleet: str | None
    state: Path | None
    clock: str | None
    strict: bool | None
    seed: int | None


@contextmanager
def serving(asked: Serving) -> Iterator[str]:
    """Inside the `with` it is served; gives the text that says how to use it. Raises ConfigError, InventoryError."""
    file = StateFile.at(asked.state) if asked.state is not None else None
    certificate = certificate_for(asked.host, _folder(asked), SystemClock().now()) if asked.https else None
    emulator, restored = _emulator(asked, file)
    chain = certificate.chain if certificate is not None else None
    with ExitStack() as stack:
        running = stack.enter_context(RunningEmulator(emulator, asked.host, asked.port, chain))
        if file is not None:
            stack.enter_context(Keeper(emulator, file))
        authority = certificate.authority.resolve() if certificate is not None else None
        yield "\n".join(_told(running, authority, asked.state if restored else None))


def _emulator(asked: Serving, file: StateFile | None) -> tuple[Emulator, bool]:
    """The emulator, and whether it goes on from the file."""
    if file is not None and file.path.exists():
        if asked.fleet is not None or asked.strict is not None or asked.seed is not None:
            raise ConfigError(
                f"`{file.path}` holds a fleet and its settings already",
                help="leave out `--fleet`, `--seed`, `--strict` and `--loose`, or begin with another file",
            )
        emulator = Emulator(clock="frozen")
        file.restore(emulator)
        if asked.clock is not None:
            emulator.clock.set_mode(asked.clock)
        return emulator, True
    settings = Settings() if asked.strict is None else Settings.strict() if asked.strict else Settings.loose()
    fleet = read_emulator_fleet(asked.fleet)
    return Emulator(fleet, clock=asked.clock or DEFAULT_CLOCK, seed=asked.seed or 0, settings=settings), False


def _folder(asked: Serving) -> Path:
    """Where the certificate authority lives: beside the state, or with the user's other state."""
    if asked.state is not None:
        return asked.state.parent
    home = os.environ.get("XDG_STATE_HOME")
    return Path(home) / "policyengine" if home else Path.home() / ".local" / "state" / "policyengine"


def _told(running: RunningEmulator, authority: Path | None, restored: Path | None) -> Iterator[str]:
    url, clock = running.url, running.emulator.clock
    yield f"Resource Manager emulator on {url}, clock {clock.mode}"
    if restored is not None:
        yield f"  goes on from {restored}, at {clock.now():%Y-%m-%d %H:%M:%S} UTC"
    yield f"  use it:   export POLICYENGINE_ARM__ENDPOINT={url} POLICYENGINE_ARM__CREDENTIAL=emulator"
    if authority is not None:
        yield from _snippets(url, authority, tenant_of(running.emulator))
    else:
        yield f"  try it:   curl -H 'Authorization: Bearer me' '{url}{_TRY}'"
        yield "  Azure's own clients sign in over https only: see --https"
    yield f"  watch it: policyengine emulator journal --url {url}"
    yield "  stop it:  Ctrl-C"


def _snippets(url: str, authority: Path, tenant: str) -> Iterator[str]:
    host, file = url.removeprefix("https://"), shlex.quote(str(authority))
    yield f"  trust it: {authority}"
    yield f"    policyengine, httpx  export SSL_CERT_FILE={file}"
    yield f"    curl                 curl --cacert {file} -H 'Authorization: Bearer me' '{url}{_TRY}'"
    yield f"    requests, az         export REQUESTS_CA_BUNDLE={file}"
    yield "    az                   az config set core.instance_discovery=false"
    yield f"                         az cloud register -n emulator --endpoint-resource-manager {url} \\"
    yield f"                           --endpoint-active-directory {url} \\"
    yield "                           --endpoint-active-directory-resource-id https://management.core.windows.net/"
    yield "                         az cloud set -n emulator"
    yield f"                         az login --service-principal -u me -p anything --tenant {tenant}"
    yield f"    azure-identity       authority={url!r}, disable_instance_discovery=True,"
    yield f"                         connection_verify={str(authority)!r}"
    yield f"    Azure SDKs           base_url={url!r}, or export AZURE_AUTHORITY_HOST={url}"
    yield f"                         and DefaultAzureCredential(disable_instance_discovery=True), base_url={url!r}"
    yield f"    Terraform            export ARM_METADATA_HOSTNAME={host} SSL_CERT_FILE={file}"
