"""`procos tde new` and `procos tde from-openapi` at the command line: what is printed, and how they end."""

import os
from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from procos.cli import tde_new
from procos.errors import UsageError
from tests.unit.authoring.generated_package import SPECS

app = typer.Typer()
app.command("new")(tde_new.new)
app.command("from-openapi")(tde_new.from_openapi)


@pytest.fixture
def call(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments):
        done = CliRunner().invoke(app, arguments)
        if done.exception is not None and not isinstance(done.exception, SystemExit):
            raise done.exception
        return done

    return call


def test_new_prints_the_folder_and_what_comes_next(call):
    done = call("new", "send-invoice")
    assert done.exit_code == 0
    assert done.stdout == "send-invoice\n"
    assert "cd send-invoice && pip install" in done.stderr
    assert Path("send-invoice/send_invoice.py").is_file()


def test_new_elsewhere_and_async(call, tmp_path):
    (tmp_path / "else").mkdir()
    done = call("new", "send-invoice", "--folder", "else", "--async")
    assert done.stdout == f"else{os.sep}send-invoice\n"
    assert "async def send_invoice" in Path("else/send-invoice/send_invoice.py").read_text()


def test_new_knows_the_tdes_that_are_installed(call):
    with pytest.raises(UsageError, match="a TDE 'http' is installed already"):
        call("new", "http")


def test_from_openapi_warns_and_names_what_it_wrote(call):
    done = call("from-openapi", str(SPECS / "shelter.yaml"), "--name", "zoo", "--operation", "getAnimal",
                "--operation", "addPhoto")  # fmt: skip
    assert done.exit_code == 0
    assert done.stdout == "zoo\n"
    assert "warning: POST /animals/{animalId}/photo: left out: its body is multipart/form-data" in done.stderr
    assert "zoo-get-animal" in done.stderr
    assert "ZOO_TOKEN" in done.stderr


def test_from_openapi_at_another_address(call):
    call("from-openapi", str(SPECS / "invoices.yaml"), "--base-url", "http://localhost:1")
    assert 'SERVER = "http://localhost:1"' in Path("invoices/invoices/operations.py").read_text()


def test_from_openapi_of_nothing(call):
    with pytest.raises(UsageError, match=r"gone\.yaml cannot be read"):
        call("from-openapi", "gone.yaml")
