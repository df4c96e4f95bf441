"""How the sql TDE reads a statement: parameters, quotes, comments, and where one statement ends."""

import pytest

from procos_workers.sql_statement import UnfitStatement, Use, read_statement

BOTH = pytest.mark.parametrize("is_sqlite", [True, False], ids=["sqlite", "postgres"])


@BOTH
@pytest.mark.parametrize(
    "text",
    [
        "SELECT ':a'",
        "SELECT 'it''s :a'",
        'SELECT ":a", "x"":a"',
        "SELECT 1 -- :a",
        "SELECT /* :a ; */ 1",
        "SELECT x::text, y :: int",
        "SELECT '10:30', 1:2",
        "SELECT ':a",
        "SELECT 1 /* :a",
    ],
)
def test_what_stands_in_quotes_comments_and_casts_is_no_parameter(text, is_sqlite):
    assert read_statement(text, is_sqlite=is_sqlite).uses == {}


@pytest.mark.parametrize(
    "text",
    [
        r"SELECT E'\':a', e'\\\':b'",
        "SELECT $$ :a ; ' $$",
        "SELECT $tag$ :a $$ ; $tag$",
        "SELECT $größe$ :a $größe$",
        "SELECT 1 /* /* :a */ :b ; */",
        "SELECT list[1:n]",
    ],
)
def test_postgres_has_more_ways_to_quote(text):
    assert read_statement(text, is_sqlite=False).uses == {}


@pytest.mark.parametrize("text", ["SELECT [:a ; b]", "SELECT `:a`", "SELECT `x``:a`"])
def test_sqlite_has_names_in_brackets_and_backticks(text):
    assert read_statement(text, is_sqlite=True).uses == {}


def test_a_sqlite_comment_ends_at_its_first_end():
    assert list(read_statement("SELECT /* /* :a */ :b", is_sqlite=True).uses) == ["b"]


@BOTH
@pytest.mark.parametrize(
    ("text", "names"),
    [
        ("SELECT :a,:b , (:c)", ["a", "b", "c"]),
        ("SELECT x=:a AND y>=:b_2", ["a", "b_2"]),
        ("SELECT :a::int, ':b'::text, :c :: text", ["a", "c"]),
        ("SELECT 'x':a", ["a"]),
        ("SELECT :a -- it's\n, :b /* ' */, :c", ["a", "b", "c"]),
        ("SELECT :a, :A", ["a", "A"]),
    ],
)
def test_parameters_are_found(text, names, is_sqlite):
    assert list(read_statement(text, is_sqlite=is_sqlite).uses) == names


@BOTH
def test_a_parameter_behind_in_takes_a_list(is_sqlite):
    uses = read_statement("SELECT 1 WHERE a in :a AND b NOT IN /* x */ :b AND c IN (:c, :d)", is_sqlite=is_sqlite).uses
    assert uses == {"a": Use.LIST, "b": Use.LIST, "c": Use.MEMBER, "d": Use.PLAIN}


def test_a_parameter_inside_any_takes_an_array_of_postgres():
    text = "SELECT 1 WHERE a = ANY(:a) AND b <> all ( :b )"
    assert set(read_statement(text, is_sqlite=False).uses.values()) == {Use.ARRAY}


@BOTH
def test_one_parameter_cannot_be_a_list_and_a_value(is_sqlite):
    with pytest.raises(UnfitStatement, match="use two parameters"):
        read_statement("SELECT 1 WHERE a IN :a OR b = :a", is_sqlite=is_sqlite)


@pytest.mark.parametrize(
    "text", ["SELECT $$a$$; DROP TABLE x", r"SELECT E'\''; DROP TABLE x --'", "SELECT 1 /* /* */ */; DROP TABLE x"]
)
def test_a_second_statement_is_seen_behind_every_kind_of_quote(text):
    with pytest.raises(UnfitStatement, match="more than one"):
        read_statement(text, is_sqlite=False)


@pytest.mark.parametrize(
    ("text", "is_query", "only_reads", "gives_rows"),
    [
        ("SELECT 1", True, True, True),
        ("(select 1) UNION (select 2)", True, True, True),
        ("WITH a AS (SELECT 1) SELECT * FROM a", True, True, True),
        ("WITH a AS (DELETE FROM x RETURNING y) SELECT * FROM a", False, False, True),
        ("SELECT 1 INTO x", False, False, False),
        ("SELECT 'INSERT' -- UPDATE", True, True, True),
        ("EXPLAIN SELECT 1", False, True, True),
        ("INSERT INTO x VALUES (1)", False, False, False),
        ("INSERT INTO x VALUES (1) RETURNING y", False, False, True),
    ],
)
def test_reading_is_told_from_writing(text, is_query, only_reads, gives_rows):
    statement = read_statement(text, is_sqlite=False)
    assert (statement.is_query, statement.only_reads, statement.gives_rows) == (is_query, only_reads, gives_rows)


def test_a_position_of_the_database_is_found_again_in_the_authors_text():
    statement = read_statement("SELECT :größe,\n :b, :größe, nix", is_sqlite=False)
    sent = "SELECT $1,\n $2, $1, nix"
    assert statement.locate(sent.index("nix") + 1, opening=0) == " (line 2, column 14)"
    assert statement.locate(5 + sent.index("nix") + 1, opening=5) == " (line 2, column 14)"


def test_a_huge_statement_is_read_in_a_short_time():
    text = "SELECT " + ", ".join(f"'{number}' || :p{number}" for number in range(20_000))
    assert len(read_statement(text, is_sqlite=False).uses) == 20_000
    assert read_statement("SELECT '" + "x''" * 200_000, is_sqlite=False).uses == {}
