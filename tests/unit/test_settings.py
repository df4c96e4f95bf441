"""The settings: their order, their sources, and what a wrong one says."""

from datetime import timedelta
from pathlib import Path

import pytest
from pydantic import SecretStr, ValidationError

from procos.errors import SettingsError
from procos.settings import ECOSYSTEM_NAMES, Settings, load, secret_variables


@pytest.fixture
def file(tmp_path: Path):
    """Writes a settings file; gives the environment that names it."""

    def write(text: str, **environment: str) -> dict[str, str]:
        path = tmp_path / "procos.toml"
        path.write_text(text, encoding="utf-8")
        return {"PROCOS_CONFIG": str(path), **environment}

    return write


def values(environment: dict[str, str], **options: object) -> Settings:
    return load(options, environment=environment).values


def source(name: str, environment: dict[str, str], **options: object) -> str:
    rows = {row[0]: row[2] for row in load(options, environment=environment).rows()}
    return rows[name]


# Order and sources


def test_nothing_set_means_the_defaults():
    loaded = load(environment={})

    assert loaded.values.address is None
    assert loaded.values.engine_version == "8.6.0"
    assert loaded.values.lease == timedelta(seconds=60)
    assert {row[2] for row in loaded.rows()} == {"default"}
    assert [row[0] for row in loaded.rows()] == list(Settings.model_fields)


def test_the_command_line_wins_over_the_environment_over_the_ecosystem_over_the_file(file):
    environment = file('address = "file:1"\nclient_id = "file"\nscope = "file"\naudience = "file"')
    environment |= {"ZEEBE_ADDRESS": "zeebe:1", "ZEEBE_CLIENT_ID": "zeebe", "ZEEBE_TOKEN_SCOPE": "zeebe"}
    environment |= {"PROCOS_ADDRESS": "procos:1", "PROCOS_CLIENT_ID": "procos"}

    loaded = load({"address": "option:1"}, environment=environment)

    found = loaded.values
    assert (found.address, found.client_id, found.scope, found.audience) == ("option:1", "procos", "zeebe", "file")
    assert loaded.sources == {
        "address": "command line",
        "client_id": "PROCOS_CLIENT_ID",
        "scope": "ZEEBE_TOKEN_SCOPE",
        "audience": environment["PROCOS_CONFIG"],
    }


def test_an_option_that_was_not_given_does_not_count():
    assert values({"PROCOS_HOME": "/srv/procos"}, home=None).home == Path("/srv/procos")


def test_an_empty_variable_does_not_count():
    assert values({"PROCOS_ADDRESS": "", "ZEEBE_ADDRESS": ""}).address is None


def test_a_file_in_the_current_folder_is_found(tmp_path, monkeypatch):
    (tmp_path / "procos.toml").write_text("worker_slots = 7", encoding="utf-8")
    monkeypatch.chdir(tmp_path)

    assert values({}).worker_slots == 7
    assert source("worker_slots", {}) == str(tmp_path / "procos.toml")


def test_hyphens_in_the_file_mean_underscores(file):
    assert values(file("worker-slots = 7")).worker_slots == 7


@pytest.mark.parametrize(
    ("field", "name"), [(field, name) for field, names in ECOSYSTEM_NAMES.items() for name in names]
)
def test_each_variable_of_the_ecosystem_counts(field, name):
    text = {"address": "gateway:26500", "plaintext": "true"}.get(field, "/some/thing")
    wanted = {"address": "gateway:26500", "plaintext": True, "client_secret": SecretStr("/some/thing")}
    paths = {"ca_certificate": Path("/some/thing"), "java_home": Path("/some/thing")}

    assert getattr(values({name: text}), field) == (wanted | paths).get(field, "/some/thing")
    assert source(field, {name: text}) == name


def test_the_first_variable_of_the_ecosystem_wins():
    assert values({"CAMUNDA_GATEWAY_ADDRESS": "b:1", "ZEEBE_ADDRESS": "a:1"}).address == "a:1"


# Tables of single TDEs


