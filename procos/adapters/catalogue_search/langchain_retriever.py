"""The search over the catalogue as a LangChain retriever, for chains and agents."""

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from procos.errors import MissingExtraError
from procos.model.catalogue import CatalogueEntry
from procos.model.routing import RoutingExample
from procos.ports.catalogue_search import CatalogueSearch

if TYPE_CHECKING:
    from langchain_core.retrievers import BaseRetriever

Catalogue = Callable[[], tuple[Sequence[CatalogueEntry], Sequence[RoutingExample]]]
"""Gives the catalogue and the examples as they are now."""


def as_retriever(search: CatalogueSearch, catalogue: Catalogue, *, limit: int = 10) -> "BaseRetriever":
    """A retriever whose documents are the TDEs' descriptions, the surest first.

    A document's `id` is the TDE's name; its metadata hold `tde`, `confidence`, `reason`, `mode` and `process_id`. The
    search blocks for milliseconds; `ainvoke` runs it in a thread. LangChain is imported here, which takes about a
    second.

    Raises:
        MissingExtraError: LangChain is not installed.
    """
    try:
        from langchain_core.callbacks import CallbackManagerForRetrieverRun  # noqa: PLC0415
        from langchain_core.documents import Document  # noqa: PLC0415
        from langchain_core.retrievers import BaseRetriever  # noqa: PLC0415
    except ModuleNotFoundError as error:
        raise MissingExtraError("the LangChain retriever", "ai") from error

    class CatalogueRetriever(BaseRetriever):
        """Searches the catalogue of TDEs."""

        limit: int

        def _get_relevant_documents(self, query: str, *, run_manager: CallbackManagerForRetrieverRun) -> list[Document]:
            del run_manager
            entries, examples = catalogue()
            by_name = {entry.name: entry for entry in entries}
            found = search.search(query, entries, examples, limit=self.limit)
            return [
                Document(
                    id=candidate.tde,
                    page_content=by_name[candidate.tde].description,
                    metadata={
                        "tde": candidate.tde,
                        "confidence": candidate.confidence,
                        "reason": candidate.reason,
                        "mode": by_name[candidate.tde].mode,
                        "process_id": by_name[candidate.tde].process_id,
                    },
                )
                for candidate in found
            ]

    return CatalogueRetriever(limit=limit)
