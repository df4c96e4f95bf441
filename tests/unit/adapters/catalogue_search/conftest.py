"""What the tests of the search share: small catalogues, and a search that has read its model."""

from collections.abc import Callable
from datetime import UTC, datetime

import pytest

from procos.adapters.catalogue_search.search import FusedCatalogueSearch
from procos.model.catalogue import CatalogueEntry
from procos.model.routing import RoutingExample

Entry = Callable[..., CatalogueEntry]
Example = Callable[[str, str], RoutingExample]


@pytest.fixture(scope="package")
def entry() -> Entry:
    def make(name: str, description: str, *examples: str) -> CatalogueEntry:
        return CatalogueEntry(
            name=name,
            description=description,
            examples=examples,
            inputs=(),
            outputs=(),
            mode="deterministic",
            job_type=f"tde.{name}",
            process_id=f"tde-{name}",
            hash=f"{name} {description} {examples}",
        )

    return make


@pytest.fixture(scope="package")
def example() -> Example:
    return lambda text, tde: RoutingExample(text=text, tde=tde, chosen_at=datetime(2026, 1, 1, tzinfo=UTC))


@pytest.fixture(scope="package")
def catalogue(entry: Entry) -> tuple[CatalogueEntry, ...]:
    return (
        entry("http", "Calls an HTTP API: sends JSON, a form or files with any method, gives back the answer"),
        entry("email", "Sends an e-mail through an SMTP server, with attachments"),
        entry("sql", "Runs an SQL query or statement on a database and gives back the rows"),
        entry("file", "Reads, writes, copies, moves or deletes files"),
        entry("shell", "Runs a program on this machine"),
    )


@pytest.fixture(scope="package")
def search() -> FusedCatalogueSearch:
    return FusedCatalogueSearch()
