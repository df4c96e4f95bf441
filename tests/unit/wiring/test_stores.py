"""Where workers keep what must outlive them."""

import contextlib
import logging
from pathlib import Path

import pytest

from procos.errors import StoreError
from procos.kernel.home import Home
from procos.model.job import Completed
from procos.model.ledger import LedgerEntry
from procos.settings import Settings
from procos.wiring import stores as stores_module
from procos.wiring.stores import open_stores

pytestmark = pytest.mark.anyio

ENTRY = LedgerEntry(job_key=1, failures=2, progress={"page": 3}, outcome=Completed({"a": 1}))


@pytest.fixture
def home(tmp_path: Path) -> Home:
    found = Home(tmp_path / "home")
    found.prepare()
    return found


def settings(home: Home, **options: object) -> Settings:
    return Settings(home=home.path, **options)


async def test_what_is_kept_is_there_for_the_next_process(home):
    async with open_stores(settings(home), home, "engine") as stores:
        stores.journal.keep(ENTRY)  # written at the end, at the latest
    async with open_stores(settings(home), home, "engine") as stores:
        assert await stores.journal.recall(1) == ENTRY

    assert home.database_file.is_file()


async def test_what_is_kept_is_written_though_the_work_broke(home):
    with contextlib.suppress(ZeroDivisionError):
        async with open_stores(settings(home), home, "engine") as stores:
            stores.journal.keep(ENTRY)
            raise ZeroDivisionError
    async with open_stores(settings(home), home, "engine") as stores:
        assert await stores.journal.recall(1) == ENTRY


async def test_another_engine_whose_job_keys_are_the_same_knows_nothing_of_it(home):
    async with open_stores(settings(home), home, "engine") as stores:
        stores.journal.keep(ENTRY)
    async with open_stores(settings(home), home, "another") as stores:
        assert await stores.journal.recall(1) is None


async def test_the_setting_names_another_database(home, tmp_path):
    file = tmp_path / "elsewhere.db"
    chosen = settings(home, database_url=f"sqlite:///{file}")
    async with open_stores(chosen, home, "engine"):
        pass

    assert file.is_file()
    assert not home.database_file.exists()


async def test_a_database_that_cannot_be_used_is_said_so(home):
    with pytest.raises(StoreError, match="mysql"):
        async with open_stores(settings(home, database_url="mysql://host/db"), home, "engine"):
            pass


async def test_large_variables_go_into_the_homes_objects(home):
    async with open_stores(settings(home), home, "engine") as stores:
        large = {"text": "x" * 3_000_000}
        kept = await stores.large_variables.put_away(large, 3_000_000)
        assert await stores.large_variables.bring_back(kept) == large

    assert sum(file.stat().st_size for file in home.objects.rglob("*") if file.is_file()) >= 3_000_000


async def test_entries_of_jobs_that_are_long_gone_are_removed(home, monkeypatch, caplog):
    async with open_stores(settings(home), home, "engine") as stores:
        stores.journal.keep(ENTRY)
    monkeypatch.setattr(stores_module, "FORGET_AFTER", stores_module.FORGET_AFTER * 0)
    with caplog.at_level(logging.INFO):
        async with open_stores(settings(home), home, "engine") as stores:
            assert await stores.journal.recall(1) is None

    assert "1 old entries of the outcome ledger are removed" in caplog.text
