"""A real local server for tests: OpenAI's chat completions over raw sockets, with faults on demand.

Without a fault it behaves like a small endpoint: it lists one model, answers a schema with its first
allowed values, gives log-probabilities, embeds texts and counts tokens as words. `fault` names what every
next chat completion does instead; `faults` is a queue of them that goes first.
"""

from __future__ import annotations

import asyncio
import email.utils
import json
import threading
import time
from collections import deque
from collections.abc import AsyncIterator, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from typing import Any

MODEL = "local-words"
EMBEDDED = 16
"""Numbers of a vector."""
FAULTS = (
    "hang", "drip", "reset", "429", "429-date", "429-negative", "429-huge", "500", "html",
    "no-choices", "null", "truncated", "not-json", "unfinished",
)  # fmt: skip


class FaultServer:
    def __init__(self) -> None:
        self.fault: str | None = None
        self.faults: deque[str | None] = deque()
        self.asked: list[dict[str, Any]] = []
        self.open = 0
        """Connections that are open now."""
        self.most_at_once = 0
        self.refused: tuple[str, ...] = ()
        """Fields of a request that are answered with 400."""
        self.ignores_schema = False
        self.model = MODEL
        """The name under which it serves."""
        self.answer = "plain words"
        self.embedded = EMBEDDED
        self.seconds = 0.0
        self._working = 0
        self.url = ""
        self._port = 0
        self._listening: asyncio.Server | None = None
        self._connections: set[asyncio.Task[None]] = set()

    async def listen(self) -> None:
        """On a free port of the loopback; again on the same one after `refuse`."""

        def accept(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
            task = asyncio.ensure_future(self.serve(reader, writer))
            self._connections.add(task)
            task.add_done_callback(self._connections.discard)

        self._listening = await asyncio.start_server(accept, "127.0.0.1", self._port)
        self._port = self._listening.sockets[0].getsockname()[1]
        self.url = f"http://127.0.0.1:{self._port}/v1"

    async def refuse(self) -> None:
        """Connections that are open end, new ones are refused."""
        if self._listening is not None:
            self._listening.close()
        connections = list(self._connections)
        for task in connections:
            task.cancel()
        await asyncio.gather(*connections, return_exceptions=True)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        try:
            while await self._one(reader, writer):
                pass
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            self.open -= 1
            writer.close()

    async def _one(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        method, path, _ = head.split(" ", 2)
        length = next(
            (int(x.split(":")[1]) for x in head.lower().split("\r\n") if x.startswith("content-l")), 0
        )
        body = json.loads(await reader.readexactly(length)) if length else {}
        if path.endswith("/models"):
            row = {"id": self.model, "object": "model", "max_model_len": 4096}
            return await self._send(writer, {"object": "list", "data": [row]})
        if path == "/tokenize":
            return await self._send(
                writer, {"count": sum(len(m["content"].split()) for m in body["messages"])}
            )
        assert method == "POST" and path in ("/v1/chat/completions", "/v1/embeddings"), head
        self.asked.append(body)
        self._working += 1
        self.most_at_once = max(self.most_at_once, self._working)
        try:
            await asyncio.sleep(self.seconds)
        finally:
            self._working -= 1
        fault = self.faults.popleft() if self.faults else self.fault
        return await self._chat(reader, writer, body, fault)

    async def _chat(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        body: dict[str, Any],
        fault: str | None,
    ) -> bool:
        if body["model"] != self.model:
            return await self._send(writer, _error(f"model {body['model']!r} does not exist"), status=404)
        for field in self.refused:
            if field in body:
                return await self._send(
                    writer, _error(f"Unsupported parameter: '{field}'", field), status=400
                )
        whole = self._embeddings(body) if "input" in body else self._completion(body)
        match fault:
            case None:
                return await self._send(writer, whole)
            case "hang":
                await reader.read()  # until the client leaves
                return False
            case "drip":
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 300\r\n\r\n"
                )
                while not reader.at_eof():
                    writer.write(b" ")
                    await writer.drain()
                    await asyncio.sleep(1)
                return False
            case "reset" | "unfinished":
                writer.write(
                    b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 300\r\n\r\n{"
                )
                await writer.drain()
                if fault == "reset":
                    writer.transport.abort()
                return False
            case "429" | "429-date" | "429-negative" | "429-huge":
                after = {
                    "429": "1",
                    "429-date": email.utils.formatdate(time.time() + 3600, usegmt=True),
                    "429-negative": "-5",
                    "429-huge": "1e300",
                }[fault]
                return await self._send(
                    writer, _error("slow down"), status=429, headers={"Retry-After": after}
                )
            case "500":
                return await self._send(writer, _error("broken"), status=500)
            case "html":
                return await self._send(writer, "<html><body>Sign in</body></html>", kind="text/html")
            case "not-json":
                return await self._send(writer, '{"choices": [', kind="application/json")
            case "no-choices":
                return await self._send(writer, {**whole, "choices": []})
            case "null":
                whole["choices"][0]["message"]["content"] = None
                return await self._send(writer, whole)
            case "truncated":
                whole["choices"][0]["finish_reason"] = "length"
                return await self._send(writer, whole)
        raise AssertionError(fault)

    def _embeddings(self, body: dict[str, Any]) -> dict[str, Any]:
        """Each text as how many words of it fall into each of `embedded` places, last text first."""
        rows = []
        for index, text in enumerate(body["input"]):
            counts = [0.0] * self.embedded
            for word in text.casefold().split():
                counts[sum(word.encode()) % self.embedded] += 1.0
            rows.append({"object": "embedding", "index": index, "embedding": counts})
        return {"object": "list", "model": self.model, "data": rows[::-1], "usage": {"prompt_tokens": 1}}

    def _completion(self, body: dict[str, Any]) -> dict[str, Any]:
        form = body.get("response_format")
        schema = form["json_schema"]["schema"] if form and not self.ignores_schema else None
        text = json.dumps(_example(schema)) if schema else self.answer
        choice: dict[str, Any] = {
            "index": 0,
            "message": {"role": "assistant", "content": text},
            "finish_reason": "stop",
        }
        if body.get("logprobs"):
            tokens = [
                {"token": t, "logprob": p} for t, p in (("A", -0.5), (" A", -3.0), ("B", -1.5), ("zz", -2.0))
            ]
            choice["logprobs"] = {"content": [{**tokens[0], "top_logprobs": tokens[: body["top_logprobs"]]}]}
        usage = {"prompt_tokens": 11, "completion_tokens": 3, "total_tokens": 14}
        return {
            "id": "1",
            "object": "chat.completion",
            "model": self.model,
            "choices": [choice],
            "usage": usage,
        }

    async def _send(
        self,
        writer: asyncio.StreamWriter,
        value: Any,
        *,
        status: int = 200,
        kind: str = "application/json",
        headers: dict[str, str] | None = None,
    ) -> bool:
        data = (value if isinstance(value, str) else json.dumps(value)).encode()
        lines = [f"HTTP/1.1 {status} X", f"Content-Type: {kind}", f"Content-Length: {len(data)}"]
        lines += [f"{key}: {text}" for key, text in (headers or {}).items()]
        writer.write("\r\n".join([*lines, "", ""]).encode() + data)
        await writer.drain()
        return True


def _error(message: str, param: str | None = None) -> dict[str, Any]:
    return {"error": {"message": message, "type": "error", "param": param, "code": None}}


def _example(schema: dict[str, Any]) -> Any:
    if "enum" in schema:
        return schema["enum"][0]
    match schema.get("type"):
        case "object":
            return {key: _example(value) for key, value in schema["properties"].items()}
        case "array":
            return [_example(schema["items"])]
        case "integer" | "number":
            return 0
    return "words"


@asynccontextmanager
async def fault_server() -> AsyncIterator[FaultServer]:
    """The server on a free port of the loopback, in the test's own event loop."""
    server = FaultServer()
    await server.listen()
    try:
        yield server
    finally:
        await server.refuse()


@contextmanager
def fault_server_in_thread() -> Iterator[tuple[FaultServer, Callable[[Any], Any]]]:
    """The server on the loop of a thread of its own, and a function that runs a coroutine there."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever, daemon=True)
    thread.start()

    def run(work: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(work, loop).result(10)

    server = FaultServer()
    run(server.listen())
    try:
        yield server, run
    finally:
        run(server.refuse())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()
