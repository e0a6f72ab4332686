"""The state on disk (G44): sealed, whole, and good for going on where the emulator stopped."""

from __future__ import annotations

import base64
import stat
import threading
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from policyengine import __version__
from policyengine.emulator import Emulator, Settings
from policyengine.emulator.state_file import FORMAT, KEY_VARIABLE, Keeper, StateFile
from policyengine.errors import ConfigError
from tests.emulator.conftest import ManualClock, fleet

if TYPE_CHECKING:
    from tests.emulator.conftest import Api

SECRET = "c2VjcmV0LW9mLXRoZS10ZXN0"
OTHER_KEY = base64.urlsafe_b64encode(b"k" * 32).decode()


@pytest.fixture
def file(tmp_path: Path) -> StateFile:
    return StateFile.at(tmp_path / "emulator.state", {})


def restored(path: Path, wall: ManualClock, **environ: str) -> Emulator:
    """A new emulator, of another fleet and other settings, that goes on from the file."""
    emulator = Emulator(clock="x60", settings=Settings(page_size=1), wall=wall)
    assert StateFile.at(path, environ).restore(emulator)
    return emulator


def under_way(api: Api) -> None:
    """An operation that waits for an agent, one whose agent is away, a secret not yet delivered, a scripted source."""
    api.emulator.script_source({"url": api.git["url"], "revisions": {"*": [{"kind": "ConfigMap", "name": "a"}]}})
    api.install(api.arc)
    api.configure(api.offline, configurationProtectedSettings={"sshPrivateKey": SECRET})


def test_g44_nothing_can_be_read_in_the_file(api: Api, file: StateFile) -> None:
    """Neither a url nor a namespace, a name, a setting or a secret stands in it, whichever way it is encoded."""
    under_way(api)
    api.install(api.aks, configurationSettings={"image-automation-controller.enabled": "true"})
    file.write(api.emulator.freeze())
    content = file.path.read_bytes()
    secrets = [str(api.git["url"]), "cluster-config", "osl-01", "image-automation-controller", SECRET, "microsoft.flux"]
    for text in secrets:
        for written in (text.encode(), text.encode("utf-16-le"), base64.b64encode(text.encode()).rstrip(b"=")[:-2]):
            assert written.lower() not in content.lower()
    assert stat.S_IMODE(file.path.stat().st_mode) == 0o600


def test_g44_the_key_is_kept_apart(api: Api, file: StateFile) -> None:
    file.write(api.emulator.freeze())
    beside = file.path.with_name("emulator.state.key")
    assert stat.S_IMODE(beside.stat().st_mode) == 0o600
    assert beside.read_bytes().strip() not in file.path.read_bytes()


@pytest.mark.parametrize("how", ["another", "missing", "no key"])
def test_g44_without_its_key_it_refuses_to_start_and_says_why(api: Api, file: StateFile, how: str) -> None:
    file.write(api.emulator.freeze())
    before = file.path.read_bytes()
    environ = {"another": {KEY_VARIABLE: OTHER_KEY}, "missing": {}, "no key": {KEY_VARIABLE: "swordfish"}}[how]
    said = {"another": "wrong key", "missing": "key is missing", "no key": "holds no key"}[how]
    if how == "missing":
        file.path.with_name("emulator.state.key").unlink()
    with pytest.raises(ConfigError, match=said):
        StateFile.at(file.path, environ).restore(Emulator(fleet()))
    assert file.path.read_bytes() == before


def test_the_key_may_come_from_the_environment_alone(api: Api, tmp_path: Path) -> None:
    path = tmp_path / "s"
    StateFile.at(path, {KEY_VARIABLE: OTHER_KEY}).write(api.emulator.freeze())
    assert [p.name for p in tmp_path.iterdir()] == ["s"]
    restored(path, api.wall, **{KEY_VARIABLE: OTHER_KEY})


