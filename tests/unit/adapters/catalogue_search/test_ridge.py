"""The classifier, and that it says what it would have said without an example."""

import numpy as np
import pytest

from procos.adapters.catalogue_search.ridge import fit

RANDOM = np.random.default_rng(7)
POINTS = np.concatenate([RANDOM.normal(centre, 0.6, size=(12, 3)) for centre in (-1, 0, 1)]).astype(np.float32)
CLASSES = np.repeat(np.arange(3), 12)


def _similar(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    distances = ((some[:, None] - others[None]) ** 2).sum(axis=-1)
    return np.exp(-distances)


def _scores_without(left_out: np.ndarray) -> np.ndarray:
    """What the other examples say of those left out, fitted without them."""
    ridge = fit(_similar(POINTS[~left_out], POINTS[~left_out]), CLASSES[~left_out], count=3)
    return _similar(POINTS[left_out], POINTS[~left_out]) @ ridge.weights


def test_scores_are_near_1_for_the_right_class():
    ridge = fit(_similar(POINTS, POINTS), CLASSES, count=3)
    said = _similar(POINTS, POINTS) @ ridge.weights
    assert (said.argmax(axis=1) == CLASSES).mean() > 0.9


def test_an_example_left_out_is_the_same_as_a_fit_without_it():
    ridge = fit(_similar(POINTS, POINTS), CLASSES, count=3)
    for number in (0, 17, 35):
        left_out = np.arange(len(POINTS)) == number
        assert ridge.unseen[number] == pytest.approx(_scores_without(left_out)[0], abs=0.02)


def test_a_class_left_out_is_the_same_as_a_fit_without_it():
    ridge = fit(_similar(POINTS, POINTS), CLASSES, count=3)
    assert ridge.unknown[CLASSES == 1] == pytest.approx(_scores_without(CLASSES == 1), abs=0.02)
