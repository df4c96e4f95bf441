"""A TaskContext for calling a TDE as the function that it is."""

import logging
from pathlib import Path
from typing import Any, TypeVar

from pydantic import BaseModel

from procos.sdk import TaskContext

ConfigT = TypeVar("ConfigT", bound=BaseModel)


def task_context(config: ConfigT, data_folder: Path, **overrides: Any) -> TaskContext[ConfigT]:
    """The context of some job's first attempt; `overrides` replaces any of its fields."""
    fields: dict[str, Any] = {
        "job_key": 2251799813685301,
        "process_instance_key": 2251799813685299,
        "process_definition_id": "order",
        "element_id": "Task_1",
        "headers": {},
        "attempt": 1,
        "correlation_id": "c-1",
        "config": config,
        "data_folder": data_folder,
        "logger": logging.LoggerAdapter(logging.getLogger("test.tde"), {}),
    }
    return TaskContext(**(fields | overrides))