def test_it_goes_on_where_it_stopped_with_clock_and_pending_operations(api: Api, file: StateFile) -> None:
    under_way(api)
    api.advance("10s")
    file.write(api.emulator.freeze())
    other = restored(file.path, api.wall)
    assert (other.clock.mode, other.clock.now()) == ("frozen", api.emulator.clock.now())
    assert other.settings == api.emulator.settings
    for emulator in (api.emulator, other):
        emulator.advance(timedelta(minutes=10))
        emulator.connect("got-02")
        emulator.advance(timedelta(minutes=10))
    assert documents(other) == documents(api.emulator)


def documents(emulator: Emulator) -> list[Any]:
    return [
        [c.document, c.objects.document(), [r.document() for r in c.records.values()], c.connected]
        for c in emulator.state.clusters.values()
    ]


def test_time_that_passes_while_it_is_stopped_does_not_count(start: Callable[..., Api], tmp_path: Path) -> None:
    api = start(clock="x60")
    api.wall.pass_(10)
    file = StateFile.at(tmp_path / "s", {})
    at = api.emulator.settle()
    file.write(api.emulator.freeze())
    api.wall.pass_(86_400)
    other = restored(file.path, api.wall)
    assert other.settle() == at
    api.wall.pass_(1)
    assert (other.settle() - at).total_seconds() == 60


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"hello", "not a state"),
        (b"policyengine-emulator-state 1 0.0.1\nxyz", "version 0.0.1"),
        (b"policyengine-emulator-state 2 9.9.9\nxyz", "version 9.9.9"),
        (f"policyengine-emulator-state 1 {__version__}\n".encode(), "another format"),
        (f"policyengine-emulator-state {FORMAT} {__version__}\n".encode() + b"x" * 40, "the file was changed"),
        (f"policyengine-emulator-state {FORMAT} {__version__}\n".encode(), "the file was changed"),
    ],
)
def test_what_cannot_be_restored_is_refused_and_left_alone(file: StateFile, content: bytes, said: str) -> None:
    file.path.write_bytes(content)
    with pytest.raises(ConfigError, match=said):
        file.restore(Emulator(fleet()))
    assert file.path.read_bytes() == content


def test_without_a_file_there_is_nothing_to_restore(file: StateFile) -> None:
    assert not file.restore(Emulator(fleet()))


def test_a_keeper_writes_what_changed_and_nothing_else(api: Api, file: StateFile) -> None:
    with Keeper(api.emulator, file) as keeper:
        first = file.path.read_bytes()
        api.get("/subscriptions")
        keeper.save()
        assert file.path.read_bytes() == first
        api.install(api.arc)
        keeper.save()
        assert file.path.read_bytes() != first
        assert api.emulator.advance(api.emulator.settings.write_timeout)
    assert restored(file.path, api.wall).clock.now() == api.emulator.clock.now()


def test_a_disk_that_is_full_for_a_while_costs_a_warning(
    api: Api, file: StateFile, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """What could not be written is written as soon as there is room again."""
    full = threading.Event()
    write = StateFile.write

    def fail(self: StateFile, emulator: Emulator) -> None:
        full.set()
        raise ConfigError("no space left on device")

    monkeypatch.setattr("policyengine.emulator.state_file.WRITE_EVERY_S", 0.01)
    with Keeper(api.emulator, file):
        monkeypatch.setattr(StateFile, "write", fail)
        api.install(api.arc)
        assert full.wait(10)
        monkeypatch.setattr(StateFile, "write", write)
    assert "no space left" in caplog.text
    assert restored(file.path, api.wall).cluster("osl-01").records


def test_no_half_written_file_is_ever_there(api: Api, file: StateFile, monkeypatch: pytest.MonkeyPatch) -> None:
    file.write(api.emulator.freeze())
    before = file.path.read_bytes()

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", fail)
    with pytest.raises(ConfigError, match="No space left"):
        file.write(api.emulator.freeze())
    assert file.path.read_bytes() == before
    assert sorted(p.name for p in file.path.parent.iterdir()) == ["emulator.state", "emulator.state.key"]
