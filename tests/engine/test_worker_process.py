"""`procos worker` on the real engine: it works alone, tells of its health, and nothing finished is done twice."""

import json
import subprocess
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import Procos, procos_in
from tests.engine.otlp_collector import Collector, collecting
from tests.engine.processes import one_task, write
from tests.engine.proxy import Proxy, proxy_to
from tests.engine.worker_processes import WorkerBench, variables_of, wait_until, worker_bench

pytestmark = pytest.mark.engine


@pytest.fixture
def line(shared: Procos) -> Iterator[Proxy]:
    """A line to the shared engine that can be cut."""
    state = shared.state()
    assert state is not None
    with proxy_to(state["address"]) as proxy:
        yield proxy


@pytest.fixture
def bench(tmp_path: Path, line: Proxy) -> Iterator[WorkerBench]:
    """Workers behind that line, with a home of their own and short leases."""
    command = procos_in(tmp_path / "home", PROCOS_ADDRESS=line.address, PROCOS_LEASE="4")
    with worker_bench(tmp_path, command) as bench:
        yield bench


@pytest.fixture
def collector() -> Iterator[Collector]:
    """A server that takes spans."""
    with collecting() as collector:
        yield collector


@pytest.fixture
def begin(shared: Procos, tmp_path: Path) -> Callable[..., "subprocess.Popen[str]"]:
    """Starts an instance of a one-task process, past the line; its result is printed at the end."""

    def start(name: str, *variables: str, **options: object) -> "subprocess.Popen[str]":
        file = write(tmp_path, name, one_task(name, f"tde.{name}", **options))  # type: ignore[arg-type]
        given = [word for variable in variables for word in ("--var", variable)]
        return shared.start("run", file, "--wait", *given)

    return start


def result_of(instance: "subprocess.Popen[str]") -> dict[str, object]:
    output, messages = instance.communicate(timeout=90)
    assert instance.returncode == 0, messages
    return variables_of(output)


def test_a_worker_alone_does_its_tasks_tells_of_them_and_drains(bench: WorkerBench, begin) -> None:
    bench.write("""
@tde("wp-plain", description="Takes a while")
def plain(_: Nothing) -> Done:
    effect("begun")
    time.sleep(1)
    return Done(text="well")
""")
    worker = bench.start(PROCOS_LOG_FORMAT="json")
    wait_until(lambda: worker.ask("/readyz")[0] == 200)
    assert worker.ask("/healthz")[0] == 200
    assert result_of(begin("wp-plain"))["text"] == "well"
    assert worker.metric('procos_jobs_total{job_type="tde.wp-plain",outcome="completed"}') == 1
    assert worker.metric('procos_job_duration_seconds_count{job_type="tde.wp-plain"}') == 1

    instance = begin("wp-plain")
    wait_until(lambda: len(bench.effects) == 2)
    assert worker.terminate() == 0, "what runs is finished first"
    assert result_of(instance)["text"] == "well"
    assert len(bench.effects) == 2


def test_finished_work_is_not_done_again_when_its_completion_was_lost_with_the_process(
    bench: WorkerBench, line: Proxy, begin
) -> None:
    bench.write("""
@tde("wp-ledger", description="Does something that must not happen twice")
def once(_: Nothing) -> Done:
    while not Path("cut").exists():
        time.sleep(0.02)
    effect("done")
    return Done(text="the first and only")
""")
    worker = bench.start()
    instance = begin("wp-ledger")
    wait_until(lambda: worker.metric('procos_jobs_running{job_type="tde.wp-ledger"}') == 1)
    line.cut()
    (bench.folder / "cut").touch()
    wait_until(lambda: worker.metric('procos_job_delivery_retries_total{job_type="tde.wp-ledger"}') > 0)
    worker.kill()
    line.mend()
    second = bench.start()
    assert result_of(instance)["text"] == "the first and only"
    assert bench.effects == ["done"]
    assert second.metric('procos_jobs_total{job_type="tde.wp-ledger",outcome="replayed"}') == 1


def test_what_a_killed_attempt_kept_is_there_for_the_next(bench: WorkerBench, begin) -> None:
    bench.write("""
@tde("wp-progress", description="Works in two halves")
def halves(_: Nothing, context: TaskContext) -> Done:
    if context.saved is None:
        context.progress({"half": 1})
        effect("first half")
        time.sleep(600)
    effect("second half")
    return Done(text=f"went on from {context.saved['half']}")
""")
    worker = bench.start()
    instance = begin("wp-progress")
    wait_until(lambda: bench.effects)
    wait_until((bench.folder / "home/state/procos.db").exists)
    wait_until(lambda: b"half" in b"".join(file.read_bytes() for file in (bench.folder / "home/state").glob("*.db*")))
    worker.kill()
    bench.start()
    assert result_of(instance)["text"] == "went on from 1"
    assert bench.effects == ["first half", "second half"]


def test_a_failure_is_counted_and_waited_for_and_its_progress_kept(bench: WorkerBench, begin) -> None:
    bench.write("""
@tde("wp-fails", description="Fails at first")
def fails(_: Nothing, context: TaskContext) -> Done:
    effect(f"attempt {context.attempt}, saved {context.saved}")
    context.progress(context.attempt)
    if context.attempt < 4:
        raise ValueError("not yet")
    return Done(text="at last")
""")
    bench.start()
    headers = {"retryAttempts": "5", "retryBackoff": "PT0.1S"}
    assert result_of(begin("wp-fails", headers=headers))["text"] == "at last"
    assert bench.effects == [f"attempt {n}, saved {n - 1 or None}" for n in (1, 2, 3, 4)]


