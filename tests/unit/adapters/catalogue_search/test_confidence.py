"""That a confidence says how often such answers are right."""

import numpy as np
import pytest

from procos.adapters.catalogue_search import confidence
from procos.adapters.catalogue_search.calibration import Logistic, fit_logistic
from procos.adapters.catalogue_search.embeddings import Embeddings
from procos.adapters.catalogue_search.search import meaning_of_examples
from procos.adapters.catalogue_search.teaching import Lesson, Opinion, Taught

MEANING = meaning_of_examples(Embeddings())


def test_the_regression_finds_the_probabilities_that_made_the_data():
    draw = np.random.default_rng(3)
    facts = draw.normal(size=(20_000, 2)).astype(np.float32)
    true = Logistic((2.0, -1.0, 0.5))
    fitted = fit_logistic(facts, draw.random(20_000) < true(facts), np.ones(20_000, dtype=np.float32))
    assert fitted.weights == pytest.approx(true.weights, abs=0.15)


@pytest.mark.parametrize("is_right", [True, False])
def test_cases_that_all_went_the_same_way_do_not_break_the_regression(is_right):
    facts = np.linspace(0, 1, 50, dtype=np.float32)[:, None]
    said = fit_logistic(facts, np.full(50, is_right), np.ones(50, dtype=np.float32))(facts)
    assert np.isfinite(said).all()
    assert (said > 0.5).all() == is_right


def test_facts_hold_the_lead_over_the_best_other_class_and_never_over_none():
    opinion = Opinion(
        scores=np.array([[0.9, 0.2, 0.8]], dtype=np.float32), nearest=np.array([[0.7, 0.5, 0.6]], dtype=np.float32)
    )
    facts = confidence.facts(opinion, np.array([0, 1, 5]), none=5)
    assert facts[0, 0] == pytest.approx([0.9, 0.7, 0.7, 0.2, 0.8, 0.6])
    assert facts[0, 1] == pytest.approx([0.2, -0.7, 0.5, -0.2, 0.8, 0.6])


def _taught(each: int, classes: int = 4) -> Taught:
    things = ["invoice", "parcel", "holiday", "contract", "server"]
    verbs = ["send", "check", "approve", "store", "find", "print", "sort", "close"]
    return Taught(
        [
            Lesson(f"{verbs[number % 8]} the {things[place]} number {number}", place)
            for place in range(classes)
            for number in range(each)
        ],
        MEANING,
    )


def test_few_examples_use_the_shipped_constants():
    assert confidence.calibrated(_taught(5), none=9) is confidence.BY_EXAMPLES


def test_many_examples_calibrate_themselves():
    taught = _taught(60)
    calibration = confidence.calibrated(taught, none=9)
    assert calibration is not confidence.BY_EXAMPLES
    known = taught.opinion("approve the parcel number 700")
    strange = taught.opinion("why is the sky blue in the evening")
    sure, unsure = (calibration(confidence.facts(it, taught.places, none=9)[0]).max() for it in (known, strange))
    assert sure > 0.8
    assert unsure < 0.5


def test_examples_of_one_tde_alone_do_not_break_it():
    taught = Taught([Lesson(f"send mail {number}", 0) for number in range(250)], MEANING)
    assert np.isfinite(confidence.calibrated(taught, none=9).weights).all()
