"""A state database opened: new, old, newer, shared, damaged, or not ours."""

import os
import sqlite3
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect

from procos.adapters.state import database as module
from procos.adapters.state import migrations
from procos.adapters.state.database import open_database
from procos.adapters.state.migrations import REVISIONS, VERSION_TABLE
from procos.adapters.state.tables import metadata
from procos.errors import MissingExtraError, StoreError
from tests.servers.postgres import PASSWORD, postgres_fixture, postgres_url_fixture  # noqa: F401 - fixtures

OPEN = "import sys; from pathlib import Path; from procos.adapters.state.database import open_database\n"


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "state ä" / "procos.db"


@pytest.fixture(params=["sqlite", "postgresql"])
def place(request, file) -> str | Path:
    return file if request.param == "sqlite" else request.getfixturevalue("postgres_url")


def argument_of(place: str | Path) -> str:
    return repr(str(place)) if isinstance(place, str) else f"Path({str(place)!r})"


def run(code: str) -> str:
    done = subprocess.run([sys.executable, "-c", OPEN + code], capture_output=True, text=True, check=False, timeout=120)
    assert done.returncode == 0, done.stderr
    return done.stdout


def refusal(place: str | Path) -> str:
    with pytest.raises(StoreError) as caught:
        open_database(place)
    assert caught.value.hint
    return f"{caught.value.message} | {caught.value.hint}"


def test_a_new_database_has_every_table_as_the_code_knows_it(place):
    database = open_database(place)
    with database.engine.connect() as connection:
        context = MigrationContext.configure(
            connection, opts={"version_table": VERSION_TABLE, "compare_server_default": True}
        )
        differences = compare_metadata(context, metadata)
    database.close()

    assert differences == [], "write a migration, or correct tables.py"


def test_the_list_of_steps_is_that_of_the_files():
    script = ScriptDirectory(str(Path(migrations.__file__).parent))

    assert tuple(step.revision for step in reversed(list(script.walk_revisions()))) == REVISIONS


def test_opening_again_keeps_what_is_there_and_needs_no_alembic(place):
    database = open_database(place)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(
            "INSERT INTO outcome_ledger VALUES ('e', 1, 0, NULL, NULL, NULL, '2026-01-01 00:00:00')"
        )
    database.close()

    shown = run(
        f"database = open_database({argument_of(place)})\n"  # noqa: S608
        "with database.engine.connect() as connection:\n"
        "    print(connection.exec_driver_sql('SELECT job_key FROM outcome_ledger').scalars().all())\n"
        "print('alembic' in sys.modules)"
    )
    assert shown.split() == ["[1]", "False"]


def test_the_faces_that_need_no_database_import_no_sqlalchemy():
    command = [sys.executable, "-X", "importtime", "-m", "procos", "--help"]
    imported = subprocess.run(command, capture_output=True, text=True, check=True).stderr

    assert "procos.cli" in imported
    assert "sqlalchemy" not in imported


def test_several_processes_may_open_a_new_database_at_once(place):
    code = OPEN + f"print('ready', flush=True); sys.stdin.readline(); open_database({argument_of(place)}).close()"
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    processes = [subprocess.Popen([sys.executable, "-c", code], **pipes) for _ in range(6)]
    assert [process.stdout.readline() for process in processes] == ["ready\n"] * 6
    for process in processes:
        process.stdin.write("\n")
        process.stdin.flush()

    ended = [(process.communicate(timeout=120)[1], process.returncode) for process in processes]

    assert ended == [("", 0)] * 6
    database = open_database(place)
    with database.engine.connect() as connection:
        versions = connection.exec_driver_sql(f"SELECT version_num FROM {VERSION_TABLE}").scalars().all()  # noqa: S608
    database.close()
    assert versions == [REVISIONS[-1]]


def test_a_step_that_fails_leaves_the_database_as_it_was(place, monkeypatch):
    upgrade = module.upgrade

    def fail_after(connection):
        upgrade(connection)
        raise RuntimeError("killed")

    with monkeypatch.context() as broken:
        broken.setattr(module, "upgrade", fail_after)
        with pytest.raises(RuntimeError):
            open_database(place)
    database = open_database(place)

    assert inspect(database.engine).has_table("outcome_ledger")
    database.close()


def test_a_database_that_a_newer_procos_has_used_is_refused(place):
    database = open_database(place)
    with database.engine.begin() as connection:
        connection.exec_driver_sql(f"UPDATE {VERSION_TABLE} SET version_num = '9999'")  # noqa: S608
    database.close()

    said = refusal(place)

    assert "a newer ProcOS has used the state database" in said
    assert f"step 9999, this ProcOS knows steps up to {REVISIONS[-1]} | install the newer ProcOS again" in said
    assert PASSWORD not in said