def test_waiting_uses_up_no_retries(bench: WorkerBench, begin) -> None:
    bench.write("""
from datetime import timedelta

@tde("wp-waits", description="Waits")
def waits(_: Nothing, context: TaskContext) -> Done:
    looks = (context.saved or 0) + 1
    context.progress(looks)
    if looks < 6:
        raise RetryLater("not there yet", after=timedelta(milliseconds=50), keep_retries=True)
    return Done(text=f"{looks} looks, attempt {context.attempt}")
""")
    bench.start()
    assert result_of(begin("wp-waits", retries=1))["text"] == "6 looks, attempt 1"


def test_an_engine_out_of_reach_is_no_ground_to_end_but_to_be_not_ready(bench: WorkerBench, line: Proxy, begin) -> None:
    bench.write("""
@tde("wp-away", description="Is quick")
async def quick(_: Nothing) -> Done:
    return Done(text="back")
""")
    worker = bench.start()
    wait_until(lambda: worker.ask("/readyz")[0] == 200)
    line.cut()
    wait_until(lambda: worker.ask("/readyz")[0] == 503)
    reasons = json.loads(worker.ask("/readyz")[1])["reasons"]
    assert "no Zeebe gateway answers" in reasons["tde.wp-away"]
    assert worker.ask("/healthz")[0] == 200
    instance = begin("wp-away")
    line.mend()
    assert result_of(instance)["text"] == "back"
    wait_until(lambda: worker.ask("/readyz")[0] == 200)


def test_a_blocked_event_loop_is_seen_from_outside(bench: WorkerBench, begin) -> None:
    bench.write("""
@tde("wp-blocks", description="Blocks the loop, which async functions must not")
async def blocks(_: Nothing) -> Done:
    effect("blocking")
    time.sleep(14)
    return Done(text="late")
""")
    worker = bench.start(PROCOS_LEASE="60")
    instance = begin("wp-blocks")
    wait_until(lambda: bench.effects)
    wait_until(lambda: worker.ask("/healthz")[0] == 503, longest_s=30)
    assert "blocked for" in worker.ask("/healthz")[1]
    assert result_of(instance)["text"] == "late"
    wait_until(lambda: worker.ask("/healthz")[0] == 200)


def test_a_cpu_bound_function_runs_elsewhere_and_the_loop_turns(bench: WorkerBench, begin) -> None:
    bench.write("""
@tde("wp-cpu", description="Computes", cpu_bound=True)
def computes(_: Nothing, context: TaskContext) -> Done:
    context.logger.info("computing in %s", os.getpid())
    end = time.monotonic() + 2
    while time.monotonic() < end:
        pass
    return Done(text=str(os.getpid()))
""")
    worker = bench.start()
    found = result_of(begin("wp-cpu"))["text"]
    assert found != str(worker.process.pid)
    assert f"computing in {found}" in worker.said


def test_large_results_travel_as_references_and_come_back_whole(bench: WorkerBench, shared: Procos, begin) -> None:
    bench.write("""
class Large(BaseModel):
    text: str

class Size(BaseModel):
    size: int

@tde("wp-large", description="Makes a lot")
def large(_: Nothing) -> Large:
    return Large(text="ä" * 3_000_000)

@tde("wp-measure", description="Measures")
def measure(given: Large) -> Size:
    return Size(size=len(given.text))
""")
    bench.start()
    reference = result_of(begin("wp-large"))["text"]
    assert isinstance(reference, dict)
    assert reference["procosObject"].startswith("sha256:")
    assert result_of(begin("wp-measure", f"text={json.dumps(reference)}"))["size"] == 3_000_000


def test_dev_starts_anew_when_the_module_changes(bench: WorkerBench, begin) -> None:
    code = """
@tde("wp-dev", description="Says a word")
def word(_: Nothing) -> Done:
    return Done(text="WORD")
"""
    bench.write(code.replace("WORD", "one"))
    worker = bench.start("--dev")
    assert result_of(begin("wp-dev"))["text"] == "one"
    bench.write(code.replace("WORD", "two"))
    wait_until(lambda: "errands.py changed; starting anew" in worker.said)
    wait_until(lambda: worker.said.count("health and metrics at") == 2)
    assert result_of(begin("wp-dev"))["text"] == "two"
    assert worker.terminate() == 0


def test_jobs_of_one_instance_share_a_trace_and_continue_a_given_one(
    bench: WorkerBench, begin, collector: Collector
) -> None:
    bench.write("""
@tde("wp-trace", description="Is traced")
async def traced(_: Nothing) -> Done:
    return Done(text="ok")
""")
    worker = bench.start(PROCOS_OTLP_ENDPOINT=collector.url)
    trace_id = "0af7651916cd43dd8448eb211c80319c"
    result_of(begin("wp-trace", f"traceparent=00-{trace_id}-b7ad6b7169203331-01", "correlationId=one"))
    result_of(begin("wp-trace", "correlationId=two"))
    result_of(begin("wp-trace", "correlationId=two"))
    assert worker.terminate() == 0, "what is left is sent at the end"
    spans = collector.spans()
    assert [span.name for span in spans] == ["tde wp-trace"] * 3
    assert spans[0].trace_id.hex() == trace_id
    assert spans[0].parent_span_id.hex() == "b7ad6b7169203331"
    assert spans[1].trace_id == spans[2].trace_id != spans[0].trace_id
