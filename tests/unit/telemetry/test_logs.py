"""Where log lines go, as what, and which job they name."""

import json
import subprocess
import sys
import textwrap
from datetime import UTC, datetime, timedelta
from pathlib import Path

from procos.telemetry.secret_mask import MASK

SECRET = "hunter2-Zx81"
PROGRAM = """
import logging
from pathlib import Path
from procos.telemetry.job_facts import working_on
from procos.telemetry.logs import *
from procos.telemetry.secret_mask import *
"""


def _run(code: str, tmp_path: Path) -> subprocess.CompletedProcess[str]:
    """Runs code in a process of its own: logging belongs to a whole process."""
    program = PROGRAM + textwrap.dedent(code)
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


# What a line says


def test_a_line_of_a_job_ends_with_its_correlation_id_and_others_do_not(tmp_path):
    done = _run(
        """
        set_up_logging(level="info")
        log = logging.getLogger("procos.tde.some")
        with working_on({"correlationId": "c-9", "jobKey": 7}):
            log.info("from within")
        log.info("afterwards")
        log.info("with its own", extra={"job": {"correlationId": "other"}})
        """,
        tmp_path,
    )

    lines = [line.split("procos.tde.some  ")[1] for line in done.stderr.splitlines()]
    assert lines == [
        "from within  correlationId=c-9",
        "afterwards",
        "with its own  correlationId=other",
    ]


def test_as_json_a_line_is_one_object_with_the_jobs_facts(tmp_path):
    done = _run(
        """
        set_up_logging(level="info", log_format="json", file=Path("kernel.log"))
        log = logging.getLogger("procos.tde.some")
        with working_on({"correlationId": "c-9", "jobKey": 7, "elementId": "Täsk"}):
            log.warning("two\\nlines and %s", "ä \\"quote\\"")
        log.info("outside")
        """,
        tmp_path,
    )
    first, second = map(json.loads, done.stderr.splitlines())
    moment = datetime.fromisoformat(first.pop("time"))

    assert first == {
        "level": "warning", "logger": "procos.tde.some", "message": "two\nlines and ä \"quote\"",
        "correlationId": "c-9", "jobKey": 7, "elementId": "Täsk",
    }  # fmt: skip
    assert moment.tzinfo == UTC
    assert abs(datetime.now(UTC) - moment) < timedelta(minutes=2)
    assert second.keys() == {"time", "level", "logger", "message"}
    assert (tmp_path / "kernel.log").read_text(encoding="utf-8") == done.stderr


def test_as_json_a_traceback_is_a_field_and_holds_no_secret(tmp_path):
    done = _run(
        f"""
        set_up_logging(level="info", log_format="json")
        secret_mask.add({SECRET!r})
        try:
            int("{SECRET}")
        except ValueError:
            logging.getLogger("procos").exception("it failed with %s", "{SECRET}")
        """,
        tmp_path,
    )
    line = json.loads(done.stderr)

    assert line["message"] == f"it failed with {MASK}"
    assert line["exception"].startswith("Traceback (most recent call last)")
    assert f"invalid literal for int() with base 10: '{MASK}'" in line["exception"]
    assert SECRET not in done.stderr
