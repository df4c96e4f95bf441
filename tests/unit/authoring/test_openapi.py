"""Packages made of OpenAPI documents: what is read, what is refused, and that the code is fit to be read."""

import json
import os
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from procos.authoring.element_template import element_template
from procos.authoring.openapi import from_openapi
from procos.authoring.page import page
from procos.errors import UsageError
from procos.sdk import Tde
from tests.unit.authoring.generated_package import SPECS, imported, made_of

NAMES = {"shelter.yaml": "animal-shelter", "nasty.json": "nasty", "invoices.yaml": "invoices"}


def document(**fields):
    """A document with one operation; `fields` replace its own."""
    operation = {"operationId": "ping", "responses": {"200": {"description": "ok"}}}
    return {
        "openapi": "3.0.3",
        "info": {"title": "Tiny", "version": "1"},
        "servers": [{"url": "https://tiny.example"}],
        "paths": {"/ping": {"get": operation}},
        **fields,
    }


def operations(**paths):
    return {f"/{path}": methods for path, methods in paths.items()}


def answering(schema, **components):
    """A document whose operation answers with JSON of `schema`."""
    content = {"application/json": {"schema": schema}}
    operation = {"operationId": "ping", "responses": {"200": {"description": "ok", "content": content}}}
    return document(paths={"/ping": {"get": operation}}, components={"schemas": components})


@pytest.fixture
def make(tmp_path):
    def make(value, **options):
        spec = tmp_path / "spec.json"
        spec.write_text(value if isinstance(value, str) else json.dumps(value))
        return from_openapi(str(spec), tmp_path, **{"is_imported": False, **options})

    return make


@pytest.fixture
def refusal(make, tmp_path):
    """Why a document is refused; nothing may have been written."""

    def refusal(value, **options):
        with pytest.raises(UsageError) as caught:
            make(value, **options)
        assert [path.name for path in tmp_path.iterdir()] == ["spec.json"]
        return f"{caught.value.message} ({caught.value.hint})"

    return refusal


@pytest.fixture(scope="module")
def packages(tmp_path_factory):
    """A folder with a package made of each of the documents."""
    folder = tmp_path_factory.mktemp("made")
    for spec, name in NAMES.items():
        made_of(spec, folder, name=name)
    return folder


@pytest.fixture(params=NAMES.values())
def package(request, packages):
    """The folder of each of the packages."""
    return packages / request.param


def run(*command, folder):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("PYTEST")}
    command = (sys.executable, "-m", *command)
    return subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)


@pytest.mark.parametrize("command", [("check",), ("format", "--check")])
def test_the_code_passes_ruff_as_it_comes(package, command):
    done = run("ruff", *command, "--isolated", "--no-cache", "--target-version", "py311", ".", folder=package)
    assert done.returncode == 0, done.stdout + done.stderr


def test_the_code_passes_strict_mypy(packages):
    modules = [str(path.parent) for path in packages.glob("*/*/py.typed")]
    assert len(modules) == len(NAMES)
    done = run("mypy", "--strict", "--cache-dir", os.devnull, *modules, folder=packages)
    assert done.returncode == 0, done.stdout + done.stderr


def test_its_own_tests_pass(package):
    done = run("pytest", "-q", "-W", "error", "-p", "no:cacheprovider", folder=package)
    assert done.returncode == 0, done.stdout + done.stderr


def test_every_tde_is_registered(package):
    project = tomllib.loads((package / "pyproject.toml").read_text(encoding="utf-8"))
    points = project["project"]["entry-points"]["procos.tdes"]
    readme = (package / "README.md").read_text(encoding="utf-8")
    assert points
    for name, target in points.items():
        assert target.startswith(f"{package.name.replace('-', '_')}.operations:")
        assert f"`{name}`" in readme


