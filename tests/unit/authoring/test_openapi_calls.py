"""The TDEs made of an OpenAPI document, run as in a worker against a real server: what they send, what they give."""

import base64
import json

import pytest

from procos.model.job import Failed
from procos.testing import TdeHarness
from tests.unit.authoring.generated_package import imported, made_of
from tests.unit.workers.loopback_server import Reply, serving

ADA = {"id": 7, "name": "Ada", "born": "2024-02-29", "mood": "calm"}
SECRETS = {
    "ANIMAL_SHELTER_TOKEN": "t0ken-of-the-shelter",
    "ANIMAL_SHELTER_DOOR": "d00r-key",
    "NASTY_LOGIN_USER": "ada",
    "NASTY_LOGIN_PASSWORD": "p:ss wörd",
    "NASTY_KEY": "k3y-in-a-header",
    "NASTY_QUERY_KEY": "k3y&in=the query",
    "NASTY_OAUTH": "access-token",
}


@pytest.fixture(scope="module")
def shelter(tmp_path_factory):
    with imported(made_of("shelter.yaml", tmp_path_factory.mktemp("shelter"))) as operations:
        yield operations


@pytest.fixture(scope="module")
def nasty(tmp_path_factory):
    with imported(made_of("nasty.json", tmp_path_factory.mktemp("nasty"), name="nasty")) as operations:
        yield operations


@pytest.fixture(scope="module")
def invoices(tmp_path_factory):
    with imported(made_of("invoices.yaml", tmp_path_factory.mktemp("invoices"))) as operations:
        yield operations


def called(tde, variables, *answers, path="/v2", retries=3):
    """What came of one job, and the requests that it made."""
    with serving(*answers) as server:
        harness = TdeHarness(tde, secrets=SECRETS, config={"base_url": server.url(path)})
        result = harness.run_sync(variables, retries=retries)
        return result, server.asked


def test_a_path_and_a_token_make_a_request_and_its_answer_is_typed(shelter):
    result, (asked,) = called(shelter.get_animal, {"animalId": "a b/ü?"}, Reply.json(ADA))
    assert (asked.method, asked.path) == ("GET", "/v2/animals/a%20b%2F%C3%BC%3F")
    assert asked.headers["Authorization"] == "Bearer t0ken-of-the-shelter"
    assert asked.headers["Accept"] == "application/json"
    assert asked.body == b""
    assert result.variables["result"]["name"] == "Ada"
    assert result.output.result.born.year == 2024
    assert result.variables["result"]["mood"] == "calm", "what the document does not name is kept"


@pytest.mark.parametrize("animal", ["", ".", ".."])
def test_a_path_that_would_lead_elsewhere_is_not_asked_for(shelter, animal):
    result, asked = called(shelter.remove_animal, {"animalId": animal})
    assert asked == []
    assert result.failure.retries == 0
    assert "input 'animalId'" in result.failure.message


def test_query_lists_are_repeated_or_joined_and_headers_sent(shelter):
    given = {
        "limit": 5,
        "status": ["waiting", "adopted"],
        "tags": ["a,b", "c&d"],
        "x_request_id": "0b0a3c5e-9a3e-4f0e-8f3a-0123456789ab",
    }
    result, (asked,) = called(shelter.list_animals, given, Reply.json([ADA]))
    assert asked.path == "/v2/animals?limit=5&status=waiting&status=adopted&tags=a%2Cb,c%26d"
    assert asked.headers["X-Request-ID"] == "0b0a3c5e-9a3e-4f0e-8f3a-0123456789ab"
    assert [animal.name for animal in result.output.result] == ["Ada"]


def test_nothing_given_is_no_query_and_null_is_nothing(shelter):
    result, (asked,) = called(shelter.list_animals, {"limit": None, "tags": []}, Reply.json([]))
    assert asked.path == "/v2/animals"
    assert "X-Request-ID" not in asked.headers
    assert result.variables == {"result": []}


@pytest.mark.parametrize("limit", [0, 101, "many", 1.5])
def test_a_parameter_outside_its_limits_is_not_sent(shelter, limit):
    result, asked = called(shelter.list_animals, {"limit": limit})
    assert asked == []
    assert "input 'limit'" in result.failure.message


