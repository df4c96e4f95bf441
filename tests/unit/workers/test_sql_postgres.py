"""What the sql TDE does with a real PostgreSQL: its types, its errors, and a server that goes and comes back."""

import threading

import pytest

from procos.sdk import BpmnError, GiveUp
from procos_workers.sql import _database
from procos_workers.sql_connection import close_connections, engine_of
from procos_workers.sql_failure import SqlFailed
from tests.servers.postgres import PASSWORD, PostgresServer, postgres_server
from tests.unit.workers.fresh_python import run_script
from tests.unit.workers.sql_databases import (  # noqa: F401 - fixtures, used by name
    Database,
    InBackground,
    pg_fixture,
    postgres_fixture,
)

SLEEPING = "PgSleep"


def waiting(postgres: PostgresServer, event: str) -> int:
    """How many statements wait for that just now, as the server itself sees it."""
    with postgres.connect() as connection:
        (count,) = connection.execute("SELECT count(*) FROM pg_stat_activity WHERE wait_event = %s", [event]).fetchone()
        return count


def wait_until(condition) -> None:
    pause = threading.Event()
    for _ in range(3000):
        if condition():
            return
        pause.wait(0.01)
    raise AssertionError("it never came to that")


@pytest.mark.parametrize(
    ("expression", "value"),
    [
        ("NULL", None),
        ("true", True),
        ("1.50::numeric(10,2)", 1.5),
        ("100::numeric", 100),
        ("0.1::numeric", 0.1),
        ("12345678901234567.25::numeric", "12345678901234567.25"),
        ("0.123456789012345678901::numeric", "0.123456789012345678901"),
        ("1e30::numeric", "1" + "0" * 30),
        ("'NaN'::numeric", "NaN"),
        ("'Infinity'::float8", "Infinity"),
        ("1e300::float8", 1e300),
        ("date '2026-02-28'", "2026-02-28"),
        ("time '10:30:00.5'", "10:30:00.500000"),
        ("timestamp '2026-02-28 10:30:00'", "2026-02-28T10:30:00"),
        ("interval '1 day 2 hours'", "P1DT2H"),
        ("'3f2504e0-4f89-11d3-9a0c-0305e82c3301'::uuid", "3f2504e0-4f89-11d3-9a0c-0305e82c3301"),
        ("'\\x00ff41'::bytea", "AP9B"),
        ("ARRAY[1, 9007199254740993, NULL]", [1, "9007199254740993", None]),
        ("ARRAY['2026-01-01'::date]", ["2026-01-01"]),
        (
            '\'{"größe": [1, null, {"x": 12345678901234567890}]}\'::jsonb',
            {"größe": [1, None, {"x": "12345678901234567890"}]},
        ),
        ("'10.1.0.0/16'::cidr", "10.1.0.0/16"),
        ("'[1,5)'::int4range", "[1, 5)"),
        ("'green'::colour", "green"),
        ("'a''b'::text", "a'b"),
    ],
)
def test_a_value_of_every_type_becomes_json(pg, expression, value):
    pg.run("CREATE TYPE colour AS ENUM ('green')")
    answer = pg(f"SELECT {expression} AS v")
    assert answer.rows == [{"v": value}]
    assert type(answer.rows[0]["v"]) is type(value)


def test_a_time_with_a_zone_names_its_offset(pg):
    (row,) = pg("SELECT timestamptz '2026-02-28 10:30:00+02' AS t").rows
    assert row == {"t": "2026-02-28T08:30:00+00:00"}


def test_json_values_go_in_as_the_type_of_their_column(pg):
    columns = "i integer, n numeric, d date, at timestamptz, u uuid, j jsonb, b bytea, yes boolean, tags text[]"
    pg.run(f"CREATE TABLE t ({columns})")
    uuid = "3f2504e0-4f89-11d3-9a0c-0305e82c3301"
    values = {"i": 1, "n": "12345678901234567.25", "d": "2026-02-28", "at": "2026-02-28T08:30:00+00:00", "u": uuid,
              "j": {"a": [1, "ü"]}, "b": {"$base64": "AP9B"}, "yes": False, "tags": "{a,b}"}  # fmt: skip
    pg("INSERT INTO t VALUES (:i, :n, :d, :at, :u, :j, :b, :yes, :tags)", values)
    (row,) = pg("SELECT * FROM t").rows
    assert row == {**values, "b": "AP9B", "tags": ["a", "b"]}


