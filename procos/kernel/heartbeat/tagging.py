"""A job becomes a task: tagged with its process, its place in the diagram, and what that says of it."""

import re
import time
from collections import OrderedDict
from typing import Final

from procos.model.definition import ProcessDefinition, TaskElement
from procos.model.job import Job
from procos.model.task import Task
from procos.ports.definitions import DefinitionStore

CORRELATION_VARIABLE: Final = "correlationId"
TEMPLATE_HEADER: Final = "modelerTemplate"
"""Under this name the router finds the id of a task's element template."""
_MOST_DEFINITIONS: Final = 256
_ASK_AGAIN_AFTER_S: Final = 5.0
_GENERATED_ID: Final = re.compile(r"(activity|task|event|gateway|flow|element)_[0-9a-z]{7}", re.IGNORECASE)
"""What bpmn-js calls an element that nobody gave an id."""
_BETWEEN_WORDS: Final = re.compile(r"[\W_]+|(?<=[a-z])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])|(?<=[^\W\d_])(?=\d)")


class Tagger:
    """Looks elements up in `definitions`, and remembers the definitions that it saw last."""

    def __init__(self, definitions: DefinitionStore) -> None:
        self._definitions = definitions
        self._elements: OrderedDict[int, dict[str, TaskElement]] = OrderedDict()
        self._unknown: dict[int, float] = {}

    async def tag(self, job: Job) -> Task:
        """The job with its tag; without a name in the diagram, an element id in words serves as one.

        Raises:
            StoreError: the definitions cannot be read.
        """
        element = (await self._elements_of(job.process_definition_key)).get(job.element_id)
        headers = dict(job.custom_headers)
        if element and element.template:
            headers.setdefault(TEMPLATE_HEADER, element.template)
        return Task(
            job_key=job.key,
            job_type=job.type,
            correlation_id=str(job.variables.get(CORRELATION_VARIABLE) or job.process_instance_key),
            process_instance_key=job.process_instance_key,
            process_definition_id=job.process_definition_id,
            process_definition_key=job.process_definition_key,
            process_definition_version=job.process_definition_version,
            element_id=job.element_id,
            element_instance_key=job.element_instance_key,
            name=element.name if element and element.name else _in_words(job.element_id),
            documentation=element.documentation if element else "",
            lane=element.lane if element else "",
            headers=headers,
            inputs=dict(job.variables),
            retries=job.retries,
            tenant_id=job.tenant_id,
        )

    async def _elements_of(self, definition_key: int) -> dict[str, TaskElement]:
        known = self._elements.get(definition_key)
        if known is not None:
            self._elements.move_to_end(definition_key)
            return known
        if time.monotonic() < self._unknown.get(definition_key, 0.0):
            return {}
        definition = await self._definitions.get(definition_key)
        if definition is None:
            # It was deployed by other means, or its deployment is being recorded just now.
            self._unknown = {key: end for key, end in self._unknown.items() if end > time.monotonic()}
            self._unknown[definition_key] = time.monotonic() + _ASK_AGAIN_AFTER_S
            return {}
        return self._keep(definition)

    def _keep(self, definition: ProcessDefinition) -> dict[str, TaskElement]:
        elements = {element.element_id: element for element in definition.elements}
        self._elements[definition.key] = elements
        if len(self._elements) > _MOST_DEFINITIONS:
            self._elements.popitem(last=False)
        return elements


def _in_words(element_id: str) -> str:
    return "" if _GENERATED_ID.fullmatch(element_id) else _BETWEEN_WORDS.sub(" ", element_id).strip()