def test_a_body_has_what_was_given_and_nothing_else(shelter):
    body = {"name": "Ada", "born": "2024-02-29", "chipNumber": None, "status": None, "class": "bird", "extra": [1]}
    _, (asked,) = called(shelter.add_animal, {"body": body}, Reply.json(ADA, 201))
    assert asked.method == "POST"
    assert asked.headers["Content-Type"] == "application/json"
    assert json.loads(asked.body) == {
        "name": "Ada", "born": "2024-02-29", "chipNumber": None, "class": "bird", "extra": [1],
    }  # fmt: skip


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"name": ""}, "body.name"),
        ({"name": "A", "born": "yesterday"}, "body.born"),
        ({"name": "A", "born": "2024-01-01", "class": "reptile"}, "body.class"),
        ({"name": "A", "born": "2024-01-01", "chipNumber": "12"}, "body.chipNumber"),
        ({"name": "A", "born": "2024-01-01", "weight": 0}, "body.weight"),
    ],
)
def test_a_wrong_body_is_an_incident_that_names_the_field(shelter, wrong, named):
    result, asked = called(shelter.add_animal, {"body": wrong})
    assert asked == []
    assert result.failure.retries == 0
    assert f"'{named}'" in result.failure.message


def test_an_answer_without_a_body_gives_nothing_back(shelter):
    result, (asked,) = called(shelter.remove_animal, {"animalId": "7"}, Reply(204))
    assert (asked.method, asked.path) == ("DELETE", "/v2/animals/7")
    assert asked.headers["X-Door-Key"] == "d00r-key"
    assert asked.headers["Authorization"] is None
    assert result.variables == {}


def test_a_key_in_a_header_does_not_follow_a_redirect(shelter):
    with serving(Reply()) as other:
        moved = Reply(307, headers={"Location": other.url("/steal")})
        result, asked = called(shelter.remove_animal, {"animalId": "7"}, moved)
        assert other.asked == []
    assert len(asked) == 1
    assert "redirect" in result.failure.message


def test_a_refusal_gives_up_and_names_no_secret(shelter):
    refused = Reply.json({"message": "no t0ken-of-the-shelter here"}, 403)
    result, _ = called(shelter.get_animal, {"animalId": "7"}, refused)
    assert result.failure.retries == 0
    assert "403" in result.failure.message
    assert "t0ken-of-the-shelter" not in result.failure.message


def test_a_server_that_asks_for_patience_is_asked_later(shelter):
    result, _ = called(shelter.get_animal, {"animalId": "7"}, Reply(429, headers={"Retry-After": "300"}))
    assert isinstance(result.outcome, Failed)
    assert result.failure.retries == 2
    assert result.failure.backoff.total_seconds() == 300


def test_a_server_error_leaves_it_to_the_retries(shelter):
    result, _ = called(shelter.get_animal, {"animalId": "7"}, Reply(500))
    assert result.failure.retries == 2


@pytest.mark.parametrize(
    ("answer", "named"),
    [
        (Reply.json({"name": "Ada"}), "result.born"),
        (Reply.json([ADA]), "result"),
        (Reply.json(None), "result"),
        (Reply(200), "result"),
        (Reply.text("Ada"), "result"),
    ],
)
def test_an_answer_that_the_document_does_not_allow_gives_up(shelter, answer, named):
    result, _ = called(shelter.get_animal, {"animalId": "7"}, answer)
    assert result.failure.retries == 0
    assert "GET /animals/{animalId}: the server answered 200, but not with" in result.failure.message
    assert f"{named}: " in result.failure.message


def test_a_missing_secret_is_an_incident(shelter):
    with serving(Reply.json(ADA)) as server:
        result = TdeHarness(shelter.get_animal, config={"base_url": server.url()}).run_sync({"animalId": "7"})
        assert server.asked == []
    assert result.failure.retries == 0
    assert "ANIMAL_SHELTER_TOKEN" in result.failure.message


