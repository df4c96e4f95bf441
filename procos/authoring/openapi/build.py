"""An operation gets its names, its input class and its output class."""

from dataclasses import dataclass, replace

from procos.authoring.openapi.code import one_line
from procos.authoring.openapi.declarations import ANYTHING, ClassOfObject, FieldOfClass, TypeText, joined
from procos.authoring.openapi.names import (
    Names,
    class_name,
    names_of_fields,
    names_of_functions,
    variable_name,
)
from procos.authoring.openapi.operations import Operation
from procos.authoring.openapi.parameters import Note
from procos.authoring.openapi.schemas import Schemas, described
from procos.authoring.package_files import LONGEST_NAME, tidy_name


@dataclass(frozen=True, kw_only=True)
class Built:
    """An operation, ready to be written; without an output it gives nothing back."""

    operation: Operation
    function: str
    tde_name: str
    summary: str
    input: ClassOfObject
    output: ClassOfObject | None


class Builder:
    """Builds operations; their names are given out once, and begin with `prefix` where a TDE's name is meant."""

    def __init__(self, schemas: Schemas, prefix: str, note: Note) -> None:
        self._schemas = schemas
        self._prefix = prefix
        self._note = note
        self._functions = names_of_functions()
        self._tdes = Names(between="-")

    def build(self, operation: Operation) -> Built:
        """The operation with its names and classes; the classes that those need are declared with the schemas."""
        found = operation.found
        title = class_name(variable_name(found.id))
        input_name = self._schemas.names.claim(f"{title}Input")
        output_name = self._schemas.names.claim(f"{title}Output")
        summary = one_line(found.node.text("summary") or found.node.text("description")) or found.where
        return Built(
            operation=operation,
            function=self._functions.claim(variable_name(found.id)),
            tde_name=self._tde_name(operation),
            summary=summary,
            input=self._input(input_name, operation),
            output=self._output(output_name, operation),
        )

    def _tde_name(self, operation: Operation) -> str:
        wanted = tidy_name(operation.found.id.replace("{", "by-")) or operation.found.method.lower()
        whole = f"{self._prefix}-{wanted}"
        name = self._tdes.claim(whole[: LONGEST_NAME - 3].rstrip("-") if len(whole) > LONGEST_NAME else whole)
        if name != whole:
            self._note(f"{operation.found.where}: its TDE is called '{name}', as '{whole}' is too long or taken")
        return name

    def _input(self, name: str, operation: Operation) -> ClassOfObject:
        names = names_of_fields()
        fields = []
        for part in (*operation.parameters, *((operation.body,) if operation.body else ())):
            field = names.claim(variable_name(part.variable))
            hint = f"{name.removesuffix('Input')}{class_name(part.variable)}"
            found = self._schemas.type_of(part.schema, hint) if part.schema is not None else ANYTHING
            description = one_line(part.description) or (described(part.schema) if part.schema else "")
            fields.append(
                FieldOfClass(
                    name=field,
                    alias=part.variable if part.variable != field else None,
                    type=found,
                    is_required=part.is_required,
                    description=description,
                )
            )
        description = f"The input of {operation.found.where}."
        return ClassOfObject(name=name, base="Input", description=description, fields=tuple(fields))

    def _output(self, name: str, operation: Operation) -> ClassOfObject | None:
        result = operation.result
        if result.is_nothing:
            return None
        hint = f"{name.removesuffix('Output')}Result"
        types = [self._schemas.type_of(schema, hint) if schema else ANYTHING for schema in result.schemas]
        if result.is_text:
            types.append(TypeText(text="str"))
        found = replace(joined(types), constraints=()) if len(types) > 1 else types[0]
        field = FieldOfClass(
            name="result",
            alias=None,
            type=found.or_null(is_nullable=result.may_be_empty),
            is_required=True,
            description=one_line(result.description),
        )
        description = f"What {operation.found.where} gives back."
        return ClassOfObject(name=name, base="BaseModel", description=description, fields=(field,))
