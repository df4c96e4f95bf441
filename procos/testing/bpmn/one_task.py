"""A process of one service task, without a file."""

from collections.abc import Mapping

from procos.testing.bpmn.model import Element, Expression, Flow, JobDefinition, Process


def one_task(job_type: str, *, headers: Mapping[str, str], retries: int) -> Process:
    """Start, the element `task` with a job of that type, end; the process is called as the job type."""
    to_task = Flow(id="to-task", source="start", target="task")
    to_end = Flow(id="to-end", source="task", target="end")
    job = JobDefinition(type=Expression(job_type), retries=Expression(str(retries)), headers=dict(headers))
    elements = (
        Element(id="start", kind="start", outgoing=(to_task,)),
        Element(id="task", kind="job", incoming=(to_task.id,), outgoing=(to_end,), job=job),
        Element(id="end", kind="end", incoming=(to_end.id,)),
    )
    return Process(id=job_type, elements={element.id: element for element in elements})