def test_a_secret_cannot_break_out_of_its_header(shelter):
    with serving(Reply.json(ADA)) as server:
        secrets = {"ANIMAL_SHELTER_TOKEN": "abcdef\r\nX-Evil: 1"}
        harness = TdeHarness(shelter.get_animal, secrets=secrets, config={"base_url": server.url()})
        result = harness.run_sync({"animalId": "7"})
        assert server.asked == []
    assert result.failure.retries == 0
    assert "Authorization" in result.failure.message
    assert "abcdef" not in result.failure.message


def test_the_settings_of_http_count(shelter):
    with serving(Reply.json(ADA)) as server:
        config = {"base_url": server.url(), "deny_hosts": ["127.*"]}
        result = TdeHarness(shelter.get_animal, secrets=SECRETS, config=config).run_sync({"animalId": "7"})
        assert server.asked == []
    assert result.failure.retries == 0


def test_every_style_of_parameter_is_written_as_openapi_has_it(nasty):
    given = {
        "kind": ["dog", "c/t"],
        "rest": "*",
        "kind_2": "x y",
        "filter": {"min-age": 3, "from": "a&b"},
        "sort": {"name": "asc", "a=b": "desc"},
        "ids": [1, 2],
        "words": ["so", "what?"],
        "where": {"a": [1, "ü"]},
        "path": "a/b?c&d=e",
        "exact": False,
        "x_list": [1, 2],
    }
    result, (asked,) = called(nasty.get_search_kind_rest, given, Reply.json({"value": None}), path="/")
    path, _, query = asked.path.partition("?")
    assert path == "/search/dog,c%2Ft/%2A"
    assert query.split("&") == [
        "kind=x%20y",
        "filter%5Bmin-age%5D=3",
        "filter%5Bfrom%5D=a%26b",
        "name=asc",
        "a%3Db=desc",
        "ids=1%7C2",
        "words=so%20what%3F",
        "where=%7B%22a%22%3A%5B1%2C%22%C3%BC%22%5D%7D",
        "path=a/b?c%26d%3De",
        "exact=false",
    ]
    assert asked.headers["X-List"] == "1,2"
    assert "Cookie" not in asked.headers
    assert result.variables == {"result": {"value": None, "children": None, "parent": None}}


def test_an_object_inside_a_parameter_is_refused(nasty):
    given = {"kind": ["dog"], "rest": "r", "filter": {"deeper": {"still": 1}}}
    result, asked = called(nasty.get_search_kind_rest, given)
    assert asked == []
    assert "input 'filter'" in result.failure.message


def test_names_that_python_does_not_take_are_sent_as_they_are(nasty):
    body = {
        "class": "c", "2fa": True, "model_dump": 1, "date": "2024-01-01", "other-date": "2024-01-01T10:00:00Z",
        "list": ["a"], "_links": {"self": "/me"}, "größe": 1.5, "petType": "x", "pet_type": "y",
        "tree": ["a", ["b", []]], 'quote"d': 'say "hi"', "count": 2, "free": {"any": None},
        "either": "long", "inline": {"deep": {}}, "limits": {"a": 1, "b": 2}, "wanted": None,
    }  # fmt: skip
    result, (asked,) = called(nasty.import_, {"body": body}, Reply(202))
    assert json.loads(asked.body) == body
    assert asked.headers["Content-Type"] == "application/merge-patch+json"
    word = base64.b64encode("ada:p:ss wörd".encode()).decode()
    assert asked.headers["Authorization"] == f"Basic {word}"
    assert asked.headers["X-Key"] == "k3y-in-a-header"
    assert result.variables == {"result": None}


def test_a_body_that_may_be_left_out_is_no_body(nasty):
    _, (asked,) = called(nasty.import_, {}, Reply(202))
    assert asked.body == b""
    assert "Content-Type" not in asked.headers


@pytest.mark.parametrize(
    ("wrong", "named"),
    [
        ({"limits": {"b": "many"}}, "body.limits.b"),
        ({"inline": {"deep": {}, "more": 1}}, "body.inline"),
        ({"tree": ["a", [1]]}, "body.tree"),
        ({"list": ["long"]}, "body.list"),
        ({'quote"d': "?"}, "body.quote"),
        ({"either": "x"}, "body.either"),
    ],
)
def test_what_the_schema_forbids_is_not_sent(nasty, wrong, named):
    body = {"class": "c", "2fa": True, "model_dump": 1, **wrong}
    result, asked = called(nasty.import_, {"body": body})
    assert asked == []
    assert named in result.failure.message


