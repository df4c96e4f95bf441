"""The shipped example on the real engine: delivered, and withdrawn when posting fails for good."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from procos.resources import example
from tests.engine.conftest import Procos
from tests.engine.loopback import QuietHandler, serving

pytestmark = pytest.mark.engine


@pytest.fixture
def broken_webhook() -> Iterator[tuple[str, list[int]]]:
    """A webhook that answers every report with 500, and counts them."""
    asked: list[int] = []

    class Broken(QuietHandler):
        def do_POST(self) -> None:  # noqa: N802 - the name that http.server calls
            asked.append(len(self.rfile.read(int(self.headers["Content-Length"]))))
            self.send_response(500)
            self.end_headers()

    with serving(Broken) as address:
        yield f"{address}/", asked


def test_written_reports_are_withdrawn_when_posting_fails_for_good(
    shared: Procos, broken_webhook: tuple[str, list[int]]
) -> None:
    address, asked = broken_webhook
    folder = example("licence_audit")
    done = shared(
        "run", folder / "licence-audit.bpmn", "--wait", "--var", f"webhook={address}",
        "--var", "folder=withdrawn-audit", "--var", f"policy={folder / 'policy.toml'}",
    )  # fmt: skip
    result = json.loads(done.stdout)
    assert len(asked) == 3
    assert result["delivered"] is False
    written = [Path(result["markdownPath"]), Path(result["jsonPath"])]
    assert not any(path.exists() for path in written)
    withdrawn = list(written[0].parent.glob("withdrawn/*"))
    assert {path.name for path in withdrawn} == {path.name for path in written}


def test_demo_on_the_other_engine_version(procos: Procos) -> None:
    done = procos("demo", "--engine-version", "8.5.8", "--json", timeout=300)
    result = json.loads(done.stdout)
    assert result["delivered"] is True
    assert result["webhookReceived"] == 1
    assert {step["status"] for step in result["steps"]} == {"completed"}
    assert "pyzeebe" in Path(result["markdownPath"]).read_text(encoding="utf-8")
