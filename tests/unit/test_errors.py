"""The errors: what a person reads, and the exit code that a shell sees."""

import pytest

from procos import errors
from procos.errors import (
    BpmnError,
    EngineRejected,
    GiveUp,
    MissingExtraError,
    ProcosError,
    RetryLater,
    TaskOutcome,
    UsageError,
)


def _all_below(kind):
    below = [found for child in kind.__subclasses__() for found in _all_below(child)]
    return [found for found in [kind, *below] if found.__module__ == errors.__name__]


def test_exit_codes_tell_failed_from_wrong_use_from_no_engine():
    codes = {kind.__name__: kind.exit_code for kind in _all_below(ProcosError)}

    assert {name for name, code in codes.items() if code == 2} == {"UsageError", "SettingsError"}
    assert {name for name, code in codes.items() if code == 3} == {"EngineUnavailable"}
    assert set(codes.values()) == {1, 2, 3}


def test_the_tree_at_the_top_of_the_module_names_every_error_with_its_exit_code():
    drawn = errors.__doc__ or ""
    for kind in _all_below(ProcosError):
        line = next((line for line in drawn.splitlines() if kind.__name__ in line.split()), "")
        assert f"exit {kind.exit_code}" in line or (kind.exit_code == 1 and line), f"{kind.__name__} is not drawn right"
    for kind in _all_below(TaskOutcome):
        assert kind.__name__ in drawn


def test_an_error_keeps_its_message_and_its_hint():
    error = UsageError("a.bpmn is no file", hint="give another one")

    assert str(error) == error.message == "a.bpmn is no file"
    assert error.hint == "give another one"
    assert ProcosError("bare").hint is None


def test_a_missing_extra_is_mended_by_the_command_in_the_hint():
    error = MissingExtraError("The embedded engine", "engine")

    assert "The embedded engine" in error.message
    assert "'engine'" in error.message
    assert error.hint == "pip install 'procos[engine]'"


def test_a_rejection_keeps_the_engines_own_reason_apart():
    error = EngineRejected("cannot deploy a.bpmn: no start event", reason="no start event")

    assert error.reason == "no start event"
    assert error.exit_code == 1


def test_a_bpmn_error_without_a_message_says_its_code():
    assert str(BpmnError("CARD_DECLINED")) == "CARD_DECLINED"
    assert str(BpmnError("CARD_DECLINED", "the card is blocked")) == "the card is blocked"
    assert BpmnError("CARD_DECLINED").variables == {}


def test_the_variables_of_a_bpmn_error_are_a_copy():
    given = {"balance": 3}
    error = BpmnError("CARD_DECLINED", variables=given)
    given["balance"] = 4

    assert error.variables == {"balance": 3}


def test_what_a_tde_raises_refuses_what_the_engine_could_not_take():
    with pytest.raises(TypeError, match="takes a timedelta, not int"):
        RetryLater("busy", after=5)
    with pytest.raises(TypeError, match="takes text, not int"):
        BpmnError(404)


def test_what_a_tde_raises_is_no_error_that_a_person_sees():
    assert not issubclass(TaskOutcome, ProcosError)
    with pytest.raises(TaskOutcome, match="no such customer"):
        raise GiveUp("no such customer")
