"""The JobSource port on a Zeebe gateway."""

import json
from collections.abc import AsyncGenerator, Sequence
from datetime import UTC, datetime, timedelta

import grpc
import grpc.aio

from procos.adapters.zeebe.gateway import ANSWER_TIME
from procos.adapters.zeebe.grpc_errors import translate
from procos.adapters.zeebe.protocol import open_stub, pb
from procos.errors import EngineNotFound, EngineUnsupported
from procos.model.job import Completed, ErrorThrown, Failed, Job, Outcome


class ZeebeJobs:
    """Jobs from a Zeebe gateway; `streams` is a channel of its own, so that jobs nobody reads hold up nothing else."""

    def __init__(
        self, channel: grpc.aio.Channel, *, streams: grpc.aio.Channel, address: str, tenant_id: str | None = None
    ) -> None:
        self._stub = open_stub(channel)
        self._streams = open_stub(streams)
        self._address = address
        self._tenant_ids = [tenant_id] if tenant_id else []

    async def activate(
        self,
        job_type: str,
        *,
        worker: str,
        max_jobs: int,
        lease: timedelta,
        fetch_variables: Sequence[str] = (),
        wait: timedelta = timedelta(0),
    ) -> list[Job]:
        """Takes up to `max_jobs` jobs, waiting up to `wait` for the first; no `fetch_variables` means all."""
        request = pb.ActivateJobsRequest(
            type=job_type,
            worker=worker,
            timeout=_milliseconds(lease),
            maxJobsToActivate=max_jobs,
            fetchVariable=fetch_variables,
            # Zeebe reads 0 as its own default of long polling, a negative number as "do not wait".
            requestTimeout=_milliseconds(wait) or -1,
            tenantIds=self._tenant_ids,
        )
        jobs: list[Job] = []
        try:
            async for answer in self._stub.ActivateJobs(request, timeout=(wait + ANSWER_TIME).total_seconds()):
                jobs.extend(_job(job) for job in answer.jobs)
        except grpc.aio.AioRpcError as error:
            if jobs:  # what was handed out is leased to us already; the fault shows again at the next call
                return jobs
            raise translate(error, doing=f"take jobs of type '{job_type}'", address=self._address) from error
        return jobs

    async def stream(
        self, job_type: str, *, worker: str, lease: timedelta, fetch_variables: Sequence[str] = ()
    ) -> AsyncGenerator[Job, None]:
        """Jobs that the engine pushes as they become available, without end."""
        request = pb.StreamActivatedJobsRequest(
            type=job_type,
            worker=worker,
            timeout=_milliseconds(lease),
            fetchVariable=fetch_variables,
            tenantIds=self._tenant_ids,
        )
        call = self._streams.StreamActivatedJobs(request)
        try:
            async for job in call:
                yield _job(job)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.UNIMPLEMENTED:
                raise EngineUnsupported(f"the gateway at {self._address} has no job streams") from error
            raise translate(error, doing=f"stream jobs of type '{job_type}'", address=self._address) from error
        finally:
            call.cancel()

    async def deliver(self, job: Job, outcome: Outcome) -> None:
        """Completes the job, fails it or throws its BPMN error; `EngineNotFound` when the job is gone."""
        timeout = ANSWER_TIME.total_seconds()
        try:
            match outcome:
                case Completed(variables):
                    done = pb.CompleteJobRequest(jobKey=job.key, variables=json.dumps(dict(variables)))
                    await self._stub.CompleteJob(done, timeout=timeout)
                case Failed(message, retries, backoff):
                    failed = pb.FailJobRequest(
                        jobKey=job.key, retries=retries, errorMessage=message, retryBackOff=_milliseconds(backoff)
                    )
                    await self._stub.FailJob(failed, timeout=timeout)
                case ErrorThrown(code, message, variables):
                    thrown = pb.ThrowErrorRequest(
                        jobKey=job.key, errorCode=code, errorMessage=message, variables=json.dumps(dict(variables))
                    )
                    await self._stub.ThrowError(thrown, timeout=timeout)
        except grpc.aio.AioRpcError as error:
            if error.code() is grpc.StatusCode.FAILED_PRECONDITION:  # it is not activated any more: not ours
                raise EngineNotFound(f"job {job.key} is no longer ours: {error.details()}") from error
            raise translate(error, doing=f"deliver the result of job {job.key}", address=self._address) from error

    async def renew(self, job: Job, lease: timedelta) -> None:
        """Sets the job's lease to end `lease` from now."""
        request = pb.UpdateJobTimeoutRequest(jobKey=job.key, timeout=_milliseconds(lease))
        try:
            await self._stub.UpdateJobTimeout(request, timeout=ANSWER_TIME.total_seconds())
        except grpc.aio.AioRpcError as error:
            raise translate(error, doing=f"renew the lease of job {job.key}", address=self._address) from error


def _job(job: pb.ActivatedJob) -> Job:
    return Job(
        key=job.key,
        type=job.type,
        process_instance_key=job.processInstanceKey,
        process_definition_id=job.bpmnProcessId,
        process_definition_key=job.processDefinitionKey,
        process_definition_version=job.processDefinitionVersion,
        element_id=job.elementId,
        element_instance_key=job.elementInstanceKey,
        retries=job.retries,
        deadline=datetime.fromtimestamp(job.deadline / 1000, UTC),
        variables=json.loads(job.variables),
        custom_headers=json.loads(job.customHeaders),
        tenant_id=job.tenantId,
        worker=job.worker,
    )


def _milliseconds(duration: timedelta) -> int:
    return round(duration.total_seconds() * 1000)
