"""How sure an answer is, from what the ranking of the entries and the examples say about it."""

from typing import TYPE_CHECKING, Any, Final

from procos.adapters.catalogue_search.calibration import Logistic, fit_logistic
from procos.adapters.catalogue_search.teaching import Opinion, Taught

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

# Both printed by `python tests/bench/routing_calibration.py`, from the development data.
BY_DESCRIPTION: Final = Logistic((4.9, 3.26, -2.42))
"""Of an entry without examples: likeness, its lead over the next entry, constant."""
BY_EXAMPLES: Final = Logistic((3.68, 5.56, 1.9, 4.33, -2.98, 0.89, -1.77))
"""Of an entry with examples, until there are enough of them to calibrate by: see `facts`."""

ENOUGH: Final = 200
"""Examples from which on an installation's own examples say how sure an answer is."""
_NONE_FITS: Final = 0.1
"""How often a task comes that no TDE is for, as far as the examples do not say."""


def facts(opinion: Opinion, places: "NDArray[np.int64]", *, none: int) -> "NDArray[np.floating[Any]]":
    """For each text and class: score, lead over the best other class, nearest example, its lead, and both of "none".

    `places` are the opinion's classes; `none` is the one that stands for "none of these".
    """
    import numpy as np  # noqa: PLC0415

    is_none = places == none
    against = [_of_none(values, is_none) for values in (opinion.scores, opinion.nearest)]
    found = [
        opinion.scores,
        _lead(np.where(is_none, -1, opinion.scores)),
        opinion.nearest,
        _lead(np.where(is_none, 0, opinion.nearest)),
        *against,
    ]
    return np.stack(found, axis=-1).astype(np.float32)


def calibrated(taught: Taught, *, none: int) -> Logistic:
    """How sure answers by these examples are: each asked as if it, or its whole class, were not there."""
    import numpy as np  # noqa: PLC0415

    if len(taught.lessons) < ENOUGH:
        return BY_EXAMPLES
    is_real = taught.places[taught.classes] != none
    asked = [_best(opinion, taught.places, none) for opinion in (taught.opinion_unseen(), taught.opinion_unknown())]
    (unseen, answered), (unknown, _) = asked
    is_right = np.concatenate([answered == taught.classes, np.zeros(int(is_real.sum()), dtype=bool)])
    others = (~is_real).sum()
    share = _NONE_FITS * is_real.sum()
    importance = np.concatenate(
        [np.where(is_real, 1.0, share / 2 / max(others, 1)), np.full(int(is_real.sum()), share / 2 / is_real.sum())]
    )
    return fit_logistic(np.concatenate([unseen, unknown[is_real]]), is_right, importance.astype(np.float32))


def _best(
    opinion: Opinion, places: "NDArray[np.int64]", none: int
) -> "tuple[NDArray[np.floating[Any]], NDArray[np.int64]]":
    import numpy as np  # noqa: PLC0415

    every = facts(opinion, places, none=none)
    best = np.where(places == none, -np.inf, opinion.scores).argmax(axis=1)
    return every[np.arange(len(best)), best], best


def _of_none(values: "NDArray[np.floating[Any]]", is_none: "NDArray[np.bool_]") -> "NDArray[np.floating[Any]]":
    import numpy as np  # noqa: PLC0415

    column = values[:, is_none].sum(axis=1, keepdims=True)
    return np.broadcast_to(column, values.shape)


def _lead(values: "NDArray[np.floating[Any]]") -> "NDArray[np.floating[Any]]":
    """Each value less the greatest of the others in its row."""
    import numpy as np  # noqa: PLC0415

    if values.shape[1] == 1:
        return values
    ordered = np.sort(values, axis=1)
    best, second = ordered[:, -1:], ordered[:, -2:-1]
    return values - np.where(values == best, second, best)