def test_what_is_left_out_is_said(tmp_path):
    made = made_of("nasty.json", tmp_path, name="nasty")
    readme = (made.folder / "README.md").read_text(encoding="utf-8")
    assert all(f"- {note}" in readme for note in made.notes)
    for words in (
        "GET /match/{class}: left out: its parameter 'class' has the style 'matrix'",
        "GET /secured: left out: its security scheme 'cert' is mutualTLS",
        "the parameter 'session' is in 'cookie'",
        "two parameters are called 'kind'; the one in the query is the variable 'kind_2'",
        "callbacks are not made",
        'the pattern "^(?=a)b$" is not checked',
        "any float is taken",
        "login and key is made",
        "nothing here renews it",
        "the first is taken; --base-url takes another",
    ):
        assert any(words in note for note in made.notes), words


def test_some_operations_only(tmp_path):
    made = made_of("shelter.yaml", tmp_path, operations=["getAnimal", "DELETE /animals/{animalId}"], name="zoo")
    assert made.tdes == ("zoo-get-animal", "zoo-remove-animal")
    assert made.secrets == ("ZOO_TOKEN", "ZOO_DOOR")
    assert made.notes == ()
    models = (made.folder / "zoo" / "models.py").read_text()
    assert "class Animal(Model)" in models
    assert "class Error(" not in models, "what no operation needs is not declared"


def test_an_operation_that_is_not_there(refusal):
    assert "no operation 'pong'" in refusal(document(), operations=["pong"])
    assert "did you mean ping" in refusal(document(), operations=["pong"])


@pytest.mark.parametrize(
    ("value", "words"),
    [
        ("", "line 1, column 1: not JSON"),
        ("[]", "holds no object"),
        ("{,}", "line 1, column 2"),
        ("{}", "no field 'openapi'"),
        ({"swagger": "2.0"}, "convert it first"),
        (document(openapi="4.0.0"), "OpenAPI 4.0.0"),
        (document(paths={}), "no operations"),
        (document(paths=None), "expected an object, found nothing"),
        (document(paths=[]), "#/paths: expected an object, found a list"),
        (document(servers=[]), "names no servers"),
        (document(servers=[{"url": "/v1"}]), "'/v1' is not a whole URL"),
        (document(servers=[{"url": "https://{host}"}]), "no variable says what goes into {host}"),
        (document(servers=[{"url": "https://me:hunter2@h.example"}]), "user name or a password"),
        (document(info={}), "no title to name the package by"),
        (document(info={"title": "日本"}), "no title to name the package by"),
        (document(info={"title": "json"}), "'json' is installed already"),
        (document(security=[{"nobody": []}]), "no security scheme 'nobody'"),
        (answering({"type": "text"}), "a type of OpenAPI"),
        (answering({"$ref": "#/components/schemas/Gone"}), "/Gone' leads nowhere: there is no 'Gone'"),
        (answering({"$ref": "https://h.example/a.json"}), "leads out of the file, and nothing is fetched"),
        (answering({"$ref": "other.yaml#/A"}), "bundling"),
        (answering({"$ref": "#/components/schemas/A"}, A={"$ref": "#/components/schemas/A"}), "round in a circle"),
        (answering([]), "expected a schema, found a list"),
        (answering({"type": "object", "properties": {"a": 1}}), "properties/a: expected a schema, found a number"),
    ],
)  # fmt: skip
def test_a_wrong_document_is_refused_in_words(refusal, value, words):
    assert words in refusal(value)


def test_a_password_in_an_address_is_not_repeated(refusal):
    assert "hunter2" not in refusal(document(servers=[{"url": "https://me:hunter2@h.example"}]))
    assert "hunter2" not in refusal(document(), base_url="https://me:hunter2@h.example")


def test_two_operations_with_one_id(refusal):
    one = {"operationId": "same", "responses": {}}
    text = refusal(document(paths=operations(a={"get": one}, b={"post": one})))
    assert "GET /a and POST /b have the same operationId 'same'" in text


