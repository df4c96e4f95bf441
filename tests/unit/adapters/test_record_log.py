"""Following the engine's record log while it grows, is rolled over, and holds what is no record."""

import asyncio
import json
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import psutil
import pytest

from procos.adapters.record_log import RecordLog, RecordLogTail
from procos.model.record import Record

pytestmark = pytest.mark.anyio

INSTANCE = 2251799813685301


def line(
    position: int, *, instance: int = INSTANCE, key: int = 7, intent: str = "ELEMENT_ACTIVATED", **value: Any
) -> str:
    fields = {
        "partitionId": 1,
        "value": {"processInstanceKey": instance, **value},
        "rejectionType": "NULL_VAL",
        "rejectionReason": "",
        "timestamp": 1709208000123,
        "valueType": "PROCESS_INSTANCE",
        "intent": intent,
        "recordType": "EVENT",
        "position": position,
        "key": key,
    }
    return json.dumps(fields) + "\n"


def end(position: int, intent: str = "ELEMENT_COMPLETED") -> str:
    return line(position, key=INSTANCE, intent=intent)


class Log:
    """The engine's side: writes, and rolls over as log4j does, by renaming."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._rolled = 0

    def write(self, *texts: str | bytes) -> None:
        with self.path.open("ab") as file:
            for text in texts:
                file.write(text.encode() if isinstance(text, str) else text)

    def roll_over(self, *, and_begin: bool = True) -> None:
        self._rolled += 1
        self.path.rename(self.path.with_name(f"{self.path.name}.{self._rolled}"))
        if and_begin:
            self.path.touch()


@pytest.fixture
def log(tmp_path: Path) -> Log:
    made = Log(tmp_path / "records.jsonl")
    made.path.touch()
    return made


def tail_of(log: Log) -> RecordLogTail:
    return RecordLog(log.path).tail()


async def following(records: AsyncIterator[Record]) -> Record:
    """The next record, which must come soon."""
    async with asyncio.timeout(10):
        return await anext(records)


async def rest_of(records: AsyncIterator[Record]) -> list[int]:
    """The positions of all further records, up to the end of the instance."""
    async with asyncio.timeout(10):
        return [record.position async for record in records]


def is_open(path: Path) -> bool:
    """Whether this process holds the file open."""
    return str(path) in {file.path for file in psutil.Process().open_files()}


async def test_a_record_is_read_with_all_that_it_says(log):
    tail = tail_of(log)
    log.write(line(5, elementId="Größe"), end(6))
    records = tail.of_instance(INSTANCE)

    assert await following(records) == Record(
        partition_id=1,
        position=5,
        record_type="EVENT",
        value_type="PROCESS_INSTANCE",
        intent="ELEMENT_ACTIVATED",
        key=7,
        timestamp=datetime(2024, 2, 29, 12, 0, 0, 123000, tzinfo=UTC),
        value={"processInstanceKey": INSTANCE, "elementId": "Größe"},
    )
    assert await rest_of(records) == [6]


async def test_only_what_comes_after_the_call_is_read(log):
    log.write(line(1))
    tail = tail_of(log)
    log.write(line(2), end(3))

    assert await rest_of(tail.of_instance(INSTANCE)) == [2, 3]


async def test_only_records_of_the_instance_are_given(log):
    tail = tail_of(log)
    log.write(
        line(1, instance=99),
        line(2, instance=99, parent=INSTANCE),
        line(3),
        line(4, instance=int(f"{INSTANCE}1")),
        line(5, key=INSTANCE, instance=99, intent="ELEMENT_COMPLETED"),
        end(6),
        line(7),
    )

    assert await rest_of(tail.of_instance(INSTANCE)) == [3, 6]


@pytest.mark.parametrize("intent", ["ELEMENT_COMPLETED", "ELEMENT_TERMINATED"])
async def test_it_stops_with_the_instance(log, intent):
    tail = tail_of(log)
    log.write(line(1, intent=intent), end(2, intent), line(3))

    assert await rest_of(tail.of_instance(INSTANCE)) == [1, 2]


async def test_records_are_given_as_they_come(log):
    records = tail_of(log).of_instance(INSTANCE)
    for position in range(1, 4):
        waiting = asyncio.create_task(following(records))
        await asyncio.sleep(0)
        log.write(line(position))
        assert (await waiting).position == position
    log.write(end(4))
    assert await rest_of(records) == [4]


async def test_a_half_written_line_waits_for_its_rest(log):
    records = tail_of(log).of_instance(INSTANCE)
    text = line(1, elementId="Größe").encode().replace(b"\\u00f6", "ö".encode())
    log.write(text[:40])
    waiting = asyncio.create_task(following(records))
    for cut in (40, 41, len(text) - 2):
        await asyncio.sleep(0.06)  # longer than the tail's own pause: it has looked, and found a part
        assert not waiting.done()
        log.write(text[cut : {40: 41, 41: len(text) - 2}.get(cut, len(text))])

    assert (await waiting).value["elementId"] == "Größe"
    log.write(end(2))
    assert await rest_of(records) == [2]


async def test_a_tail_that_starts_within_a_line_passes_over_what_is_left_of_it(log):
    text = line(1)
    log.write(text[:30])
    tail = tail_of(log)
    log.write(text[30:], line(2), end(3))

    assert await rest_of(tail.of_instance(INSTANCE)) == [2, 3]


async def test_a_roll_over_while_reading_loses_nothing(log):
    records = tail_of(log).of_instance(INSTANCE)
    log.write(line(1))
    assert (await following(records)).position == 1

    log.write(line(2))
    log.roll_over()
    log.write(line(3))
    assert [(await following(records)).position for _ in range(2)] == [2, 3]

    log.write(line(4))
    log.roll_over()
    assert (await following(records)).position == 4
    log.write(line(5), end(6))
    assert await rest_of(records) == [5, 6]


async def test_a_roll_over_before_the_first_look_loses_nothing(log):
    log.write(line(1))
    tail = tail_of(log)
    log.write(line(2))
    log.roll_over()
    log.write(line(3), end(4))

    assert await rest_of(tail.of_instance(INSTANCE)) == [2, 3, 4]


async def test_a_roll_over_whose_new_file_comes_later_loses_nothing(log):
    records = tail_of(log).of_instance(INSTANCE)
    log.write(line(1))
    assert (await following(records)).position == 1

    log.roll_over(and_begin=False)
    waiting = asyncio.create_task(following(records))
    await asyncio.sleep(0.06)  # longer than the tail's own pause: it has looked while there is no file
    log.write(line(2))

    assert (await waiting).position == 2
    log.write(end(3))
    assert await rest_of(records) == [3]


async def test_a_log_that_appears_later_is_read_from_its_start(tmp_path):
    log = Log(tmp_path / "later" / "records.jsonl")
    waiting = asyncio.create_task(rest_of(tail_of(log).of_instance(INSTANCE)))
    await asyncio.sleep(0)
    log.path.parent.mkdir()
    log.write(line(1), end(2))

    assert await waiting == [1, 2]


@pytest.mark.parametrize(
    "text",
    [
        f"Debug exporter opened {INSTANCE}\n",
        f'{{"partitionId": 1, "key": {INSTANCE}}}\n',
        f"[{INSTANCE}]\n",
        f"{INSTANCE}\n",
        f'{{"value": {{}}, "key": {INSTANCE}, "timestamp": "now"}}\n',
        line(1).replace("1709208000123", '"noon"'),
        f"\x00\x01 {INSTANCE} \n",
        line(1)[:60] + "\n",
        "\n",
    ],
)
async def test_a_line_that_is_no_record_is_passed_over(log, text):
    tail = tail_of(log)
    log.write(text, line(2), end(3))

    assert await rest_of(tail.of_instance(INSTANCE)) == [2, 3]


async def test_a_line_that_is_no_record_and_might_have_been_ours_is_logged(log, caplog):
    tail = tail_of(log)
    log.write("Debug exporter opened\n", f"no record of {INSTANCE}\n", end(3))
    await rest_of(tail.of_instance(INSTANCE))

    assert [record.levelname for record in caplog.records] == ["WARNING"]
    assert f"no record of {INSTANCE}" in caplog.text


async def test_the_file_is_let_go_at_the_end_and_when_nobody_reads_on(log):
    tail = tail_of(log)
    log.write(line(1), end(2))
    records = tail.of_instance(INSTANCE)
    await following(records)
    assert is_open(log.path)
    await records.aclose()
    assert not is_open(log.path)

    other = tail_of(log)
    log.write(end(3))
    await rest_of(other.of_instance(INSTANCE))
    assert not is_open(log.path)


async def test_a_tail_that_nobody_reads_can_be_closed(log):
    tail = tail_of(log)
    assert is_open(log.path)
    tail.close()
    assert not is_open(log.path)
