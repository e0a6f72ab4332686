from __future__ import annotations

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import pytest

from policyengine.errors import ConfigError
from policyengine.workflows.settings import Settings, load_settings

HEAD = "apiVersion: policyengine/v1\nkind: Project\n"
Write = Callable[[str, str], Path]


@pytest.fixture
def write(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Write:
    """``write(path, text)`` below the folder that the command runs in."""
    monkeypatch.chdir(tmp_path)

    def write(path: str, text: str) -> Path:
        file = tmp_path / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text, encoding="utf-8")
        return file

    return write


def settings(environ: Mapping[str, str] | None = None, **options: Any) -> Settings:
    """The settings of a user without a home of their own."""
    return load_settings(environ=environ or {}, **options)


def refusal(environ: Mapping[str, str] | None = None, **options: Any) -> ConfigError:
    with pytest.raises(ConfigError) as refused:
        settings(environ, **options)
    return refused.value


class TestLayers:
    def test_defaults_are_enough(self, write: Write) -> None:
        assert settings() == Settings()
        assert settings().policies == ["policies"]
        assert settings().database == "sqlite:///policyengine.db"
        assert settings().arm.budget.writes_per_second == 8

    def test_each_layer_wins_over_those_before_it(self, write: Write, tmp_path: Path) -> None:
        layers: list[dict[str, Any]] = [
            {},
            {"environ": {"XDG_CONFIG_HOME": str(tmp_path / "home")}},
            {"project": tmp_path / "project"},
            {"config": write("other.yaml", "arm: {endpoint: http://config}")},
            {"environment": "dev"},
            {"environ": {"POLICYENGINE_ARM__ENDPOINT": "http://variable"}},
            {"options": {"arm.endpoint": "http://option"}},
        ]
        write("home/policyengine/config.yaml", "arm: {endpoint: http://user}")
        write("project/policyengine.yaml", f"{HEAD}arm: {{endpoint: http://project}}")
        write("other.yaml", "arm: {endpoint: http://config}\nenvironments: {dev: {arm: {endpoint: http://dev}}}")

        given: dict[str, Any] = {}
        found = []
        for layer in layers:
            environ = {**given.get("environ", {}), **layer.get("environ", {})}
            given = {**given, **layer, "environ": environ}
            found.append(settings(**given).arm.endpoint)

        assert found == [
            "https://management.azure.com",
            "http://user",
            "http://project",
            "http://config",
            "http://dev",
            "http://variable",
            "http://option",
        ]

    def test_layers_are_merged_key_by_key(self, write: Write) -> None:
        write("policyengine.yaml", f"{HEAD}arm: {{credential: emulator, budget: {{writesPerSecond: 2}}}}")

        found = settings({"POLICYENGINE_ARM__BUDGET__READS_PER_SECOND": "3.5"})

        assert found.arm.credential == "emulator"
        assert (found.arm.budget.writes_per_second, found.arm.budget.reads_per_second) == (2, 3.5)

    def test_lists_are_replaced(self, write: Write) -> None:
        write("policyengine.yaml", f"{HEAD}policies: [one, two]")

        assert settings({"POLICYENGINE_POLICIES": "a, b"}).policies == ["a", "b"]

    def test_the_home_folder_holds_the_user_file(self, write: Write, tmp_path: Path) -> None:
        write(".config/policyengine/config.yaml", "remediation: {parallel: 3}")

        assert settings({"HOME": str(tmp_path)}).remediation.parallel == 3

    def test_the_nearest_project_file_is_the_one(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("policyengine.yaml", f"{HEAD}inventory: 'file:outer.yaml'")
        write("team/policyengine.yaml", f"{HEAD}inventory: 'file:inner.yaml'")
        write("team/a/b/notes.txt", "")
        monkeypatch.chdir(tmp_path / "team" / "a" / "b")

        assert settings().inventory == f"file:{tmp_path}/team/inner.yaml"


class TestVariables:
    def test_two_underscores_nest_and_one_joins_words(self, write: Write) -> None:
        found = settings(
            {
                "POLICYENGINE_DATABASE": "postgresql://db/x",
                "POLICYENGINE_ARM__BUDGET__WRITES_PER_SECOND": "4",
                "POLICYENGINE_REMEDIATION__PARALLEL": "7",
                "PATH": "/bin",
            }
        )

        assert found.database == "postgresql://db/x"
        assert (found.arm.budget.writes_per_second, found.remediation.parallel) == (4, 7)

    def test_the_token_is_not_a_setting(self, write: Write) -> None:
        assert settings({"POLICYENGINE_TOKEN": "secret"}) == Settings()

    def test_the_more_special_of_two_that_contradict_each_other_counts(self, write: Write) -> None:
        environ = {"POLICYENGINE_ARM": "x", "POLICYENGINE_ARM__ENDPOINT": "http://y"}

        assert settings(environ).arm.endpoint == "http://y"


class TestPaths:
    def test_relative_paths_start_at_the_folder_of_their_file(self, write: Write, tmp_path: Path) -> None:
        write("shop/policyengine.yaml", f"{HEAD}policies: [rules]\ndatabase: sqlite:///state/x.db")
        write("conf/extra.yaml", "inventory: file:fleet.yaml")

        found = settings(project=tmp_path / "shop", config=tmp_path / "conf" / "extra.yaml")

        assert found.policies == [f"{tmp_path}/shop/rules"]
        assert found.database == f"sqlite:///{tmp_path}/shop/state/x.db"
        assert found.inventory == f"file:{tmp_path}/conf/fleet.yaml"

    def test_so_do_those_of_an_environment(self, write: Write, tmp_path: Path) -> None:
        write("policyengine.yaml", f"{HEAD}environments: {{dev: {{database: 'sqlite:///dev.db'}}}}")

        assert settings(environment="dev").database == f"sqlite:///{tmp_path}/dev.db"

    def test_default_places_are_in_the_folder_of_the_project(
        self, write: Write, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        write("policyengine.yaml", HEAD)
        write("deep/down/notes.txt", "")
        monkeypatch.chdir(tmp_path / "deep" / "down")

        assert settings().policies == [f"{tmp_path}/policies"]
        assert settings().database == f"sqlite:///{tmp_path}/policyengine.db"

    def test_a_project_folder_needs_no_file(self, write: Write, tmp_path: Path) -> None:
        write("shop/policies/a.yaml", "")

        assert settings(project=tmp_path / "shop").policies == [f"{tmp_path}/shop/policies"]

    def test_absolute_paths_shipped_words_and_urls_stay(self, write: Write) -> None:
        write(
            "policyengine.yaml",
            f"{HEAD}policies: ['library:', 'samples:', /srv/rules]\n"
            "database: sqlite:////srv/x.db\ninventory: file:/srv/fleet.yaml",
        )

        assert settings().policies == ["library:", "samples:", "/srv/rules"]
        assert (settings().database, settings().inventory) == ("sqlite:////srv/x.db", "file:/srv/fleet.yaml")

    def test_paths_in_variables_and_options_start_here(self, write: Write) -> None:
        write("policyengine.yaml", HEAD)

        assert settings({"POLICYENGINE_POLICIES": "rules"}).policies == ["rules"]
        assert settings(options={"database": "sqlite:///x.db"}).database == "sqlite:///x.db"


class TestEnvironments:
    def test_one_is_chosen_by_name(self, write: Write) -> None:
        write("policyengine.yaml", f"{HEAD}inventory: 'arm:'\nenvironments: {{dev: {{arm: {{credential: emulator}}}}}}")

        assert settings().arm.credential == "auto"
        assert settings(environment="dev").arm.credential == "emulator"

    def test_an_empty_one_changes_nothing(self, write: Write) -> None:
        write("policyengine.yaml", f"{HEAD}environments:\n  dev:\n")

        assert settings(environment="dev") == settings()

    def test_an_unknown_one_is_refused(self, write: Write) -> None:
        write("policyengine.yaml", f"{HEAD}environments: {{development: {{}}}}")

        error = refusal(environment="developmnt")
        assert error.message == "there is no environment `developmnt`"
        assert error.help == "did you mean `development`?"
        assert refusal(environment="x").help == "add it under `environments` in policyengine.yaml"

    def test_a_list_of_them_is_refused(self, write: Write, tmp_path: Path) -> None:
        write("policyengine.yaml", f"{HEAD}environments: [dev]\n")

        assert refusal(environment="dev").message == (
            f"{tmp_path}/policyengine.yaml:3:15: error[bad-setting]: `environments` must map names to settings\n"
            "  |\n"
            "3 | environments: [dev]\n"
            "  |               ^^^^^\n"
            "  = help: write `NAME: {…}` under it"
        )


class TestWrong:
    def test_an_unknown_key_is_named_with_its_place(self, write: Write, tmp_path: Path) -> None:
        write("policyengine.yaml", f"{HEAD}arm:\n  budget: {{writePerSecond: 3}}\n")

        assert refusal().message == (
            f"{tmp_path}/policyengine.yaml:4:12: error[unknown-setting]: `arm.budget.writePerSecond` is not a setting\n"
            "  |\n"
            "4 |   budget: {writePerSecond: 3}\n"
            "  |            ^^^^^^^^^^^^^^\n"
            "  = help: did you mean `writesPerSecond`?"
        )

    @pytest.mark.parametrize(
        ("line", "complaint"),
        [
            ("arm: {budget: {writesPerSecond: 0}}", "`arm.budget.writesPerSecond` must be above 0, got `0`"),
            ("arm: {budget: {readsPerSecond: fast}}", "`arm.budget.readsPerSecond` must be a number, got `fast`"),
            ("arm: {cloud: chin}", "`arm.cloud` must be `public`, `usgovernment` or `china`, got `chin`"),
            ("arm: {registerProviders: 7}", "`arm.registerProviders` must be true or false, got `7`"),
            ("arm: {endpoint: true}", "`arm.endpoint` must be text, got `true`"),
            ("arm: http://127.0.0.1", "`arm` must be a mapping, got `http://127.0.0.1`"),
            ("arm:", "`arm` must be a mapping, got `null`"),
            ("policies: policies", "`policies` must be a list, got `policies`"),
            ("policies: [{a: b}]", "`policies.0` must be text"),
            ("remediation: {parallel: 1.5}", "`remediation.parallel` must be a whole number, got `1.5`"),
            ("remediation: {parallel: 0}", "`remediation.parallel` must be 1 or more, got `0`"),
            ("remediation: {parallel: 2001}", "`remediation.parallel` must be 2000 or less, got `2001`"),
            ("arm: {budget: {writes_per_second: 3}}", "`arm.budget.writes_per_second` is not a setting"),
            ("databse: x", "`databse` is not a setting"),
        ],
    )
    def test_the_complaint_says_what_it_must_be(self, write: Write, tmp_path: Path, line: str, complaint: str) -> None:
        write("policyengine.yaml", f"{HEAD}{line}\n")

        head = refusal().message.splitlines()[0]

        assert head.startswith(f"{tmp_path}/policyengine.yaml:3:")
        assert head.endswith(f"]: {complaint}")

    def test_so_it_does_in_an_environment(self, write: Write, tmp_path: Path) -> None:
        write("policyengine.yaml", f"{HEAD}environments:\n  dev:\n    arm: {{endpont: x}}\n")

        message = refusal(environment="dev").message

        assert message.startswith(f"{tmp_path}/policyengine.yaml:5:11: error[unknown-setting]: `arm.endpont`")
        assert message.endswith("did you mean `endpoint`?")

    def test_and_in_a_variable(self, write: Write) -> None:
        assert refusal({"POLICYENGINE_ARM__ENDPONT": "x"}).message == (
            "environment: error[unknown-setting]: `arm.endpont` is not a setting\n  = help: did you mean `endpoint`?"
        )

    def test_everything_wrong_is_told_at_once(self, write: Write, tmp_path: Path) -> None:
        write("policyengine.yaml", f"{HEAD}colour: red\nremediation: {{parallel: many}}\n")
        write("extra.yaml", "size: 3\n")

        message = refusal({"POLICYENGINE_WEIGHT": "4"}, config=tmp_path / "extra.yaml").message

        for name in ("colour", "remediation.parallel", "size", "weight"):
            assert f"`{name}`" in message

    @pytest.mark.parametrize(
        ("text", "complaint"),
        [
            ("", "must hold one document, `kind: Project`"),
            ("[a, b]", "must hold one document, `kind: Project`"),
            ("a: 1\n---\nb: 2", "must hold one document, `kind: Project`"),
            ("kind: Fleet", "is not a project file"),
            ("apiVersion: policyengine/v2\nkind: Project", "is not a project file"),
        ],
    )
    def test_a_file_of_another_kind_is_refused(self, write: Write, tmp_path: Path, text: str, complaint: str) -> None:
        write("policyengine.yaml", text)

        assert refusal().message == f"`{tmp_path}/policyengine.yaml` {complaint}"

    def test_text_that_is_not_yaml_is_shown_where_it_fails(self, write: Write) -> None:
        write("policyengine.yaml", f"{HEAD}arm: {{endpoint: x\n")

        assert "policyengine.yaml:3:18: error[yaml-syntax]: " in refusal().message

    def test_a_file_that_is_asked_for_must_be_there(self, write: Write, tmp_path: Path) -> None:
        assert refusal(config=tmp_path / "gone.yaml").message == (
            f"`{tmp_path}/gone.yaml` cannot be read: No such file or directory"
        )

    def test_a_file_must_be_text(self, write: Write, tmp_path: Path) -> None:
        (tmp_path / "policyengine.yaml").write_bytes(b"kind: \xff")

        assert refusal().message == f"`{tmp_path}/policyengine.yaml` cannot be read: it is not UTF-8"

    def test_the_project_must_be_a_folder(self, write: Write) -> None:
        error = refusal(project=write("policyengine.yaml", HEAD))

        assert error.message.endswith("policyengine.yaml` is not a folder")
        assert error.help == "--project takes the folder of the project"