def test_the_file_is_only_its_owners_and_written_ahead(file):
    old_mask = os.umask(0)
    try:
        database = open_database(file)
        with database.engine.begin() as connection:
            connection.exec_driver_sql("DELETE FROM outcome_ledger")
            modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in file.parent.iterdir()}
            settings = [
                connection.exec_driver_sql(f"PRAGMA {name}").scalar()
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            ]
        database.close()
    finally:
        os.umask(old_mask)

    assert modes == dict.fromkeys(("procos.db", "procos.db-wal", "procos.db-shm", "procos.db.lock"), 0o600)
    assert stat.S_IMODE(file.parent.stat().st_mode) == 0o700
    assert settings == ["wal", 1, 1, 5000]


def test_a_file_that_is_no_database_is_refused_and_kept(file):
    file.parent.mkdir()
    file.write_text("my shopping list\n" * 100)

    assert f"{file}: this file is not an SQLite database" in refusal(file)
    assert file.read_text() == "my shopping list\n" * 100


def test_a_damaged_database_is_refused(file):
    open_database(file).close()
    content = bytearray(file.read_bytes())
    content[100:4096] = os.urandom(3996)
    file.write_bytes(content)

    assert "the file is damaged" in refusal(file)


def test_a_folder_in_the_place_of_the_file_is_named(tmp_path):
    assert refusal(tmp_path).startswith(f"cannot open the state database, {tmp_path}: Is a directory")


def test_a_folder_that_cannot_be_written_is_named(tmp_path, error_of):
    tmp_path.chmod(0o500)
    file = tmp_path / "procos.db"

    assert error_of(f"{OPEN.strip().replace(chr(10), ';')}; open_database(Path({str(file)!r}))") == (
        f"cannot open the state database, {file}: Permission denied"
    )


def test_a_file_that_cannot_be_written_is_named(file, error_of):
    open_database(file).close()
    file.chmod(0o400)

    assert error_of(f"{OPEN.strip()}; open_database(Path({str(file)!r}))") == (
        f"cannot open the state database, {file}: Permission denied"
    )


def test_a_database_that_somebody_holds_locked_is_named(file, monkeypatch):
    open_database(file).close()
    monkeypatch.setattr(module, "_BUSY_TIMEOUT_MS", 1)
    with sqlite3.connect(file, isolation_level=None) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert f"{file}: another program holds it locked" in refusal(file)
        other.execute("ROLLBACK")


def test_a_process_that_opens_for_too_long_is_not_waited_for(file, monkeypatch):
    monkeypatch.setattr(module, "_WAIT_FOR_OTHERS_S", 0)
    open_database(file).close()
    with module._alone_at(module.file_address(file)):
        assert f"see which one holds {file}.lock" in refusal(file)


def test_postgresql_says_what_is_wrong_and_never_the_password(postgres):
    url = postgres.create_database()
    nobody = postgres.url_of("postgres", password="wr0ng/@:%")
    postgres.execute("CREATE USER guest PASSWORD 'guest-pass'")

    wrong = {
        nobody: "the server refused the login",
        postgres.url_of("missing"): "there is no such database",
        url.replace(f":{postgres.port}/", ":1/"): "no server answers",
        url.replace("127.0.0.1", "no-such-host.invalid"): "the host is unknown",
        url + "?sslmode=require": "TLS could not be agreed on",
        postgres.url_of(url.rpartition("/")[2], user="guest", password="guest-pass"): "the user may not make tables",
        "postgresql://procos@127.0.0.1:" + url.rpartition(":")[2]: "the server asks for a password",
    }
    for place, reason in wrong.items():
        said = refusal(place)
        assert reason in said
        assert "cannot open the state database, PostgreSQL database '" in said
        assert not any(secret in said for secret in (PASSWORD, "wr0ng", "guest-pass"))


def test_postgresql_waits_for_a_migration_elsewhere_only_so_long(postgres, monkeypatch):
    monkeypatch.setattr(module, "_WAIT_FOR_OTHERS_S", 1)
    url = postgres.create_database()
    with postgres.connect(url.rpartition("/")[2]) as other:
        other.execute(f"SELECT pg_advisory_lock({module._ADVISORY_LOCK})")
        assert "lock timeout" in refusal(url)


@pytest.mark.parametrize("encoding", ["LATIN1", "SQL_ASCII"])
def test_a_postgresql_database_that_cannot_hold_every_letter_is_refused(postgres, encoding):
    name = f"in_{encoding.lower()}"
    postgres.execute(f"CREATE DATABASE {name} ENCODING '{encoding}' LOCALE 'C' TEMPLATE template0")

    assert f"its encoding is {encoding}" in refusal(postgres.url_of(name))


def test_another_applications_migrations_in_the_same_database_do_not_count(postgres):
    url = postgres.create_database()
    name = url.rpartition("/")[2]
    postgres.execute("CREATE TABLE alembic_version (version_num varchar)", database=name)
    postgres.execute("INSERT INTO alembic_version VALUES ('abc')", database=name)

    open_database(url).close()


def test_a_missing_driver_is_named_with_what_installs_it(monkeypatch):
    monkeypatch.setitem(sys.modules, "psycopg", None)

    with pytest.raises(MissingExtraError) as caught:
        open_database("postgresql://app@127.0.0.1/procos")
    assert caught.value.hint == "pip install 'procos[postgres]'"