def test_tables_of_the_file_and_the_environment_are_merged(file):
    environment = file(
        '[tde.http]\nretries = 2\ntimeout = "5s"\n[tde.file]\nroots = ["/srv"]', PROCOS_TDE__HTTP__TIMEOUT="9s"
    )

    loaded = load(environment=environment)

    assert loaded.values.tde == {"http": {"retries": 2, "timeout": "9s"}, "file": {"roots": ["/srv"]}}
    assert loaded.sources["tde"] == f"{environment['PROCOS_CONFIG']}, PROCOS_TDE__HTTP__TIMEOUT"


def test_a_table_may_be_given_as_json():
    assert values({"PROCOS_TDE": '{"python": {"allow": ["a.*"]}}'}).tde == {"python": {"allow": ["a.*"]}}


def test_a_list_in_a_variable_of_a_table_may_be_given_as_json():
    assert values({"PROCOS_TDE__PYTHON__ALLOW": '["a.*"]'}).tde == {"python": {"allow": ["a.*"]}}


# What values may look like


@pytest.mark.parametrize(
    ("text", "seconds"), [("90", 90), ("1.5", 1.5), ("PT2M", 120), ("P1DT1S", 86401), ("00:00:30", 30)]
)
def test_durations_are_seconds_or_iso_8601(text, seconds):
    assert values({"PROCOS_LEASE": text}).lease == timedelta(seconds=seconds)


def test_durations_in_the_file_may_be_numbers(file):
    assert values(file("lease = 1.5")).lease == timedelta(seconds=1.5)


@pytest.mark.parametrize("name", ["PROCOS_LEASE", "PROCOS_ENGINE_START_TIMEOUT"])
@pytest.mark.parametrize("text", ["0", "-5", "-PT1S"])
def test_a_duration_that_takes_no_time_is_refused(name, text):
    with pytest.raises(SettingsError, match=name):
        load(environment={name: text})


def test_a_drain_may_have_no_grace_but_no_negative_one():
    assert values({"PROCOS_DRAIN_GRACE": "0"}).drain_grace == timedelta(0)
    with pytest.raises(SettingsError, match="PROCOS_DRAIN_GRACE"):
        load(environment={"PROCOS_DRAIN_GRACE": "-PT1S"})


@pytest.mark.parametrize(
    ("text", "wanted"),
    [
        ("127.0.0.1:26500", "127.0.0.1:26500"),
        ("grpc://gateway:26500/", "grpc://gateway:26500"),
        ("https://x.bru-2.zeebe.camunda.io:443", "https://x.bru-2.zeebe.camunda.io:443"),
        ("[::1]:26500", "[::1]:26500"),
    ],
)
def test_addresses_are_taken_with_or_without_a_scheme(text, wanted):
    assert values({"ZEEBE_ADDRESS": text}).address == wanted


@pytest.mark.parametrize("text", ["localhost", ":26500", "host:", "host:port", "http://host:1/path"])
def test_an_address_without_host_or_port_is_refused_with_an_example(text):
    with pytest.raises(SettingsError, match=r"ZEEBE_ADDRESS.*HOST:PORT, for example"):
        load(environment={"ZEEBE_ADDRESS": text})


def test_paths_become_absolute_and_know_the_users_home(monkeypatch, tmp_path):
    monkeypatch.chdir(tmp_path)

    found = values({"PROCOS_HOME": "here", "PROCOS_CACHE": "~/there"})

    assert found.home == tmp_path / "here"
    assert found.cache == Path.home() / "there"


def test_settings_cannot_be_changed():
    found = values({})
    with pytest.raises(ValidationError, match="frozen"):
        found.worker_slots = 3


# What a wrong one says


def test_a_wrong_value_names_setting_value_source_and_what_it_is_for(file):
    environment = file('worker_slots = "many"')

    with pytest.raises(SettingsError) as caught:
        load(environment=environment)

    assert caught.value.message.startswith(f"setting worker_slots = 'many' (from {environment['PROCOS_CONFIG']}): ")
    assert "integer" in caught.value.message
    assert caught.value.hint == Settings.model_fields["worker_slots"].description


def test_a_wrong_option_names_the_command_line():
    with pytest.raises(SettingsError, match=r"engine_heap_mb = '5' \(from command line\)"):
        load({"engine_heap_mb": 5}, environment={})