def test_nothing_that_can_be_made(refusal):
    upload = {"operationId": "up", "requestBody": {"required": True, "content": {"image/png": {}}}, "responses": {}}
    assert "its body is image/png" in refusal(document(paths=operations(a={"post": upload})))


def test_a_place_in_the_path_that_nothing_fills(refusal):
    assert "no parameter says what goes into {id}" in refusal(document(paths={"/a/{id}": {"get": {"responses": {}}}}))


def test_too_deep_a_document_is_refused(refusal):
    schema = {"type": "string"}
    for _ in range(300):
        schema = {"type": "array", "items": schema}
    assert "nested too deeply" in refusal(answering(schema))


def test_objects_in_longer_chains_than_python_can_build_are_refused(refusal):
    chain = {
        f"S{n}": {"type": "object", "properties": {"next": {"$ref": f"#/components/schemas/S{(n + 1) % 400}"}}}
        for n in range(400)
    }
    spec = answering({"$ref": "#/components/schemas/S0"}, **chain)
    assert "make fewer operations, with --operation" in refusal(spec, is_imported=True)


def test_a_name_that_is_taken(refusal):
    assert "a TDE 'tiny-ping' is installed already" in refusal(document(), taken={"tiny-ping"})


@pytest.mark.parametrize(
    ("spec", "words"),
    [
        ("missing.yaml", "missing.yaml cannot be read: No such file"),
        (".", "cannot be read: Is a directory"),
        ("https://h.example/openapi.json", "nothing is fetched"),
        ("latin.yaml", "not UTF-8"),
        ("tab.yaml", "line 2, column 1: not YAML"),
        ("twice.yaml", "the key 'a' is there twice"),
        ("circle.yaml", "an alias leads round in a circle"),
    ],
)
def test_a_file_that_cannot_be_read(tmp_path, monkeypatch, spec, words):
    monkeypatch.chdir(tmp_path)
    Path("latin.yaml").write_bytes(b"a: \xfc")
    Path("tab.yaml").write_text("a: 1\n\tb: 2\n")
    Path("twice.yaml").write_text("a: 1\na: 2\n")
    Path("circle.yaml").write_text("a: &a\n  b: *a\n")
    with pytest.raises(UsageError) as caught:
        from_openapi(spec, tmp_path)
    assert words in f"{caught.value.message} {caught.value.hint}"


def test_a_document_that_repeats_itself_without_end_is_read(tmp_path):
    lines = ["openapi: 3.0.0", "info: {title: Tiny}", "servers: [{url: 'https://t.example'}]"]
    lines += ["x-0: &x0 [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]"]
    lines += [f"x-{n}: &x{n} [{', '.join([f'*x{n - 1}'] * 10)}]" for n in range(1, 30)]
    lines += ["paths: {/ping: {get: {operationId: ping, responses: {}}}}"]
    (tmp_path / "spec.yaml").write_text("\n".join(lines))
    assert from_openapi(str(tmp_path / "spec.yaml"), tmp_path).tdes == ("tiny-ping",)


def test_yaml_keeps_words_and_times_as_they_are(tmp_path):
    spec = tmp_path / "spec.yaml"
    spec.write_text(
        "openapi: 3.0.0\ninfo: {title: Tiny}\nservers: [{url: 'https://t.example'}]\npaths:\n  /ping:\n    get:\n"
        "      parameters:\n      - {name: on, in: query, schema: {type: string, enum: [yes, no, 12:30, 2024-01-01]}}\n"
        "      responses: {200: {description: ok}}\n"
    )
    made = from_openapi(str(spec), tmp_path)
    models = (made.folder / "tiny" / "models.py").read_text()
    assert 'on: Literal["yes", "no", "12:30", "2024-01-01"] | None = None' in models


def test_another_address_for_all(make):
    made = make(document(servers=[]), base_url="http://localhost:9/api/")
    assert 'SERVER = "http://localhost:9/api"' in (made.folder / "tiny" / "operations.py").read_text()