def test_any_takes_a_list_as_an_array(pg):
    assert pg("SELECT 2 = ANY(:ids) AS two, 'c' = ALL(:names) AS c", {"ids": [1, 2], "names": ["c"]}).rows == [
        {"two": True, "c": True}
    ]


@pytest.mark.parametrize(
    ("statement", "parameters", "message"),
    [
        ("SELECT :x", {"x": "a\0b"}, "the parameter 'x' holds a NUL character"),
        ("SELECT :x", {"x": "\ud800"}, "the parameter 'x' holds half a character"),
        ("SELECT :x", {"x": {"$base64": "no!"}}, "the parameter 'x' is .* without base64"),
        ("SELECT 1 WHERE 1 IN :x", {"x": 1}, "'x' stands behind IN, which takes a list, not a number"),
        ("SELECT 1 WHERE 1 IN (:x)", {"x": [1]}, "write IN :name for a list, without the parentheses"),
        ("SELECT 1 WHERE 1 = ANY(:x)", {"x": "{1}"}, "'x' stands behind ANY, .*, not text"),
        ("SELECT :x IS NULL", {"x": None}, r"write CAST\(:name AS its_type\)"),
        ("SELECT CAST(:x AS integer)", {"x": "geheim"}, "invalid input syntax for type integer: :x"),
        ("SELECT CAST(:x AS date)", {"x": "31.2.2026"}, "date/time .*: :x"),
        ("SELECT :x::smallint", {"x": 70000}, "smallint out of range"),
        ("COPY (SELECT 1) TO STDOUT", {}, "COPY is not for a task"),
        ("SELECT 'infinity'::timestamp", {}, "timestamp too large"),
    ],
)
def test_a_value_that_does_not_fit_is_told_without_repeating_it(pg, statement, parameters, message):
    with pytest.raises(GiveUp, match=message) as caught:
        pg(statement, parameters)
    assert not any(isinstance(value, str) and f"{value}" in str(caught.value) for value in parameters.values())


@pytest.mark.parametrize(
    ("statement", "message"),
    [
        ("SELECT *\nFORM t", r'syntax error at or near "FORM" \(line 2, column 1\)'),
        ("SELECT :a AS a, nix", r'column "nix" does not exist \(line 1, column 17\)'),
        ("SELECT :a AS a FROM nix", r'relation "nix" does not exist \(line 1, column 21\)'),
        ("INSERT INTO nix VALUES (:a)", r'relation "nix" does not exist \(line 1, column 13\)'),
        ("SELECT :a AS a, (", r"syntax error at end of input"),
    ],
)
def test_an_error_in_the_statement_is_told_with_its_place(pg, statement, message):
    with pytest.raises(GiveUp, match=message):
        pg(statement, {"a": 1} if ":a" in statement else {})


def test_a_violated_rule_says_constraint_table_and_column_but_no_value(pg):
    pg.run("CREATE TABLE t (email text CONSTRAINT one_each UNIQUE, n integer NOT NULL)")
    pg("INSERT INTO t VALUES (:email, 1)", {"email": "ada@example.org"})
    with pytest.raises(BpmnError) as caught:
        pg("INSERT INTO t VALUES (:email, 1)", {"email": "ada@example.org"})
    facts = caught.value.variables["sql_error"]
    assert (facts["kind"], facts["constraint"], facts["table"]) == ("unique", "one_each", "t")
    assert "ada@" not in str(caught.value) + str(facts)
    with pytest.raises(BpmnError) as caught:
        pg("INSERT INTO t VALUES ('x', NULL)")
    assert caught.value.variables["sql_error"]["column"] == "n"


def test_what_a_function_of_the_database_raises_is_a_bpmn_error(pg):
    with pytest.raises(BpmnError, match="not enough left") as caught:
        pg("DO $$ BEGIN RAISE EXCEPTION 'not enough left'; END $$")
    assert caught.value.variables["sql_error"]["kind"] == "raised"


