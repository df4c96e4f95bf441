"""What the search finds on the development data, where it is there: ../shared/data, which is not part of this repo."""

import importlib.util
import sys
from pathlib import Path

import pytest

_PLACE = Path(__file__).parents[3] / "bench" / "routing_data.py"
_spec = importlib.util.spec_from_file_location("routing_data", _PLACE)
data = importlib.util.module_from_spec(_spec)
sys.modules["routing_data"] = data
_spec.loader.exec_module(data)

pytestmark = pytest.mark.skipif(
    not data.DATA.is_dir(), reason=f"NO DEVELOPMENT DATA in {data.DATA}: recall and calibration are NOT tested"
)


def test_the_activities_of_a_workflow_are_found():
    found = data.recall(data.utterances(), data.activities(), with_prior=True)
    assert found.at_10 >= 0.97
    assert found.at_50 >= 0.99


def test_new_activities_are_found_by_the_utterance_alone():
    found = data.recall(data.utterances(), data.activities(), with_prior=False)
    assert found.at_10 >= 0.95
    assert found.at_50 >= 0.99


@pytest.fixture(scope="module")
def answers():
    asked = data.intents(per_intent=10, asked_per_intent=2)
    return data.answers(data.FusedCatalogueSearch(), asked)


def test_ten_examples_for_each_tde_are_enough_for_most_tasks(answers):
    assert data.at_threshold(answers, 0).right >= 0.8


def test_at_one_threshold_tasks_are_routed_and_strange_ones_are_not(answers):
    point = data.at_recall(answers, 0.75)
    assert point.abstained >= 0.7


def test_confidence_says_how_often_answers_are_right(answers):
    inside = [it for it in answers if it.is_in_scope]
    for low, high in ((0.2, 0.5), (0.5, 0.8), (0.8, 1.01)):
        some = [it for it in inside if low <= it.confidence < high]
        said = sum(it.confidence for it in some) / len(some)
        right = sum(it.is_right for it in some) / len(some)
        assert abs(said - right) < 0.25, f"of answers with {said:.2f}, {right:.2f} are right"
