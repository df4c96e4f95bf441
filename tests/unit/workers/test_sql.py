"""What the sql TDE does on every database: rows, parameters, transactions, limits."""

import pytest

from procos.sdk import BpmnError, GiveUp
from procos_workers.sql_failure import SqlFailed
from tests.unit.workers.sql_databases import (  # noqa: F401 - fixtures, used by name
    Database,
    InBackground,
    db_fixture,
    pg_fixture,
    postgres_fixture,
    sqlite_fixture,
)

PEOPLE = "CREATE TABLE people (id integer PRIMARY KEY, name text NOT NULL, age integer CHECK (age > 0))"
ENDLESS = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT count(*) FROM n"


@pytest.fixture
def people(db: Database) -> Database:
    db.run(PEOPLE, "INSERT INTO people VALUES (1, 'Ada', 36), (2, 'Çelik 💚', NULL), (3, 'Ben', 12)")
    return db


def test_a_query_gives_rows_as_objects_with_nulls_and_unicode(people):
    answer = people("SELECT id, name, age FROM people WHERE id < :limit ORDER BY id", {"limit": 3})
    assert answer.rows == [{"id": 1, "name": "Ada", "age": 36}, {"id": 2, "name": "Çelik 💚", "age": None}]
    assert (answer.columns, answer.row_count, answer.truncated) == (["id", "name", "age"], 2, False)


def test_an_empty_result_still_names_its_columns(people):
    answer = people("SELECT id, name AS who FROM people WHERE id = :id", {"id": 99})
    assert (answer.rows, answer.columns, answer.row_count) == ([], ["id", "who"], 0)


def test_a_change_says_how_many_rows_it_touched_and_is_committed(people):
    assert people("UPDATE people SET name = :name WHERE id > :id", {"name": "x", "id": 1}).row_count == 2
    assert people("DELETE FROM people WHERE id = :id", {"id": 99}).row_count == 0
    assert people.column("SELECT name FROM people ORDER BY id") == ["Ada", "x", "x"]


def test_returning_gives_the_keys_of_what_was_inserted(people):
    answer = people("INSERT INTO people (id, name) VALUES (:id, :name) RETURNING id", {"id": 4, "name": "Cy"})
    assert (answer.rows, answer.row_count) == ([{"id": 4}], 1)
    assert people.column("SELECT count(*) FROM people") == [4]


def test_a_list_of_parameters_runs_the_statement_for_each_of_them(people):
    many = [{"id": number, "name": f"n{number}"} for number in range(10, 510)]
    assert people("INSERT INTO people (id, name) VALUES (:id, :name)", many).row_count == 500
    assert people.column("SELECT count(*) FROM people") == [503]


def test_an_empty_list_of_parameters_changes_nothing(people):
    assert people("DELETE FROM people", []).row_count == 0
    assert people.column("SELECT count(*) FROM people") == [3]


@pytest.mark.parametrize(
    ("ids", "found"), [([1, 3], [1, 3]), ([2], [2]), ([], []), ([1, 1, 99], [1])], ids=["two", "one", "none", "twice"]
)
def test_a_list_behind_in_finds_each_of_its_values(people, ids, found):
    answer = people("SELECT id FROM people WHERE id IN :ids ORDER BY id", {"ids": ids})
    assert [row["id"] for row in answer.rows] == found


@pytest.mark.parametrize(
    "name", ["'; DROP TABLE people; --", "x' OR '1'='1", '"; --', "\\'; --", ":id", "%s %(x)s", "?"]
)
def test_a_value_is_never_read_as_sql(people, name):
    people("UPDATE people SET name = :name WHERE id = :id", {"name": name, "id": 1})
    assert people("SELECT name FROM people WHERE name = :name", {"name": name}).rows == [{"name": name}]
    assert people.column("SELECT count(*) FROM people") == [3]


@pytest.mark.parametrize(
    "statement",
    [
        "SELECT 1; DROP TABLE people",
        "SELECT 1 /* ; */ ; SELECT 2",
        "SELECT ';'; DELETE FROM people",
        ";SELECT 1;SELECT 2",
    ],
)
def test_several_statements_in_one_text_are_refused(people, statement):
    with pytest.raises(GiveUp, match="more than one statement"):
        people(statement)
    assert people.column("SELECT count(*) FROM people") == [3]


@pytest.mark.parametrize("statement", ["SELECT 1 AS x;", "SELECT 1 AS x ; -- done", "/* ; */ SELECT 1 AS x;;"])
def test_a_semicolon_at_the_end_is_fine(db, statement):
    assert db(statement).rows == [{"x": 1}]


@pytest.mark.parametrize("statement", ["", "  \n", "-- nothing", ";"])
def test_an_empty_statement_is_refused(db, statement):
    with pytest.raises(GiveUp, match="empty"):
        db(statement)


