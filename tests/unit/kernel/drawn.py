"""BPMN as people and their modelers write it, for tests of what reads or changes it."""

from procos.model.deployment import Resource

NAMESPACES = (
    'xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL" xmlns:zeebe="http://camunda.org/schema/zeebe/1.0"'
)


def file(inside: str, *, namespaces: str = NAMESPACES, name: str = "drawn.bpmn", encoding: str = "UTF-8") -> Resource:
    """A BPMN file with `inside` in its definitions."""
    text = (
        f'<?xml version="1.0" encoding="{encoding}"?>\n<!-- made by hand -->\n'
        f'<bpmn:definitions {namespaces} id="definitions" targetNamespace="tests">\n{inside}\n</bpmn:definitions>\n'
    )
    return Resource(name, text.encode(encoding))


def process(inside: str, *, process_id: str = "order", more: str = 'isExecutable="true"', **options: str) -> Resource:
    """A BPMN file with one process."""
    return file(f'<bpmn:process id="{process_id}" {more}>\n{inside}\n</bpmn:process>', **options)


def extended(inside: str) -> str:
    """Extension elements."""
    return f"<bpmn:extensionElements>{inside}</bpmn:extensionElements>"


def typed(job_type: str) -> str:
    """The extension elements of a task with that job type."""
    return extended(f'<zeebe:taskDefinition type="{job_type}"/>')
