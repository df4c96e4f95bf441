"""What the sql TDE does with SQLite files: where they lie, what a statement may not reach, and who else writes."""

import sqlite3

import pytest

from procos.sdk import GiveUp
from procos_workers.sql_failure import SqlFailed
from tests.unit.workers.sql_databases import Database, sqlite_fixture  # noqa: F401 - a fixture, used by name


def test_a_relative_path_is_below_the_data_folder_which_is_made(tmp_path):
    database = Database("sqlite", tmp_path / "new" / "sql", {"url": "sqlite:///a ü#.db", "create": True})
    database.run("CREATE TABLE t (n)")
    assert [path.name for path in (tmp_path / "new" / "sql").iterdir()] == ["a ü#.db"]


def test_an_absolute_path_is_that_path(tmp_path):
    database = Database("sqlite", tmp_path / "x", {"url": f"sqlite:///{tmp_path}/here.db", "create": True})
    database.run("CREATE TABLE t (n)")
    assert (tmp_path / "here.db").exists()


def test_a_missing_file_is_not_made_unless_the_settings_say_so(tmp_path):
    database = Database("sqlite", tmp_path, {"url": "sqlite:///mistyped.db"})
    with pytest.raises(GiveUp, match=r"mistyped\.db is not there; correct the path in the settings, or set create"):
        database("SELECT 1")
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("content", [b"", b"this is a text file, and not a database, whatever its name is" * 20])
def test_a_file_that_is_no_database_is_told(tmp_path, content):
    (tmp_path / "test.db").write_bytes(content)
    database = Database("sqlite", tmp_path, {"url": "sqlite:///test.db"})
    if not content:  # SQLite takes an empty file for an empty database
        assert database("SELECT count(*) AS n FROM sqlite_master").rows == [{"n": 0}]
        return
    with pytest.raises(GiveUp, match="file is not a database"):
        database("SELECT * FROM sqlite_master")


@pytest.mark.parametrize(
    "statement",
    [
        "ATTACH DATABASE '{folder}/other.db' AS other",
        "VACUUM INTO '{folder}/other.db'",
        "PRAGMA writable_schema = ON",
        "PRAGMA query_only = OFF",
        "PRAGMA journal_mode = WAL",
        "SELECT load_extension('evil')",
        "DETACH DATABASE main",
    ],
)
@pytest.mark.parametrize("connection", ["db", "reader"])
def test_no_statement_reaches_another_file_or_changes_the_connection(sqlite, statement, connection):
    sqlite.run("CREATE TABLE t (n)")
    before = sorted(path.name for path in sqlite.folder.iterdir())
    with pytest.raises(GiveUp, match=r"not authorized|cannot VACUUM"):
        sqlite(statement.format(folder=sqlite.folder), connection=connection)
    assert sorted(path.name for path in sqlite.folder.iterdir()) == before


def test_the_shape_of_a_table_can_be_asked_for(sqlite):
    sqlite.run("CREATE TABLE t (n integer)")
    assert [row["name"] for row in sqlite("PRAGMA table_info(t)").rows] == ["n"]


def test_values_of_every_kind_of_sqlite_become_json(sqlite):
    answer = sqlite("SELECT NULL AS a, 1 AS b, 1.5 AS c, 'ü' AS d, x'00ff41' AS e, 9e999 AS f")
    assert answer.rows == [{"a": None, "b": 1, "c": 1.5, "d": "ü", "e": "AP9B", "f": "Infinity"}]


def test_bytes_go_in_as_base64(sqlite):
    assert sqlite("SELECT hex(:b) AS h", {"b": {"$base64": "AP9B"}}).rows == [{"h": "00FF41"}]


def test_an_integer_beyond_64_bits_is_refused_by_name(sqlite):
    with pytest.raises(GiveUp, match="the parameter 'n' is beyond SQLite's integers"):
        sqlite("SELECT :n", {"n": 2**63})


@pytest.mark.parametrize("statement", ["SELECT ?", "SELECT :a, ?", "SELECT @b"])
def test_only_named_parameters_are_bound(sqlite, statement):
    with pytest.raises(GiveUp, match="number of bindings"):
        sqlite(statement, {"a": 1} if ":a" in statement else {})


def test_a_file_that_another_program_writes_to_is_waited_for_and_tried_again(sqlite):
    sqlite.run("CREATE TABLE t (n)")
    other = sqlite.file
    other.execute("BEGIN IMMEDIATE")
    with pytest.raises(SqlFailed, match=r"time limit of 0\.2 s.*lock|database is locked"):
        sqlite("INSERT INTO t VALUES (1)", time_limit_seconds=0.2)
    assert sqlite("SELECT count(*) AS n FROM t", time_limit_seconds=0.2).rows == [{"n": 0}]
    other.execute("COMMIT")
    other.close()
    assert sqlite("INSERT INTO t VALUES (1)").row_count == 1


def test_a_trigger_that_refuses_is_a_bpmn_error_with_its_words(sqlite):
    with sqlite3.connect(sqlite.folder / "test.db") as made:
        made.execute("CREATE TABLE t (n)")
        made.execute("CREATE TRIGGER no BEFORE INSERT ON t BEGIN SELECT RAISE(ABORT, 'closed today'); END")
    made.close()
    with pytest.raises(Exception, match="closed today") as caught:
        sqlite("INSERT INTO t VALUES (1)")
    assert caught.value.variables["sql_error"]["kind"] == "raised"