@pytest.mark.parametrize(
    "url", ["ftp://h.example", "h.example", "https://", "https://h.example/?a=b", 'https://h"/', "https://[x"]
)
def test_an_address_that_is_none(refusal, url):
    assert f"--base-url {url}" in refusal(document(), base_url=url)


def test_text_of_the_document_never_becomes_code(make):
    evil = '"""\nimport os\nos.abort()\n"""\\'
    operation = {
        "operationId": evil, "summary": evil, "description": evil,
        "parameters": [{"name": evil, "in": "query", "description": evil, "schema": {"enum": [evil]}}],
        "responses": {"200": {"description": evil, "content": {"application/json": {"schema": {
            "title": evil, "description": evil, "type": "object", "properties": {
                evil: {"type": "string", "description": evil, "pattern": '"', "default": evil}}}}}}},
    }  # fmt: skip
    made = make(document(info={"title": f"Tiny {evil}"}, paths={f"/{evil}": {"get": operation}}), name="tiny")
    for file in made.folder.rglob("*.py"):
        compile(file.read_text(encoding="utf-8"), str(file), "exec")
    tomllib.loads((made.folder / "pyproject.toml").read_text(encoding="utf-8"))
    with imported(made) as operations_module:
        names = [name for name, value in vars(operations_module).items() if hasattr(value, "manifest")]
        (tde,) = [getattr(operations_module, name) for name in names]
        assert tde.description.startswith('"""')


def test_a_part_of_itself_is_declared_once(make):
    part = {"allOf": [{"$ref": "#/components/schemas/A"}, {"properties": {"more": {"type": "string"}}}]}
    made = make(answering({"$ref": "#/components/schemas/A"}, A={"type": "object", "properties": {"child": part}}))
    models = (made.folder / "tiny" / "models.py").read_text()
    assert models.count("class A(Model)") == 1
    assert models.count("class AChild(Model)") == 1


def test_many_schemas_with_one_name_are_told_apart(make):
    schemas = {name: {"type": "object", "properties": {"a": {"type": "string"}}} for name in ("a-b", "aB", "a_b")}
    refs = {name: {"$ref": f"#/components/schemas/{name}"} for name in schemas}
    made = make(answering({"type": "object", "properties": refs}, **schemas))
    models = (made.folder / "tiny" / "models.py").read_text()
    assert all(f"class {name}(Model)" in models for name in ("AB", "AB2", "AB3"))


def test_a_yaml_file_needs_the_extra(tmp_path):
    script = (
        "import sys\nsys.modules['yaml'] = None\nfrom pathlib import Path\n"
        "from procos.authoring.openapi import from_openapi\nfrom procos.errors import MissingExtraError\n"
        f"try:\n    from_openapi({str(SPECS / 'shelter.yaml')!r}, Path({str(tmp_path)!r}))\n"
        "except MissingExtraError as error:\n    print(error.hint)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "pip install 'procos[openapi]'"


def test_it_is_the_same_each_time(tmp_path):
    texts = []
    for _ in range(2):
        made = made_of("nasty.json", tmp_path, name="nasty")
        texts.append({file.name: file.read_bytes() for file in made.folder.rglob("*") if file.is_file()})
        shutil.rmtree(made.folder)
    assert texts[0] == texts[1]


@pytest.mark.parametrize(("spec", "count"), [("shelter.yaml", 4), ("invoices.yaml", 2), ("nasty.json", 5)])
def test_what_is_generated_from_a_tde_is_made_of_these_too(tmp_path, spec, count):
    with imported(made_of(spec, tmp_path, name=NAMES[spec])) as operations_module:
        tdes = [value for value in vars(operations_module).values() if isinstance(value, Tde)]
        assert len(tdes) == count
        for tde in tdes:
            assert json.dumps(element_template(tde.manifest(), version=1))
            assert tde.name in page(tde)
