"""CatalogueSearch: which TDEs of the catalogue are meant by a text, and how sure is that?"""

from collections.abc import Sequence
from typing import Final, Protocol

from procos.model.catalogue import CatalogueEntry
from procos.model.routing import Candidate, RoutingExample

NONE_OF_THESE: Final = ""
"""The `tde` of an example that says: no TDE of the catalogue is for such a task."""


class CatalogueSearch(Protocol):
    """Both methods block and never use the network; they raise `RoutingError` or `MissingExtraError`.

    An example whose TDE is not in the catalogue (because it is gone, or is `NONE_OF_THESE`) counts against all others.
    Pass the whole catalogue and leave out of the answer what is not wanted: for another catalogue everything is
    prepared again.
    """

    def prepare(self, catalogue: Sequence[CatalogueEntry], examples: Sequence[RoutingExample]) -> None:
        """Computes what searches in this catalogue need, unless that is there already: seconds for thousands of TDEs.

        Call it in a thread when the catalogue or the examples change; `search` does it itself where it was not done.
        """
        ...

    def search(
        self,
        text: str,
        catalogue: Sequence[CatalogueEntry],
        examples: Sequence[RoutingExample] = (),
        *,
        limit: int = 10,
    ) -> Sequence[Candidate]:
        """The `limit` best TDEs for a task in words, the surest first; milliseconds once prepared.

        Empty where the catalogue is, or where the text has neither a letter nor a digit.
        """
        ...
