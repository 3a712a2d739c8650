"""A small OpenAI-compatible server in a process of its own: real HTTP on loopback, no model.

A request with the schema of an order is answered with the labels from last to first; one for reasons with a
sentence about the first line of history for each recommended item, citing that line; two catalogue entries
are one work where their titles are letter for letter; an item has a fact from its categories and one from
memory. It waits `delay` seconds
before it answers, so that it can be killed in the middle of a call. Run as a script it prints its port, then
one JSON line for each request.
"""

from __future__ import annotations

import json
import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from queue import Empty, Queue
from threading import Lock, Thread
from typing import Any

MODEL = "reverser-1"
_PRINTING = Lock()


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    delay = 0.0

    def do_GET(self) -> None:
        self._answer(
            200, {"object": "list", "data": [{"id": MODEL, "object": "model", "max_model_len": 8192}]}
        )

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        seen = {"path": self.path, "auth": self.headers.get("Authorization"), "body": body}
        with _PRINTING:  # print writes a line in two pieces
            print(json.dumps(seen), flush=True)
        if self.path != "/v1/chat/completions":
            return self._answer(404, {"error": {"message": "no such path"}})
        time.sleep(self.delay)
        text = json.dumps(_reply(body))
        prompt = "".join(message["content"] for message in body["messages"])
        usage = {"prompt_tokens": len(prompt) // 4, "completion_tokens": len(text) // 4}
        message = {"role": "assistant", "content": text}
        self._answer(
            200,
            {
                "id": "chatcmpl-1",
                "object": "chat.completion",
                "created": int(time.time()),
                "model": body["model"],
                "choices": [{"index": 0, "message": message, "finish_reason": "stop"}],
                "usage": usage | {"total_tokens": sum(usage.values())},
            },
        )

    def _answer(self, status: int, body: dict[str, Any]) -> None:
        sent = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(sent)))
        self.end_headers()
        self.wfile.write(sent)

    def log_message(self, format: str, *arguments: object) -> None:
        pass


def _reply(body: dict[str, Any]) -> dict[str, Any]:
    form = body.get("response_format") or {}
    wanted = form.get("json_schema", {}).get("schema", {}).get("properties", {})
    asked = body["messages"][-1]["content"]
    if "order" in wanted:
        return {"order": wanted["order"]["items"]["enum"][::-1]}
    if "reasons" in wanted:
        line = re.search(r'^(h\d+): .*?"([^"]+)"', asked, re.MULTILINE)
        label, title = line.groups() if line else ("h1", "nothing")
        text = f'You know "{title}".'
        items = re.findall(r"^([A-Z]{1,2}): ", asked, re.MULTILINE)
        return {"reasons": [{"item": item, "cites": [label], "text": text} for item in items]}
    if "same" in wanted:
        one, other = re.findall(r': "([^"]*)"', asked)[:2]
        return {"same": "yes" if one == other else "no"}
    if "facts" in wanted:
        fact = {"kind": "mood", "value": "slow-burn tension", "source": "model", "sure": "likely"}
        category = re.search(r'categories: "([^"]+)"', asked)
        own = {"kind": "theme", "value": category[1] if category else "title", "source": "categories"}
        return {"line": "", "facts": [fact, own | {"sure": "yes"}]}
    return {"answer": "ready"}


@dataclass
class Running:
    """The server's process. `url` ends in /v1."""

    process: subprocess.Popen[str]
    url: str
    _seen: Queue[dict[str, Any]]

    def next_request(self, timeout: float = 10.0) -> dict[str, Any]:
        """The next request that it got: path, auth, body."""
        return self._seen.get(timeout=timeout)

    def requests(self) -> list[dict[str, Any]]:
        """Those that it got and that were not taken yet."""
        found = []
        try:
            while True:
                found.append(self._seen.get_nowait())
        except Empty:
            return found

    def kill(self) -> None:
        self.process.kill()
        self.process.wait()


@contextmanager
def openai_server(delay: float = 0.0) -> Iterator[Running]:
    command = [sys.executable, str(Path(__file__)), str(delay)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        lines = process.stdout
        port = int(lines.readline())
        seen: Queue[dict[str, Any]] = Queue()
        reader = Thread(target=lambda: [seen.put(json.loads(line)) for line in lines], daemon=True)
        reader.start()
        try:
            yield Running(process, f"http://127.0.0.1:{port}/v1", seen)
        finally:
            process.kill()
            reader.join(timeout=5)


if __name__ == "__main__":
    _Handler.delay = float(sys.argv[1])
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    print(server.server_address[1], flush=True)
    server.serve_forever()