@pytest.mark.parametrize(
    ("pet", "kind"),
    [
        ({"petType": "cat", "lives": 9}, "Cat"),
        ({"petType": "wolf", "bark": "woo", "friends": [{"petType": "cat"}]}, "Dog"),
    ],
)
def test_a_discriminator_tells_objects_apart(nasty, pet, kind):
    result, _ = called(nasty.import_, {}, Reply.json(pet))
    assert type(result.output.result).__name__ == kind


def test_an_unknown_discriminator_is_no_answer(nasty):
    result, _ = called(nasty.import_, {}, Reply.json({"petType": "cow", "bark": "moo"}))
    assert "petType" in result.failure.message


def test_a_form_and_a_key_in_the_query(nasty):
    given = {"body": {"a b": "x&y", "list": ["1", "2"]}}
    result, (asked,) = called(nasty.model_config, given, Reply.text("done"), path="")
    assert asked.path == "/form?api%20key=k3y%26in%3Dthe%20query"
    assert asked.headers["Content-Type"] == "application/x-www-form-urlencoded"
    assert asked.body == b"a+b=x%26y&list=1&list=2"
    assert result.variables == {"result": "done"}


def test_bytes_come_as_base64(nasty):
    pdf = Reply(200, b"%PDF\xff", {"Content-Type": "application/pdf"})
    result, (asked,) = called(nasty.get_report, {}, pdf)
    assert asked.headers["Accept"] == "application/pdf"
    assert base64.b64decode(result.variables["result"]) == b"%PDF\xff"


def test_plain_text_is_sent_as_it_is(nasty):
    given = {"body": ["in", "the query"], "body_2": "Grüße"}
    result, (asked,) = called(nasty.get_report_2, given, Reply(204), path="")
    assert (asked.method, asked.path) == ("PUT", "/report?body=in&body=the%20query")
    assert asked.body == "Grüße".encode()
    assert asked.headers["Content-Type"] == "text/plain"
    assert asked.headers["Authorization"] == "Bearer access-token"
    assert result.variables == {}


def test_null_is_kept_where_it_means_something(invoices):
    given = {"number": "1", "body": {"note": None, "due": None, "kind": "correction"}}
    result, (asked,) = called(invoices.change_invoice, given, Reply(204))
    assert json.loads(asked.body) == {"note": None, "kind": "correction"}
    assert result.variables == {"result": None}


def test_a_field_that_the_schema_does_not_allow_is_refused(invoices):
    result, asked = called(invoices.change_invoice, {"number": "1", "body": {"nota": "typo"}})
    assert asked == []
    assert "body.nota" in result.failure.message


def test_types_of_3_1_are_read(invoices):
    answer = {
        "number": "1", "paid_at": "2024-05-01T10:00:00+02:00", "payer": {"company": "ACME", "on": True},
        "reference": 12, "lines": [{"text": "a", "pair": ["a", 1]}],
    }  # fmt: skip
    result, _ = called(invoices.change_invoice, {"number": "1", "body": {}}, Reply.json(answer))
    invoice = result.output.result
    assert type(invoice.payer).__name__ == "Company"
    assert invoice.reference == 12
    assert invoice.paid_at.utcoffset().total_seconds() == 7200
    assert result.variables["result"] == answer


def test_an_empty_list_is_refused_where_one_is_needed(invoices):
    answer = {"number": "1", "paid_at": None, "lines": []}
    result, _ = called(invoices.change_invoice, {"number": "1", "body": {}}, Reply.json(answer))
    assert "result.lines" in result.failure.message


@pytest.mark.parametrize(("body", "sent"), [(None, b"null"), ({}, b"{}"), ({"a": None}, b'{"a":null}')])
def test_json_null_is_a_body(invoices, body, sent):
    result, (asked,) = called(invoices.replace_invoice, {"number": "1", "body": body}, Reply.json([1, None]))
    assert asked.body == sent
    assert asked.headers["Content-Type"] == "application/json"
    assert result.variables == {"result": [1, None]}
