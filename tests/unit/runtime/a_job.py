"""One activated job, out of nowhere."""

from datetime import UTC, datetime
from typing import Any

from procos.model.job import Job


def a_job(*, key: int = 7, retries: int = 3, headers: dict[str, str] | None = None, **variables: Any) -> Job:
    """A job of type `tde.some`."""
    return Job(
        key=key,
        type="tde.some",
        process_instance_key=3,
        process_definition_id="order",
        process_definition_key=1,
        process_definition_version=1,
        element_id="Task_1",
        element_instance_key=4,
        retries=retries,
        deadline=datetime.now(UTC),
        variables=variables,
        custom_headers=headers or {},
    )
