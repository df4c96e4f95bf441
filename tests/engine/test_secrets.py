"""A secret reaches the service that needs it, and nothing that anybody can read afterwards."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.engine.conftest import CANARY, Procos
from tests.engine.loopback import QuietHandler, serving
from tests.engine.processes import one_task, write

pytestmark = pytest.mark.engine


@pytest.fixture
def echo() -> Iterator[tuple[str, list[str]]]:
    """A server that answers with the very Authorization header it got; /bad answers 400, /down 500."""
    got: list[str] = []

    class Echo(QuietHandler):
        def do_GET(self) -> None:  # noqa: N802 - the name that http.server calls
            got.append(self.headers.get("Authorization", ""))
            body = json.dumps({"you sent": got[-1], got[-1]: 1}).encode()
            self.send_response({"/bad": 400, "/down": 500}.get(self.path.partition("?")[0], 200))
            self.send_header("Content-Type", "application/json")
            self.send_header("X-Echo", got[-1])
            self.end_headers()
            self.wfile.write(body)

    with serving(Echo) as address:
        yield address, got


@pytest.mark.parametrize("path", ["", "/bad", "/down"])
def test_secret_is_sent_and_is_in_no_variable_log_or_error(
    shared: Procos, tmp_path: Path, echo: tuple[str, list[str]], path: str
) -> None:
    address, got = echo
    name = f"secret{path.replace('/', '-')}"
    inputs = {
        "method": '="GET"',
        "url": f'="{address}{path}?key={{{{secrets.CANARY}}}}"',
        "request_headers": '={"Authorization": "Bearer {{secrets.CANARY}}"}',
    }
    text = one_task(name, "tde.http", inputs=inputs, outputs={"answer": "=body"}, retries=1)
    file = write(tmp_path, name, text)
    done = shared("run", file, "--wait", "--timeout", "8", check=False)

    assert got
    assert set(got) == {f"Bearer {CANARY}"}
    if not path:
        assert json.loads(done.stdout)["answer"]["you sent"] == "Bearer {{secrets.CANARY}}"
    else:
        assert "incident" in done.stderr
    assert CANARY not in done.stdout + done.stderr
    assert _holders(shared.home, CANARY) == []


def test_unknown_secret_is_an_incident_that_says_how_to_set_it(shared: Procos, tmp_path: Path) -> None:
    text = one_task("no-secret", "tde.http", inputs={"method": '="GET"', "url": '="http://{{secrets.NOBODY}}/"'})
    done = shared("run", write(tmp_path, "no-secret", text), "--wait", "--timeout", "5", check=False)
    assert "PROCOS_SECRET_NOBODY" in done.stderr


def _holders(home: Path, text: str) -> list[str]:
    """The files under the home, the engine's own data included, in which `text` stands."""
    found = []
    for file in home.rglob("*"):
        if file.is_file():
            with file.open("rb") as reader:
                if text.encode() in reader.read():
                    found.append(str(file.relative_to(home)))
    return found