def test_a_rule_that_is_checked_at_the_commit_undoes_everything(pg):
    pg.run("CREATE TABLE t (n integer UNIQUE DEFERRABLE INITIALLY DEFERRED)", "INSERT INTO t VALUES (1)")
    with pytest.raises(BpmnError, match="duplicate key"):
        pg("INSERT INTO t VALUES (1)")
    assert pg.column("SELECT n FROM t") == [1]


@pytest.mark.parametrize(
    "way_out",
    [
        "SET TRANSACTION READ WRITE",
        "SET LOCAL transaction_read_only = off",
        "SELECT set_config('transaction_read_only', 'off', true)",
        "SET SESSION CHARACTERISTICS AS TRANSACTION READ WRITE",
        "SET default_transaction_read_only = off",
    ],
)
def test_no_statement_makes_a_read_only_connection_write(pg, way_out):
    pg.run("CREATE TABLE t (n integer)")
    with pytest.raises(GiveUp, match=r"read-write mode must be set|read_only in the settings"):
        pg(statements=[{"statement": way_out}, {"statement": "INSERT INTO t VALUES (1)"}], connection="reader")
    with pytest.raises(GiveUp, match="read_only in the settings"):
        pg("INSERT INTO t VALUES (1)", connection="reader")


def test_one_job_leaves_nothing_in_the_session_of_the_next(pg):
    pg.connection["pool_size"] = 1
    pg.run("CREATE TABLE t (n integer)")
    pg.run("SET search_path = nowhere", "SET statement_timeout = '1h'", "SET ROLE pg_monitor")
    pg("SELECT pg_advisory_lock(1)")
    (row,) = pg(
        "SELECT current_setting('search_path') AS path, current_user::text AS role,"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') AS locks"
    ).rows
    assert row == {"path": '"$user", public', "role": "procos", "locks": 0}


def test_the_server_itself_ends_a_statement_at_its_limit(pg, postgres):
    with pytest.raises(SqlFailed, match="time limit"):
        pg("SELECT pg_sleep(600)", time_limit_seconds=0.3)
    wait_until(lambda: waiting(postgres, SLEEPING) == 0)


def test_a_statement_cannot_lift_its_own_time_limit(pg):
    statements = [
        "SET LOCAL statement_timeout = 0",
        "SELECT set_config('statement_timeout', '0', false), pg_sleep(600)",
    ]
    with pytest.raises(SqlFailed, match="time limit"):
        pg(statements=[{"statement": one} for one in statements], time_limit_seconds=0.5)


def test_a_lower_limit_of_the_database_user_is_kept(pg, postgres):
    postgres.execute("ALTER ROLE procos IN DATABASE emptied SET statement_timeout = '200ms'")
    try:
        with pytest.raises(SqlFailed, match="statement timeout"):
            pg("SELECT pg_sleep(600)", time_limit_seconds=60)
    finally:
        postgres.execute("ALTER ROLE procos IN DATABASE emptied RESET statement_timeout")


def test_a_job_that_is_cancelled_ends_its_statement_in_the_database(pg, postgres):
    cancelled = threading.Event()
    call = InBackground(lambda: pg("SELECT pg_sleep(600)", is_cancelled=cancelled.is_set))
    wait_until(lambda: waiting(postgres, SLEEPING) == 1)
    cancelled.set()
    assert isinstance(call.join().error, SqlFailed)
    wait_until(lambda: waiting(postgres, SLEEPING) == 0)


def test_of_two_jobs_in_a_deadlock_one_is_tried_again(pg):
    pg.run("CREATE TABLE t (id integer PRIMARY KEY, n integer)", "INSERT INTO t VALUES (1, 0), (2, 0)")
    meet = [{"statement": "SELECT pg_sleep(0.3)"}]
    change = [{"statement": "UPDATE t SET n = n + 1 WHERE id = :id", "parameters": {"id": number}} for number in (1, 2)]
    calls = [InBackground(lambda order=order: pg(statements=order)) for order in
             ([change[0], *meet, change[1]], [change[1], *meet, change[0]])]  # fmt: skip
    errors = [call.join().error for call in calls]
    assert errors.count(None) == 1
    (error,) = (error for error in errors if error)
    assert isinstance(error, SqlFailed)
    assert "deadlock detected" in str(error)
    assert pg.column("SELECT n FROM t ORDER BY id") == [1, 1]


