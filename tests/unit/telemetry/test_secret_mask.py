"""Secrets do not get into the log."""

import logging
from pathlib import Path

import pytest

from procos.telemetry.secret_mask import MASK, SecretMask

SECRET = "hunter2-Zx81"


@pytest.fixture
def masked_log(tmp_path: Path):
    """A logger that writes to a file through a mask; gives the logger, the mask, and what the file holds."""
    file = tmp_path / "masked.log"
    handler, mask = logging.FileHandler(file, encoding="utf-8"), SecretMask()
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    handler.addFilter(mask)
    logger = logging.getLogger("test.masked")
    logger.propagate = False
    logger.addHandler(handler)
    yield logger, mask, lambda: file.read_text(encoding="utf-8")
    logger.removeHandler(handler)
    handler.close()


def test_a_secret_is_masked_in_the_message(masked_log):
    logger, mask, written = masked_log
    mask.add(SECRET)
    logger.warning("token=%s.", SECRET)

    assert written() == f"WARNING token={MASK}.\n"


def test_a_secret_inside_an_object_that_is_logged_is_masked(masked_log):
    logger, mask, written = masked_log
    mask.add(SECRET)
    logger.warning("headers: %r, took %d ms", {"Authorization": f"Bearer {SECRET}"}, 3)

    assert SECRET not in written()
    assert f"Bearer {MASK}" in written()
    assert "took 3 ms" in written()


def test_a_secret_is_masked_in_a_traceback(masked_log):
    logger, mask, written = masked_log
    mask.add(SECRET)
    try:
        int(SECRET)
    except ValueError:
        logger.exception("it failed")

    assert "Traceback" in written()
    assert f"invalid literal for int() with base 10: '{MASK}'" in written()
    assert SECRET not in written()


def test_a_secret_that_lies_inside_another_leaves_nothing_of_the_longer_one_behind(masked_log):
    logger, mask, written = masked_log
    mask.add(SECRET)
    mask.add(f"{SECRET}-and-more")
    logger.warning("it is %s-and-more", SECRET)

    assert written() == f"WARNING it is {MASK}\n"


def test_very_short_secrets_are_left_alone(masked_log):
    logger, mask, written = masked_log
    mask.add("abc")
    mask.add("abcd")
    logger.warning("abc abcd")

    assert written() == f"WARNING abc {MASK}\n"


def test_a_line_without_secrets_stays_as_it_is(masked_log):
    logger, mask, written = masked_log
    mask.add(SECRET)
    logger.warning("100%% of %s", "everything")

    assert written() == "WARNING 100% of everything\n"


def test_a_log_call_with_wrong_arguments_breaks_no_caller_and_shows_no_secret(masked_log, capsys):
    logger, mask, written = masked_log
    mask.add(SECRET)

    logger.warning("%d jobs with %s", "three", SECRET)

    assert written().startswith(f"WARNING %d jobs with %s ('three', '{MASK}')")
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    "shown",
    [
        repr({"p": 'pa"ss\\wörd\n&more'}),
        '{"p": "pa\\"ss\\\\w\\u00f6rd\\n&more"}',
        '{"p": "pa\\"ss\\\\wörd\\n&more"}',
        "https://host/?p=pa%22ss%5Cw%C3%B6rd%0A%26more",
        "https://host/pa%22ss%5Cw%C3%B6rd%0A&more",
    ],
)
def test_a_secret_is_masked_however_it_was_escaped(shown):
    mask = SecretMask()
    mask.add('pa"ss\\wörd\n&more')

    assert "ss" not in mask.apply(shown).removeprefix("https")
    assert MASK in mask.apply(shown)


def test_a_secret_that_is_not_utf_8_is_masked_too():
    mask = SecretMask()
    mask.add("pass\udcffword")

    assert mask.apply("x pass\udcffword y") == f"x {MASK} y"


def test_a_mask_without_secrets_changes_nothing():
    assert SecretMask().apply("all of this") == "all of this"
