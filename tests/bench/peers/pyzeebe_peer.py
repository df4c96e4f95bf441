"""pyzeebe as its documentation has it; `tuned` asks again after 20 ms where its default is to sleep 5 s."""

import asyncio
import logging

from pyzeebe import Job, ZeebeWorker, create_insecure_channel

from peers.contract import Orders

TUNED_DELAY_S = 0.02


async def main() -> None:
    logging.basicConfig(level=logging.ERROR)
    orders = Orders.read()
    tuning = {"poll_retry_delay": TUNED_DELAY_S} if orders.mode == "tuned" else {}
    worker = ZeebeWorker(
        create_insecure_channel(grpc_address=orders.gateway),
        name="pyzeebe",
        max_connection_retries=-1,
        stream_enabled=orders.mode == "stream",
        **tuning,
    )

    @worker.task(
        task_type=orders.job_type,
        timeout_ms=orders.lease_ms,
        max_jobs_to_activate=orders.slots,
        max_running_jobs=orders.slots,
    )
    async def work(job: Job) -> None:
        orders.begin()
        if orders.handler_s:
            await asyncio.sleep(orders.handler_s)
        orders.end(job.key)

    orders.ready()
    await worker.work()


if __name__ == "__main__":
    asyncio.run(main())