@pytest.mark.parametrize(
    "statement", ["BEGIN", "commit", "/* x */ ROLLBACK", "END", "SAVEPOINT a", "START TRANSACTION"]
)
def test_a_task_may_not_begin_or_end_the_transaction(db, statement):
    with pytest.raises(GiveUp, match="not for a task"):
        db(statement)


def test_text_that_looks_like_a_parameter_stays_text(db):
    answer = db('SELECT \'10:30 :x 100% \\:y\' AS a, "b:c" AS ":d" FROM (SELECT 1 AS "b:c") t -- :z')
    assert answer.rows == [{"a": "10:30 :x 100% \\:y", ":d": 1}]


def test_a_parameter_may_be_used_twice_and_have_a_name_in_any_script(db):
    answer = db("SELECT CAST(:größe AS integer) AS a, CAST(:größe AS integer) + :b AS c", {"größe": 2, "b": 3})
    assert answer.rows == [{"a": 2, "c": 5}]


def test_a_missing_parameter_is_named(people):
    with pytest.raises(GiveUp, match=r"the statement has :name, but its parameters have no 'name'"):
        people("SELECT id FROM people WHERE name = :name AND id = :id", {"id": 1})


def test_an_unused_parameter_is_named(people):
    with pytest.raises(GiveUp, match=r"a parameter 'nmae', but the statement has no :nmae"):
        people("SELECT id FROM people WHERE name = ':nmae'", {"nmae": "Ada"})


def test_two_columns_of_one_name_are_refused(people):
    with pytest.raises(GiveUp, match="two columns 'id'; name them differently with AS"):
        people("SELECT a.id, b.id FROM people a, people b")


def test_statements_run_in_one_transaction_and_each_gives_its_result(people):
    answer = people(
        statements=[
            {"statement": "UPDATE people SET age = age + 1 WHERE id = :id", "parameters": {"id": 1}},
            {"statement": "INSERT INTO people (id, name) VALUES (:id, 'x')", "parameters": [{"id": 8}, {"id": 9}]},
            {"statement": "SELECT age FROM people WHERE id = :id", "parameters": {"id": 1}},
        ]
    )
    assert [result.row_count for result in answer.results] == [1, 2, 1]
    assert answer.rows == answer.results[2].rows == [{"age": 37}]


@pytest.mark.parametrize(
    "failing",
    [
        "INSERT INTO people (id, name) VALUES (1, 'again')",
        "SELECT nothing FROM nowhere",
        "CREATE TABLE people (x text)",
    ],
)
def test_when_one_statement_fails_none_has_taken_effect(people, failing):
    statements = ["DELETE FROM people WHERE id = 2", "CREATE TABLE other (x text)", failing]
    with pytest.raises((BpmnError, GiveUp), match="statement 3"):
        people.run(*statements)
    assert people.column("SELECT count(*) FROM people") == [3]
    people.run("CREATE TABLE other (x text)")


def test_rows_beyond_the_limit_fail_the_task_and_undo_what_it_did(people):
    with pytest.raises(GiveUp, match="more rows than max_rows allows"):
        people("DELETE FROM people RETURNING id", max_rows=2)
    assert people.column("SELECT count(*) FROM people") == [3]


def test_exactly_as_many_rows_as_allowed_are_fine(people):
    answer = people("SELECT id FROM people", max_rows=3)
    assert (answer.row_count, answer.truncated) == (3, False)


def test_rows_beyond_the_limit_can_be_left_out(people):
    answer = people("SELECT id FROM people ORDER BY id", max_rows=2, truncate=True)
    assert (answer.rows, answer.row_count, answer.truncated) == ([{"id": 1}, {"id": 2}], 2, True)


def test_a_task_cannot_raise_the_limit_of_the_settings(people):
    people.settings["max_rows"] = 2
    with pytest.raises(GiveUp, match="more rows"):
        people("SELECT id FROM people", max_rows=50)


def test_the_limit_counts_the_rows_of_all_statements_together(people):
    with pytest.raises(GiveUp, match="'db', statement 2: the result has more rows"):
        people(statements=[{"statement": "SELECT id FROM people"}] * 2, max_rows=5)


def test_only_as_many_rows_are_fetched_as_the_limit_allows(db):
    endless = "WITH RECURSIVE n(x) AS (SELECT 1 UNION ALL SELECT x + 1 FROM n) SELECT x FROM n"
    answer = db(endless, max_rows=4, truncate=True)
    assert [row["x"] for row in answer.rows] == [1, 2, 3, 4]


def test_a_result_of_too_many_bytes_is_refused_or_cut(people):
    people.settings["max_result_bytes"] = 60
    with pytest.raises(GiveUp, match=r"more bytes than tde\.sql\.max_result_bytes"):
        people("SELECT id, name FROM people")
    assert people("SELECT id, name FROM people ORDER BY id", truncate=True).row_count == 2


def test_a_statement_that_never_ends_is_stopped_at_its_time_limit(db):
    with pytest.raises(SqlFailed, match=r"stopped at its time limit of 0\.3 s"):
        db(ENDLESS, time_limit_seconds=0.3)
    assert db("SELECT 1 AS x").rows == [{"x": 1}]


