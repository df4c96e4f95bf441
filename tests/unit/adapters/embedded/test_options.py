"""What an engine can be started with."""

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from procos.adapters.embedded import EngineOptions
from procos.errors import UsageError

HOME = Path("home")


def test_an_engine_needs_only_a_home_and_a_cache():
    options = EngineOptions(home=HOME, cache=HOME)
    assert (options.version, options.heap_mb, options.port, options.clock_controlled) == ("8.6.0", 512, None, False)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"port": 0}, "engine port 0: a port is a number from 1 to 65535"),
        ({"monitoring_port": 65536}, "engine port 65536"),
        ({"port": 26500, "rest_port": 26500}, "two of the engine's ports are the same"),
        ({"heap_mb": 0}, "engine heap 0 MiB"),
        ({"start_timeout": timedelta(0)}, "start timeout must be longer"),
    ],
)
def test_a_value_out_of_range_is_refused(values: dict[str, Any], message: str):
    with pytest.raises(UsageError, match=message):
        EngineOptions(home=HOME, cache=HOME, **values)