def test_more_jobs_than_connections_wait_for_their_turn(pg):
    pg.connection["pool_size"] = 2
    calls = [InBackground(lambda: pg("SELECT pg_sleep(0.05)")) for _ in range(12)]
    assert [call.join().error for call in calls] == [None] * 12


def test_a_job_that_gets_no_connection_in_time_is_tried_again(pg):
    pg.connection["pool_size"] = 1
    pg.settings["time_limit_seconds"] = 0.5
    with (
        engine_of(_database("db", pg.context())).connect(),
        pytest.raises(SqlFailed, match="all 1 connections were in"),
    ):
        pg("SELECT 1")


def test_a_server_that_stops_and_comes_back_costs_one_attempt(tmp_path):
    with postgres_server() as server:
        database = Database("postgres", tmp_path, {"url_secret": "SQL_U"}, secrets={"SQL_U": server.url})
        try:
            database.run("CREATE TABLE t (n integer)")
            call = InBackground(
                lambda: database(
                    statements=[{"statement": "INSERT INTO t VALUES (1)"}, {"statement": "SELECT pg_sleep(600)"}]
                )
            )
            wait_until(lambda: waiting(server, SLEEPING) == 1)
            server.stop()
            assert isinstance(call.join().error, SqlFailed)
            with pytest.raises(SqlFailed, match="no connection to the database"):
                database("SELECT 1")
            server.start()
            assert database("SELECT count(*) AS n FROM t").rows == [{"n": 0}]
        finally:
            close_connections()


@pytest.mark.parametrize(
    ("part", "wrong", "message"),
    [
        ("password", "falsch-und-geheim", 'password authentication failed for user "procos"'),
        ("database", "nowhere", 'database "nowhere" does not exist'),
        ("user", "nobody", "authentication failed"),
    ],
)
def test_a_refused_login_is_for_a_person_and_shows_no_password(postgres, tmp_path, part, wrong, message):
    parts = {"user": "procos", "password": PASSWORD, "database": "postgres"} | {part: wrong}
    url = f"postgresql://{parts['user']}@127.0.0.1:{postgres.port}/{parts['database']}"
    secrets = {"SQL_PASSWORD": parts["password"]}
    database = Database("postgres", tmp_path, {"url": url, "password_secret": "SQL_PASSWORD"}, secrets=secrets)
    with pytest.raises(GiveUp, match=message) as caught:
        database("SELECT 1")
    assert parts["password"] not in str(caught.value)


def test_a_password_secret_of_any_characters_opens_the_database(postgres, tmp_path):
    url = f"postgresql://procos@127.0.0.1:{postgres.port}/postgres"
    database = Database("pg", tmp_path, {"url": url, "password_secret": "SQL_P"}, secrets={"SQL_P": PASSWORD})
    assert database("SELECT 1 AS x").rows == [{"x": 1}]
    close_connections()


def test_a_server_that_is_not_there_is_tried_again(tmp_path):
    database = Database("postgres", tmp_path, {"url": "postgresql://procos@127.0.0.1:1/x"})
    with pytest.raises(SqlFailed, match=r"no connection to the database: .*refused"):
        database("SELECT 1")


def test_a_permission_that_is_missing_is_for_a_person(pg):
    with pytest.raises(
        GiveUp, match="permission denied for table pg_authid; give the connection's user the permission"
    ):
        pg.run("SET ROLE pg_monitor", "SELECT rolname FROM pg_authid")


def test_without_the_driver_the_message_names_the_extra(tmp_path):
    script = f"""
import sys
sys.modules["psycopg"] = None
from pathlib import Path
from procos.sdk import GiveUp
from procos_workers.sql import sql
from procos_workers.sql_config import SqlConfig
from procos_workers.sql_task import SqlInput
from tests.unit.workers.context import task_context
config = SqlConfig.model_validate({{"connections": {{"db": {{"url": "postgresql://me@127.0.0.1/x"}}}}}})
try:
    sql(SqlInput(connection="db", statement="SELECT 1"), task_context(config, Path({str(tmp_path)!r})))
except GiveUp as error:
    print(error)
"""
    assert "pip install 'procos[postgres]'" in run_script(script)
