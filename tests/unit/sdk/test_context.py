"""TaskContext: what a TDE knows of its job."""

import dataclasses
import logging
from pathlib import Path

import pytest

from procos.sdk import TaskContext
from procos.sdk.registration import NoConfig


def context(job_key: int = 7, attempt: int = 1) -> TaskContext[NoConfig]:
    return TaskContext(
        job_key=job_key,
        process_instance_key=3,
        process_definition_id="order",
        element_id="Task_1",
        headers={},
        attempt=attempt,
        correlation_id="c-1",
        config=NoConfig(),
        data_folder=Path("/srv"),
        logger=logging.LoggerAdapter(logging.getLogger("test.tde"), {}),
    )


def test_the_idempotency_key_is_the_same_for_every_attempt_of_one_job_only():
    assert context(attempt=1).idempotency_key == context(attempt=3).idempotency_key == "7"
    assert context(job_key=8).idempotency_key != context(job_key=7).idempotency_key


def test_a_context_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        context().attempt = 2
