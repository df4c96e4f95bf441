"""A TDE's own table of the settings, checked by the TDE's model."""

from typing import Annotated

import pytest
from pydantic import BaseModel, ConfigDict, Field

from procos.errors import SettingsError
from procos.sdk import tde
from procos.sdk.registration import NoConfig
from procos.settings import Settings
from procos.wiring.workers import tde_config


class Limits(BaseModel):
    seconds: float = 30


class Config(BaseModel):
    model_config = ConfigDict(extra="forbid")

    roots: Annotated[list[str], Field(min_length=1)] = ["."]
    limits: Limits = Limits()


class In(BaseModel):
    pass


@tde("files", description="Keeps files", config=Config)
def files(data: In) -> None: ...


@tde("plain", description="Has no settings")
def plain(data: In) -> None: ...


def refusal(of, table) -> SettingsError:
    with pytest.raises(SettingsError) as caught:
        tde_config(Settings(tde={of.name: table}), of)
    return caught.value


def test_a_table_becomes_the_tdes_own_model():
    settings = Settings(tde={"files": {"roots": ["/srv"], "limits": {"seconds": "1.5"}}, "other": {"roots": 3}})

    assert tde_config(settings, files) == Config(roots=["/srv"], limits=Limits(seconds=1.5))


def test_without_a_table_there_are_the_models_defaults():
    assert tde_config(Settings(), files) == Config()
    assert tde_config(Settings(), plain) == NoConfig()


def test_a_wrong_value_names_table_field_and_expected_type():
    error = refusal(files, {"roots": "everywhere"})

    assert error.message.startswith("setting [tde.files] 'roots' is wrong, expected array of string: ")
    assert error.hint == "[tde.files] takes roots, limits"
    assert error.exit_code == 2


def test_a_wrong_value_deep_inside_names_the_way_to_it():
    assert (
        "setting [tde.files] 'limits.seconds' is wrong, expected number: "
        in refusal(files, {"limits": {"seconds": "long"}}).message
    )


def test_an_unknown_name_is_refused():
    error = refusal(files, {"root": ["/srv"]})

    assert "setting [tde.files] 'root' is wrong: Extra inputs are not permitted" in error.message


def test_a_table_for_a_tde_without_settings_is_refused():
    error = refusal(plain, {"anything": 1})

    assert "'anything'" in error.message
    assert error.hint == "[tde.plain] takes no settings"


def test_values_are_not_shown_because_they_may_be_secrets():
    error = refusal(files, {"roots": "hunter2-Zx81", "limits": {"seconds": "hunter2-Zx81"}})

    assert "hunter2-Zx81" not in f"{error.message}{error.hint}"
