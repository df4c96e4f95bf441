"""Camunda's Python SDK, over REST, in a virtual environment of its own."""

import asyncio

from camunda_orchestration_sdk import CamundaAsyncClient
from camunda_orchestration_sdk.runtime.job_worker import WorkerConfig

from peers.contract import Orders


async def main() -> None:
    orders = Orders.read()
    configuration = {"CAMUNDA_REST_ADDRESS": f"http://{orders.rest}/v2", "CAMUNDA_AUTH_STRATEGY": "NONE"}
    async with CamundaAsyncClient(configuration=configuration) as client:

        async def work(job):
            orders.begin()
            if orders.handler_s:
                await asyncio.sleep(orders.handler_s)
            orders.end(job.job_key)
            return {}

        config = WorkerConfig(
            job_type=orders.job_type, job_timeout_milliseconds=orders.lease_ms, max_concurrent_jobs=orders.slots
        )
        client.create_job_worker(config=config, callback=work)
        orders.ready()
        await client.run_workers()


if __name__ == "__main__":
    asyncio.run(main())
