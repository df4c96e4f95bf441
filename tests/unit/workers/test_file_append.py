"""The file TDE appends each job's content once."""

import hashlib
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.unit.workers.file_caller import do


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path / "root"
    folder.mkdir()
    return folder


def test_appending_adds_to_the_end_and_makes_the_file(root):
    do(root, "append", "log/a.log", content="one\n", job=1)
    answer = do(root, "append", "log/a.log", content={"n": 2}, format="json", job=2)
    text = 'one\n{"n": 2}\n'
    assert (root / "log" / "a.log").read_text() == text
    assert (answer.size_bytes, answer.sha256) == (len(text), hashlib.sha256(text.encode()).hexdigest())


def test_a_repeated_append_adds_once_even_with_others_in_between(root):
    do(root, "append", "a", content="line\n", job=1)
    do(root, "append", "a", content="line\n", job=2)
    do(root, "append", "a", content="line\n", job=1)
    do(root, "append", "a", content="line\n", job=2)
    assert (root / "a").read_text() == "line\nline\n"


def test_an_append_that_was_stopped_in_the_middle_is_made_whole(root):
    do(root, "append", "a", content="one\n", job=1)
    do(root, "append", "a", content="two\n", job=2)
    with (root / "a").open("r+b") as stream:
        stream.truncate(6)
    do(root, "append", "a", content="two\n", job=2)
    assert (root / "a").read_text() == "one\ntwo\n"


def test_an_append_that_was_stopped_before_it_wrote_is_written_after_what_came_since(root):
    do(root, "append", "a", content="same\n", job=1)
    (root / "a").write_text("")  # job 1 had noted its place, and was stopped
    do(root, "append", "a", content="same\n", job=2)
    do(root, "append", "a", content="same\n", job=1)
    assert (root / "a").read_text() == "same\nsame\n"


def test_appends_at_the_same_time_lose_nothing(root):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda job: do(root, "append", "a", content=f"{job}\n", job=job), range(200)))
    assert sorted(map(int, (root / "a").read_text().split())) == list(range(200))


def test_a_job_that_runs_twice_at_once_appends_once(root):
    with ThreadPoolExecutor(8) as pool:
        list(pool.map(lambda run: do(root, "append", "a", content=f"{run // 4}\n", job=run // 4), range(160)))
    assert sorted(map(int, (root / "a").read_text().split())) == list(range(40))