def test_a_wrong_client_secret_is_not_shown(file):
    with pytest.raises(SettingsError) as caught:
        load(environment=file("client_secret = 12345678"))

    assert "client_secret" in caught.value.message
    assert "12345678" not in f"{caught.value.message}{caught.value.hint}"


def test_an_unknown_name_in_the_file_is_an_error(file):
    with pytest.raises(SettingsError, match=r"'worker_slot' is no setting of ProcOS \(in .*procos\.toml\)"):
        load(environment=file("worker_slot = 3"))


def test_an_unknown_variable_is_an_error():
    with pytest.raises(SettingsError, match="PROCOS_HOEM is no setting") as caught:
        load(environment={"PROCOS_HOEM": "/srv"})

    assert caught.value.hint == "`procos config` lists all settings"


def test_a_table_under_a_setting_that_is_none_is_an_error():
    with pytest.raises(SettingsError, match="PROCOS_HOME__X"):
        load(environment={"PROCOS_HOME__X": "/srv"})


def test_a_variable_that_is_not_json_where_json_is_needed_is_named():
    with pytest.raises(SettingsError) as caught:
        load(environment={"PROCOS_TDE": "http"})

    assert "PROCOS_TDE" in caught.value.message
    assert "JSON" in caught.value.message
    assert "_Given" not in caught.value.message, "an inner name is nothing for a person"


def test_a_settings_file_that_is_named_must_be_there(tmp_path):
    with pytest.raises(SettingsError, match=r"nowhere\.toml cannot be read: No such file"):
        load(environment={"PROCOS_CONFIG": str(tmp_path / "nowhere.toml")})


def test_a_file_that_is_not_toml_is_refused_with_the_line(file):
    with pytest.raises(SettingsError, match=r"procos\.toml is not TOML: .*line 2"):
        load(environment=file("worker_slots = 3\nhome = \n"))


def test_a_file_in_a_wrong_encoding_is_refused(tmp_path):
    (tmp_path / "latin.toml").write_bytes('scope = "Größe"'.encode("latin-1"))
    with pytest.raises(SettingsError, match=r"latin\.toml is not TOML"):
        load(environment={"PROCOS_CONFIG": str(tmp_path / "latin.toml")})


# Secrets


def test_secrets_are_masked_where_settings_are_shown():
    loaded = load(environment={"PROCOS_CLIENT_SECRET": "hunter2-Zx81"})

    assert loaded.values.client_secret is not None
    assert loaded.values.client_secret.get_secret_value() == "hunter2-Zx81"
    assert "hunter2-Zx81" not in str(list(loaded.rows())) + repr(loaded)


def test_a_password_inside_a_url_is_masked_where_settings_are_shown():
    rows = load(environment={"PROCOS_MAVEN_REPOSITORY": "https://ann:hunter2@mirror:8443/maven2"}).rows()

    assert {row[0]: row[1] for row in rows}["maven_repository"] == "https://ann:***@mirror:8443/maven2"


def test_secret_variables_are_no_settings():
    environment = {"PROCOS_SECRET_DB": "x", "PROCOS_SECRET_db.old": "y", "PROCOS_HOME": "/srv", "OTHER": "z"}

    assert secret_variables(environment) == {"DB": "x", "db.old": "y"}
    assert values(environment).home == Path("/srv")


def test_every_setting_is_described_and_listed_as_text():
    for name, field in Settings.model_fields.items():
        assert field.description, f"{name} needs a description"
        assert field.description.endswith(".")
    rows = {row[0]: row[1] for row in load(environment={"PROCOS_LEASE": "90"}).rows()}
    assert rows["lease"] == "90 s"
    assert rows["address"] == ""
    assert rows["worker_slots"] == "32"


@pytest.mark.parametrize("name", ["client_secret", "database_url"])
def test_a_secret_of_the_wrong_type_is_not_shown(file, name):
    with pytest.raises(SettingsError) as caught:
        values(file(f'{name} = ["postgresql://procos:pa55word@db/procos"]'))

    assert name in caught.value.message
    assert "pa55word" not in caught.value.message
