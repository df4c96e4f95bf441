"""The TDEs that a task may go to."""

import difflib
import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from procos.model.catalogue import CatalogueEntry

_LONGEST_NAME: Final = 63
"""That of a TDE; to compare more of a text with every name would only take time."""


@dataclass(frozen=True, slots=True)
class RoutableTde:
    """A TDE as the router knows it; `is_guarded` where words alone must not lead a task to it (`routing/guard.py`)."""

    entry: CatalogueEntry
    input_schema: Mapping[str, Any]
    is_guarded: bool = False


class Catalogue:
    """All TDEs at one time; `hash` is the same as long as they are."""

    def __init__(self, tdes: Iterable[RoutableTde] = ()) -> None:
        self._by_name = {tde.entry.name: tde for tde in tdes}
        self._by_job_type = {tde.entry.job_type: tde for tde in self._by_name.values()}
        self.entries = tuple(tde.entry for tde in self._by_name.values())
        guards = (f"{tde.entry.hash} {tde.is_guarded}" for tde in self._by_name.values())
        self.hash = hashlib.sha256("\n".join(sorted(guards)).encode()).hexdigest()

    def __len__(self) -> int:
        return len(self.entries)

    def get(self, name: str) -> RoutableTde | None:
        """The TDE of that name, None where there is none."""
        return self._by_name.get(name)

    def of_job_type(self, job_type: str) -> RoutableTde | None:
        """The TDE whose jobs are of that type, None where there is none."""
        return self._by_job_type.get(job_type)

    def near(self, name: str) -> list[str]:
        """Up to three names that are written almost like `name`, nearest first."""
        wanted = name[:_LONGEST_NAME].casefold()
        return difflib.get_close_matches(wanted, self._by_name, n=3, cutoff=0.55)
