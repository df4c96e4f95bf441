"""Makes a TDE ready to run in a test, with the settings, secrets and folder that the test gives."""

import shutil
import tempfile
import weakref
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ValidationError

from procos.errors import SettingsError
from procos.runtime.execution import Execution
from procos.runtime.inputs import explain
from procos.sdk.registration import Tde


def prepared(
    tde: Tde[..., Any],
    *,
    secrets: Mapping[str, str] | None,
    config: Mapping[str, Any] | BaseModel | None,
    data_folder: Path | None,
    kept_by: object,
) -> Execution:
    """The product's own execution; a folder that nobody gave goes when `kept_by` goes.

    Raises:
        TypeError: `tde` is no TDE.
        SettingsError: `config` is not what the TDE takes; names each setting.
    """
    if not isinstance(tde, Tde):
        raise TypeError(f"a TDE is what @tde makes of a function; this is {type(tde).__name__}")
    return Execution(
        tde=tde,
        config=_config(tde, config),
        secrets=dict(secrets or {}),
        data_folder=data_folder or _new_folder(kept_by) / tde.name,
    )


def _new_folder(kept_by: object) -> Path:
    folder = Path(tempfile.mkdtemp(prefix="procos-test-"))
    weakref.finalize(kept_by, shutil.rmtree, folder, ignore_errors=True)
    return folder


def _config(tde: Tde[..., Any], config: Mapping[str, Any] | BaseModel | None) -> BaseModel:
    model = tde.config_model
    if isinstance(config, model):
        return config
    if isinstance(config, BaseModel):
        raise SettingsError(f"TDE '{tde.name}' takes its settings as {model.__name__}, not {type(config).__name__}")
    try:
        return model.model_validate(dict(config or {}))
    except ValidationError as error:
        raise SettingsError(f"TDE '{tde.name}': {explain(error, model, noun='setting')}") from None
