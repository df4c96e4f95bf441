"""A model server on loopback that speaks OpenAI's chat completions protocol, with answers that a test has recorded."""

import contextlib
import json
import threading
from collections.abc import Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Final

PATH: Final = "/v1/chat/completions"
_MESSAGES: Final = {401: "Incorrect API key provided: sk-very-secret", 429: "Rate limit reached", 500: "overloaded"}


@dataclass(frozen=True)
class Answer:
    """What the server does with one request: says `text` with `status`, or never answers."""

    text: str = ""
    status: int = 200
    hangs: bool = False


@dataclass
class OpenAiServer:
    """The server: its `requests` so far, and its `answers`, of which the last one stays."""

    base_url: str
    answers: list[Answer]
    requests: list[dict[str, Any]] = field(default_factory=list)
    released: threading.Event = field(default_factory=threading.Event)

    @property
    def last_prompt(self) -> str:
        """All messages of the last request in one text."""
        return "\n".join(str(message["content"]) for message in self.requests[-1]["messages"])

    def next_answer(self) -> Answer:
        """The answer to a request that has come in."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


def choice(tde: str, reason: str = "it fits", *, is_sure: bool = True) -> Answer:
    """An answer in the form that the router asks for."""
    return Answer(json.dumps({"reason": reason, "tde": tde, "is_sure": is_sure}))


@contextlib.contextmanager
def openai_server(*answers: Answer) -> Iterator[OpenAiServer]:
    """A server for as long as the context lasts; a request that hangs is cut off at its end."""
    httpd = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    httpd.daemon_threads = True
    server = OpenAiServer(f"http://127.0.0.1:{httpd.server_address[1]}/v1", list(answers))
    httpd.answering = server  # type: ignore[attr-defined]
    thread = threading.Thread(target=httpd.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.released.set()
        httpd.shutdown()
        httpd.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    def do_POST(self) -> None:
        server: OpenAiServer = self.server.answering  # type: ignore[attr-defined]
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path != PATH:
            self._send(404, {"error": {"message": f"no such path: {self.path}"}})
            return
        server.requests.append(body)
        answer = server.next_answer()
        if answer.hangs:
            server.released.wait()
            return
        if answer.status != 200:
            self._send(
                answer.status, {"error": {"message": _MESSAGES.get(answer.status, "no"), "type": "server_error"}}
            )
            return
        self._send(200, _completion(str(body["model"]), answer.text))

    def _send(self, status: int, body: dict[str, Any]) -> None:
        content = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the base class calls it so
        """A test's output is no access log."""


def _completion(model: str, text: str) -> dict[str, Any]:
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "created": 1_764_000_000,
        "model": model,
        "choices": [
            {
                "index": 0,
                "message": {"role": "assistant", "content": text, "refusal": None},
                "logprobs": None,
                "finish_reason": "stop",
            }
        ],
        "usage": {"prompt_tokens": 100, "completion_tokens": 10, "total_tokens": 110},
    }
