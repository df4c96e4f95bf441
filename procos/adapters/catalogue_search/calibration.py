"""From scores to a confidence: how often answers with such scores are right."""

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_ROUNDS: Final = 30
_CLOSE: Final = 1e-6


@dataclass(frozen=True)
class Logistic:
    """The probability of "right" for rows of facts, by logistic regression; `weights` end with the constant."""

    weights: tuple[float, ...]

    def __call__(self, facts: "NDArray[np.floating[Any]]") -> "NDArray[np.float64]":
        """One probability for each row."""
        import numpy as np  # noqa: PLC0415

        *weights, constant = self.weights
        logits = facts.astype(np.float64) @ np.array(weights) + constant
        return np.asarray(1 / (1 + np.exp(-np.clip(logits, -30, 30))))


def fit_logistic(
    facts: "NDArray[np.floating[Any]]",
    is_right: "NDArray[np.bool_]",
    importance: "NDArray[np.floating[Any]]",
    *,
    shrink: float = 1.0,
) -> Logistic:
    """The regression that explains best which rows are right; `shrink` holds the weights near zero."""
    import numpy as np  # noqa: PLC0415

    rows = np.column_stack([facts, np.ones(len(facts))]).astype(np.float64)
    weights = np.zeros(rows.shape[1])
    penalty = np.full(rows.shape[1], shrink)
    penalty[-1] = 1e-6
    for _ in range(_ROUNDS):
        said = 1 / (1 + np.exp(-np.clip(rows @ weights, -30, 30)))
        slope = rows.T @ (importance * (said - is_right)) + penalty * weights
        bend = (rows * (importance * said * (1 - said))[:, None]).T @ rows + np.diag(penalty)
        step = np.linalg.solve(bend, slope)
        weights -= step
        if np.abs(step).max() < _CLOSE:
            break
    return Logistic(tuple(float(weight) for weight in weights))
