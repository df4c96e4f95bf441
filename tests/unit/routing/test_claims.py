"""Stage 1: what a task says of itself."""

import pytest

from procos.routing.catalogue import Catalogue
from procos.routing.claims import ask_task
from tests.unit.routing.doubles import USUAL, task, tde


def named(**facts: object) -> str | None:
    return ask_task(task(**facts), USUAL, ()).tde


def test_the_header_names_a_tde_and_spaces_around_it_do_not_count() -> None:
    assert named(headers={"tde": " email "}) == "email"


def test_the_job_type_of_a_tde_names_it() -> None:
    assert named(job_type="tde.notify") == "notify"
    other = tde("post")
    entry = other.entry.model_copy(update={"job_type": "letters:send"})
    catalogue = Catalogue([type(other)(entry, other.input_schema)])
    assert ask_task(task(job_type="letters:send"), catalogue, ()).tde == "post"


def test_the_element_template_names_a_tde_and_one_of_somebody_else_does_not() -> None:
    assert named(headers={"modelerTemplate": "procos.tde.http"}) == "http"
    verdict = ask_task(task(headers={"modelerTemplate": "io.camunda.connectors.HttpJson.v2"}), USUAL, ())
    assert (verdict.tde, verdict.asks_person) == (None, False)


def test_the_header_counts_more_than_the_job_type() -> None:
    assert named(headers={"tde": "email"}, job_type="tde.notify") == "email"


@pytest.mark.parametrize("headers", [{}, {"tde": ""}, {"tde": "  "}, {"other": "email"}])
def test_a_task_that_names_no_tde_is_passed_on(headers: dict[str, str]) -> None:
    verdict = ask_task(task(headers=headers), USUAL, ())
    assert (verdict.is_final, verdict.reason) == (False, "task: it names no TDE")


@pytest.mark.parametrize(
    ("facts", "reason"),
    [
        (
            {"headers": {"tde": "EMAIL"}},
            "its header tde names 'EMAIL', but no TDE of that name is registered; near are",
        ),
        ({"job_type": "tde.htpp"}, "its job type names 'htpp', but no TDE of that name is registered; near are 'http'"),
        ({"headers": {"modelerTemplate": "procos.tde.gone"}}, "its element template is that of 'gone', but no TDE"),
        ({"headers": {"tde": "שלום"}}, "its header tde names 'שלום', but no TDE of that name is registered"),
    ],
)
def test_a_name_that_nobody_has_is_never_guessed(facts: dict[str, object], reason: str) -> None:
    verdict = ask_task(task(**facts), USUAL, ())
    assert (verdict.tde, verdict.asks_person) == (None, True)
    assert reason in verdict.reason


def test_a_header_of_20_kb_is_shown_by_its_beginning() -> None:
    verdict = ask_task(task(headers={"tde": "x" * 20_000}), USUAL, ())
    assert verdict.asks_person
    assert len(verdict.reason) < 300


def test_what_cannot_be_written_is_not_in_the_reason() -> None:
    ask_task(task(headers={"tde": "a\ud800\x00b"}), USUAL, ()).reason.encode()


def test_a_tde_that_failed_is_not_replaced_by_another() -> None:
    for facts in ({"headers": {"tde": "email"}}, {"job_type": "tde.email"}):
        verdict = ask_task(task(**facts), USUAL, {"email"})
        assert (verdict.tde, verdict.asks_person) == (None, True)
        assert "has failed at it" in verdict.reason
