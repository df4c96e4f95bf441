"""What a task gives to the sql TDE, and what it gets back."""

from typing import Annotated, Any, Self

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, JsonValue, model_validator

Parameters = dict[str, JsonValue]


def _one_statement(value: Any) -> Any:  # noqa: ANN401 - a validator sees what the user wrote
    if isinstance(value, list):
        # pydantic reports a ValueError with the field's name; a TypeError would pass it by.
        raise ValueError(  # noqa: TRY004
            "this takes one statement as text; put several into 'statements', which run in one transaction"
        )
    return value


def _or_none(value: Any) -> Any:  # noqa: ANN401 - a validator sees what the user wrote
    return {} if value is None else value  # null is what an expression gives for a variable that is not there


Given = Annotated[Parameters | list[Parameters], BeforeValidator(_or_none)]


class SqlStatement(BaseModel):
    """One statement of several."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    statement: str = Field(description="One SQL statement, with :name where a value belongs.")
    parameters: Given = Field(
        default={},
        repr=False,
        description="The value of each :name; with a list of such objects, the statement runs once for each.",
    )


class SqlInput(BaseModel):
    """What to ask of which database."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    connection: str = Field(description="The name of a database in the settings: [tde.sql.connections.NAME].")
    statement: Annotated[str, BeforeValidator(_one_statement)] | None = Field(
        default=None,
        description="One SQL statement, with :name where a value belongs; no value is ever put into its text.",
        examples=["SELECT id, name FROM customers WHERE city = :city"],
    )
    parameters: Given = Field(
        default={},
        repr=False,
        description="The value of each :name; with a list of such objects, the statement runs once for each. :name"
        " behind IN takes a list. An object is written as JSON, and so is any other list. Bytes are"
        ' {"$base64": "…"}. :idempotency_key is given by the TDE, the same for every attempt of one job.',
        examples=[{"city": "Ulm"}],
    )
    statements: list[SqlStatement] | None = Field(
        default=None,
        min_length=1,
        description="Instead of statement: several, run in order in one transaction. All take effect, or none.",
    )
    max_rows: int | None = Field(
        default=None, ge=1, description="A lower limit on rows than tde.sql.max_rows of the settings."
    )
    truncate: bool = Field(
        default=False,
        description="Whether rows beyond the limits of rows and bytes are left out. Otherwise the task fails, and"
        " nothing that it did takes effect.",
    )
    time_limit_seconds: float | None = Field(
        default=None, gt=0, description="A shorter limit than tde.sql.time_limit_seconds of the settings."
    )

    @model_validator(mode="after")
    def _says_what_to_run(self) -> Self:
        if (self.statement is None) == (self.statements is None):
            raise ValueError("give either 'statement', or 'statements' to run several in one transaction")
        if self.statements is not None and self.parameters:
            raise ValueError("'parameters' belongs to 'statement': give each of 'statements' parameters of its own")
        return self

    def all_statements(self) -> list[SqlStatement]:
        """The statements to run, in order."""
        if self.statements is not None:
            return self.statements
        return [SqlStatement(statement=self.statement or "", parameters=self.parameters)]


class StatementResult(BaseModel):
    """What one statement gave."""

    model_config = ConfigDict(extra="forbid")

    rows: list[dict[str, JsonValue]] = Field(
        default=[], description="The rows, each an object by column name; empty if the statement gives none."
    )
    columns: list[str] = Field(default=[], description="The names of the columns, in order, even if there are no rows.")
    row_count: int = Field(default=0, description="How many rows it gave, or changed if it gives none.")
    truncated: bool = Field(default=False, description="Whether rows were left out (see truncate).")


class SqlOutput(StatementResult):
    """What the database answered; after `statements`: to the last of them.

    Dates and times are ISO 8601, a duration too; UUIDs, addresses and ranges are text, bytes are base64. A number that
    a reader of JSON could not hold exactly, such as an integer beyond 2**53 or a decimal of many digits, is text.
    """

    results: list[StatementResult] = Field(
        default=[], description="After statements: what each of them gave, in order; otherwise empty."
    )
