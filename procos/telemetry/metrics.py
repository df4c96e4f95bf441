"""Metrics of a process that runs workers, in Prometheus' terms; durations are seconds."""

from collections.abc import Callable
from typing import Final

from prometheus_client import Counter, Gauge, Histogram

_JOB_TYPE: Final = ("job_type",)
_DURATIONS: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 900.0)

JOBS: Final = Counter(
    "procos_jobs",
    "Jobs by how they ended: completed, failed, error_thrown, waiting (come again, and no retry is used up),"
    " handed_back, replayed (their outcome was stored), gone, stale (their lease was over when they came),"
    " not_delivered_ with the reason.",
    (*_JOB_TYPE, "outcome"),
)
JOB_SECONDS: Final = Histogram(
    "procos_job_duration_seconds", "How long a TDE's function took.", _JOB_TYPE, buckets=_DURATIONS
)
DELIVERY_SECONDS: Final = Histogram(
    "procos_job_delivery_seconds", "From a function's end to the engine's word that it has the result.", _JOB_TYPE,
    buckets=_DURATIONS,
)  # fmt: skip
RUNNING: Final = Gauge("procos_jobs_running", "Functions that run now.", _JOB_TYPE)
IN_HAND: Final = Gauge("procos_jobs_in_hand", "Jobs leased: waiting for a slot, running, being delivered.", _JOB_TYPE)
SLOTS: Final = Gauge("procos_worker_slots", "How many functions may run at the same time.", _JOB_TYPE)
DELIVERY_RETRIES: Final = Counter(
    "procos_job_delivery_retries", "Results that the engine did not take at once.", _JOB_TYPE
)
LEASE_RENEWALS: Final = Counter("procos_lease_renewals", "Leases renewed, or not.", (*_JOB_TYPE, "result"))
STREAM_OPENINGS: Final = Counter("procos_job_stream_openings", "Job streams opened.", _JOB_TYPE)
LEDGER_FAILURES: Final = Counter("procos_ledger_failures", "Requests that the state database did not answer.")
HEARTBEAT: Final = Counter(
    "procos_heartbeat",
    "What the heartbeat did: beats, failed_beats; tasks found, handed_over, routed, abstained (a person was asked),"
    " delivered.",
    ("event",),
)
HEARTBEAT_LAG_S: Final = Gauge("procos_heartbeat_lag_seconds", "How much later than planned the last beat came.")
LAST_BEAT: Final = Gauge("procos_heartbeat_last_beat_timestamp_seconds", "When the heartbeat last beat, 0 before.")


class WorkerMetrics:
    """The metrics of one job type, looked up once."""

    def __init__(self, job_type: str) -> None:
        self._job_type = job_type
        self.job_seconds = JOB_SECONDS.labels(job_type)
        self.delivery_seconds = DELIVERY_SECONDS.labels(job_type)
        self.delivery_retries = DELIVERY_RETRIES.labels(job_type)
        self.renewed = LEASE_RENEWALS.labels(job_type, "renewed")
        self.not_renewed = LEASE_RENEWALS.labels(job_type, "failed")
        self.stream_openings = STREAM_OPENINGS.labels(job_type)
        self._outcomes: dict[str, Counter] = {}

    def count(self, outcome: str) -> None:
        """One job more that ended so."""
        counter = self._outcomes.get(outcome)
        if counter is None:
            counter = self._outcomes[outcome] = JOBS.labels(self._job_type, outcome)
        counter.inc()

    def show(self, *, slots: int, running: Callable[[], int], in_hand: Callable[[], int]) -> None:
        """Tells the gauges where to look."""
        SLOTS.labels(self._job_type).set(slots)
        RUNNING.labels(self._job_type).set_function(running)
        IN_HAND.labels(self._job_type).set_function(in_hand)
