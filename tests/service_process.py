"""A service in a process of its own, and a client that sends bytes: what the tests of the service share."""

from __future__ import annotations

import asyncio
import json
import os
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

ENVELOPE = {"purpose": "audit", "authorisation": "case 17"}


@dataclass
class Running:
    """A process that serves, where it answers, and where its log is."""

    process: subprocess.Popen[str]
    url: str
    log: Path
    head: Path

    def post(self, path: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
        return send(self.url + path, body, **headers)

    def get(self, path: str) -> tuple[int, dict[str, Any]]:
        return send(self.url + path, None)


def send(url: str, body: Any, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer; a body of bytes is sent as it is, another as JSON."""
    data = body if body is None or isinstance(body, bytes) else json.dumps(body).encode()
    named = {"X-Caller": "agency-07", "Content-Type": "application/json"} | headers
    try:
        with urllib.request.urlopen(urllib.request.Request(url, data, named), timeout=30) as answer:
            return answer.status, json.loads(answer.read())
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


@contextmanager
def running(source: str | Path, ledger: Path, place: Path, *options: str, **environment: str) -> Iterator[Running]:
    """``credit-model serve`` on a free port, stopped at the end."""
    log, head = place / "log", place / "elsewhere" / "head"
    command = [
        *(sys.executable, "-m", "credit_model", "serve", str(source), "--ledger", str(ledger)),
        *("--log", str(log), "--log-head", str(head), "--port", "0", "--json", *options),
    ]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=os.environ | environment) as process:
        try:
            assert process.stdout is not None
            said = json.loads(process.stdout.readline())
            while " on http" not in said["service"]:
                said = json.loads(process.stdout.readline())
            yield Running(process, said["service"].rpartition(" on ")[2], log, head)
        finally:
            process.terminate()
            process.wait(timeout=20)


def ask(app: Any, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, dict[str, Any]]:
    """Status and JSON of an answer of an ASGI application in this process."""
    data = body if isinstance(body, bytes) else b"" if body is None else json.dumps(body).encode()
    named = {"X-Caller": "agency-07", "Content-Type": "application/json"} | headers
    sent: list[dict[str, Any]] = []

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": data, "more_body": False}

    async def send_(message: dict[str, Any]) -> None:
        sent.append(message)

    scope = {
        "type": "http", "asgi": {"version": "3.0"}, "http_version": "1.1", "method": method, "path": path,
        "raw_path": path.encode(), "query_string": b"", "root_path": "", "scheme": "http", "server": ("test", 80),
        "headers": [(name.lower().encode(), value.encode("latin-1")) for name, value in named.items() if value],
    }  # fmt: skip
    asyncio.run(app(scope, receive, send_))
    return sent[0]["status"], json.loads(b"".join(message.get("body", b"") for message in sent[1:]))
