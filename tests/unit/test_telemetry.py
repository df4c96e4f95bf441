"""Logging: where it goes, and that secrets do not go with it."""

import logging
import subprocess
import sys
import textwrap
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


def _run(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own: logging belongs to a whole process."""
    program = "import logging\nfrom pathlib import Path\nfrom procos.telemetry.logs import *\nfrom procos.telemetry.secret_mask import *\n" + textwrap.dedent(code)
    return subprocess.run(
        [sys.executable, "-W", "error", "-c", program],
        cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60,
    )  # fmt: skip


def test_the_log_goes_to_stderr_and_to_a_file_in_a_new_folder(tmp_path):
    done = _run(
        """
        set_up_logging(level="info", file=Path("logs/deep/kernel.log"))
        logging.getLogger("procos.kernel").info("kernel ready")
        logging.getLogger("procos_workers.http").info("called")
        logging.getLogger("procos.kernel").debug("too small to see")
        logging.getLogger("httpx").info("of no interest")
        logging.getLogger("grpc").warning("of interest")
        """,
        tmp_path,
    )
    written = (tmp_path / "logs/deep/kernel.log").read_text(encoding="utf-8")

    assert done.stdout == ""
    assert done.stderr == written
    assert [line.split("  ")[-1] for line in written.splitlines()] == ["kernel ready", "called", "of interest"]


def test_quiet_says_nothing_on_stderr_and_still_writes_the_file(tmp_path):
    done = _run(
        """
        set_up_logging(level="warning", file=Path("kernel.log"), quiet=True)
        logging.getLogger("procos").warning("only in the file")
        """,
        tmp_path,
    )

    assert done.stderr == ""
    assert "only in the file" in (tmp_path / "kernel.log").read_text(encoding="utf-8")


def test_the_process_mask_stands_before_every_handler(tmp_path):
    done = _run(
        f"""
        set_up_logging(level="info", file=Path("kernel.log"))
        secret_mask.add({SECRET!r})
        logging.getLogger("procos").error("sent {SECRET} to %s", "{SECRET}")
        logging.getLogger("some.library").error("{SECRET}")
        """,
        tmp_path,
    )
    written = (tmp_path / "kernel.log").read_text(encoding="utf-8")

    assert SECRET not in done.stderr + written
    assert f"sent {MASK} to {MASK}" in written


def test_setting_up_again_replaces_the_handlers(tmp_path):
    done = _run(
        """
        set_up_logging(level="info")
        set_up_logging(level="info", file=Path("second.log"))
        logging.getLogger("procos").info("once")
        """,
        tmp_path,
    )

    assert done.stderr.count("once") == 1
    assert (tmp_path / "second.log").read_text(encoding="utf-8").count("once") == 1
