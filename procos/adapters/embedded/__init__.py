"""The embedded Zeebe engine: fetched once, run on a Java from a wheel, adopted when its starter is gone."""

from procos.adapters.embedded.broker import EmbeddedEngine
from procos.adapters.embedded.options import EngineOptions
from procos.adapters.embedded.running import RunningEngine

__all__ = ["EmbeddedEngine", "EngineOptions", "RunningEngine"]
