"""The settings and the input of the sql TDE: what is taken, and how what is wrong is told."""

import pytest
from pydantic import ValidationError

from procos.sdk import GiveUp
from procos_workers.sql import sql
from procos_workers.sql_config import SqlConfig
from procos_workers.sql_task import SqlInput
from tests.unit.workers.sql_databases import Database


def settings(**connection: object) -> SqlConfig:
    return SqlConfig.model_validate({"connections": {"db": connection}})


@pytest.mark.parametrize(
    "url",
    [
        "postgresql://me@db.example:5432/x?sslmode=require",
        "postgresql+psycopg://db/x",
        "sqlite:////tmp/x.db",
        "sqlite:///x.db",
    ],
)
def test_a_url_without_a_password_is_taken(url):
    assert settings(url=url).connections["db"].url == url


@pytest.mark.parametrize(
    ("connection", "message"),
    [
        ({}, "give either url, or url_secret"),
        ({"url": "sqlite:///x.db", "url_secret": "SQL_X"}, "give either url, or url_secret"),
        ({"url": "postgresql://me:geheim@db/x"}, "keep it as a secret, and name that secret in password_secret"),
        ({"url": "geheim"}, "this is not a database URL"),
        ({"url": ""}, "this is not a database URL"),
        ({"url": "postgresql://db:geheim/x"}, "this is not a database URL"),
        ({"url": "mysql://db/geheim"}, "PostgreSQL .* and SQLite .*, not with mysql"),
        ({"url": "postgresql+asyncpg://db/geheim"}, "not with postgresql.asyncpg"),
        ({"url": "sqlite://"}, "the path of a file"),
        ({"url": "sqlite:///:memory:"}, "the path of a file"),
        ({"url": "sqlite:///geheim.db?mode=memory"}, "the path of a file"),
        ({"url_secret": "API_TOKEN"}, "names begin with SQL_: rename it to SQL_"),
        ({"url": "sqlite:///x.db", "password": "geheim"}, "Extra inputs are not permitted"),
        ({"url": "sqlite:///x.db", "pool_size": 0}, "greater than or equal to 1"),
    ],
)
def test_a_wrong_connection_is_told_without_repeating_it(connection, message):
    with pytest.raises(ValidationError, match=message) as caught:
        settings(**connection)
    assert "geheim" not in str(caught.value)


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({}, "give either 'statement', or 'statements'"),
        (
            {"statement": "SELECT 1", "statements": [{"statement": "SELECT 1"}]},
            "give either 'statement', or 'statements'",
        ),
        ({"statement": ["SELECT 1"]}, "put several into 'statements'"),
        ({"statements": []}, "at least 1 item"),
        (
            {"statements": [{"statement": "SELECT 1"}], "parameters": {"a": 1}},
            "each of 'statements' parameters of its own",
        ),
        ({"statement": "SELECT 1", "max_rows": 0}, "max_rows"),
        ({"statement": "SELECT 1", "url": "sqlite:///x"}, "Extra inputs are not permitted"),
    ],
)
def test_a_wrong_task_is_told_by_field(given, message):
    with pytest.raises(ValidationError, match=message):
        SqlInput.model_validate({"connection": "db", **given})


def test_a_secret_that_is_no_url_is_told_by_its_name_without_its_value(tmp_path):
    database = Database("pg", tmp_path, {"url_secret": "SQL_URL"}, secrets={"SQL_URL": "geheim"})
    with pytest.raises(GiveUp, match="the secret SQL_URL: this is not a database URL") as caught:
        database("SELECT 1")
    assert "geheim" not in str(caught.value)


def test_the_tde_may_use_no_secrets_but_its_own():
    assert sql.secrets == ("SQL_*",)


def test_null_as_parameters_is_the_same_as_none():
    assert SqlInput.model_validate({"connection": "db", "statement": "SELECT 1", "parameters": None}).parameters == {}