def test_the_time_limit_of_the_settings_holds_for_a_task_that_asks_for_more(db):
    db.settings["time_limit_seconds"] = 0.3
    with pytest.raises(SqlFailed, match=r"time limit of 0\.3 s"):
        db(ENDLESS, time_limit_seconds=1000)


def test_a_statement_of_a_job_that_is_gone_is_stopped_and_undone(people):
    statements = [{"statement": "DELETE FROM people"}, {"statement": ENDLESS}]
    with pytest.raises(SqlFailed, match="the job is gone"):
        people(statements=statements, is_cancelled=lambda: True)
    assert people.column("SELECT count(*) FROM people") == [3]


@pytest.mark.parametrize(
    ("statement", "kind"),
    [
        ("INSERT INTO people (id, name) VALUES (1, 'again')", "unique"),
        ("INSERT INTO people (id, name) VALUES (9, NULL)", "not_null"),
        ("UPDATE people SET age = -1", "check"),
        ("INSERT INTO pets VALUES (1, 99)", "foreign_key"),
    ],
)
def test_a_violated_rule_is_a_bpmn_error_that_says_which_kind(people, statement, kind):
    people.run("CREATE TABLE pets (id integer PRIMARY KEY, owner integer REFERENCES people (id))")
    with pytest.raises(BpmnError) as caught:
        people(statement)
    assert caught.value.code == "SQL_CONSTRAINT"
    assert caught.value.variables["sql_error"]["kind"] == kind


def test_a_read_only_connection_reads_and_refuses_every_change(people):
    assert people("SELECT count(*) AS n FROM people", connection="reader").rows == [{"n": 3}]
    for statement in ("DELETE FROM people", "CREATE TABLE x (y text)", "DROP TABLE people"):
        with pytest.raises(GiveUp, match="read_only in the settings"):
            people(statement, connection="reader")
    assert people.column("SELECT count(*) FROM people") == [3]


def test_the_idempotency_key_makes_a_repeated_job_write_once(db):
    db.run("CREATE TABLE orders (job text PRIMARY KEY, item text)")
    insert = "INSERT INTO orders VALUES (:idempotency_key, :item) ON CONFLICT (job) DO NOTHING"
    assert [db(insert, {"item": "pear"}, job_key=key).row_count for key in (5, 5, 6)] == [1, 0, 1]
    assert db.column("SELECT job FROM orders ORDER BY job") == ["5", "6"]


def test_a_tasks_own_idempotency_key_is_kept(db):
    assert db("SELECT CAST(:idempotency_key AS text) AS k", {"idempotency_key": "mine"}).rows == [{"k": "mine"}]


def test_an_unknown_connection_is_named_with_those_that_there_are(db):
    with pytest.raises(GiveUp, match=r"no connection 'orders' \(there is: db, reader\)"):
        db("SELECT 1", connection="orders")


def test_a_wrong_statement_is_told_in_the_databases_own_words_without_values(people):
    with pytest.raises(GiveUp, match="syntax error") as caught:
        people("SELECT id FORM people WHERE name = :name", {"name": "geheim-und-privat"})
    assert "geheim" not in str(caught.value)


def test_objects_and_lists_are_written_as_json_text(db):
    db.run("CREATE TABLE notes (a text, b text)")
    db("INSERT INTO notes VALUES (:a, :b)", {"a": {"größe": [1, None]}, "b": [1, "x"]})
    assert db("SELECT a, b FROM notes").rows == [{"a": '{"größe": [1, null]}', "b": '[1, "x"]'}]


@pytest.mark.parametrize("number", [0, -1, 2**53, -(2**53), 1])
def test_an_integer_that_json_holds_exactly_is_a_number(db, number):
    assert db("SELECT CAST(:n AS bigint) AS n", {"n": number}).rows == [{"n": number}]


@pytest.mark.parametrize("number", [2**53 + 1, -(2**53) - 1, 2**63 - 1, -(2**63)])
def test_an_integer_beyond_that_is_text(db, number):
    assert db("SELECT CAST(:n AS bigint) AS n", {"n": number}).rows == [{"n": str(number)}]


def test_a_result_of_text_goes_back_in_as_the_same_integer(db):
    db.run("CREATE TABLE big (id bigint PRIMARY KEY)")
    db("INSERT INTO big VALUES (:id)", {"id": 2**60 + 1})
    (row,) = db("SELECT id FROM big").rows
    assert db("SELECT count(*) AS n FROM big WHERE id = :id", row).rows == [{"n": 1}]


def test_jobs_at_the_same_time_all_get_their_work_done(db):
    db.run("CREATE TABLE counter (n integer)", "INSERT INTO counter VALUES (0)")
    calls = [InBackground(lambda: db("UPDATE counter SET n = n + 1")) for _ in range(20)]
    assert [call.join().error for call in calls] == [None] * 20
    assert db.column("SELECT n FROM counter") == [20]
