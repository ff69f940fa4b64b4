"""A browser that is driven: pages opened, looked into with JavaScript, and clicked on as a person would."""

from __future__ import annotations

import json
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from websocket import WebSocket, create_connection


class Browser:
    """One tab of a headless Chromium, spoken to by its developer protocol."""

    def __init__(self, socket: WebSocket) -> None:
        self.socket, self.calls = socket, 0
        self.session: dict[str, str] = {}
        target = self.call("Target.createTarget", url="about:blank")["targetId"]
        self.session = {"sessionId": self.call("Target.attachToTarget", targetId=target, flatten=True)["sessionId"]}

    def call(self, method: str, **parameters: Any) -> dict[str, Any]:
        """Send a command and return its result; events that come in between are dropped."""
        self.calls += 1
        self.socket.send(json.dumps({"id": self.calls, "method": method, "params": parameters} | self.session))
        while (answer := json.loads(self.socket.recv())).get("id") != self.calls:
            pass
        assert "error" not in answer, answer
        return answer["result"]

    def evaluate(self, script: str) -> Any:
        """Return the value of a JavaScript expression in the page."""
        result = self.call("Runtime.evaluate", expression=script, returnByValue=True)
        return result["result"].get("value")

    def wait_for(self, script: str, seconds: float = 40) -> Any:
        """Return the value of an expression as soon as it is true."""
        end = time.monotonic() + seconds
        while not (value := self.evaluate(script)):
            assert time.monotonic() < end, (
                f"not so within {seconds} s: {script}\n{self.evaluate('document.body.innerText')}"
            )
            time.sleep(0.1)
        return value

    def click(self, node: str, times: int = 1) -> None:
        """Click in the middle of what an expression finds, once it is there and laid out."""
        box = json.loads(self.wait_for(f"({node})?.offsetWidth && JSON.stringify(({node}).getBoundingClientRect())"))
        at = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        self.call("Input.dispatchMouseEvent", type="mouseMoved", **at)
        for count in range(1, times + 1):
            for kind in ("mousePressed", "mouseReleased"):
                self.call("Input.dispatchMouseEvent", type=kind, button="left", clickCount=count, **at)


@contextmanager
def browser(window: str = "1400,900") -> Iterator[Browser]:
    """Start Chromium with a profile of its own, and end it."""
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [
            *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
            *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
            *(f"--user-data-dir={profile}", f"--window-size={window}", "--remote-debugging-port=0"),
        ]
        with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
            try:
                port, path = read_when_written(Path(profile), "DevToolsActivePort").split()
                address = f"ws://127.0.0.1:{port}{path}"
                with closing(create_connection(address, timeout=60, suppress_origin=True)) as socket:
                    yield Browser(socket)
            finally:
                process.terminate()


def read_when_written(folder: Path, pattern: str, seconds: float = 40) -> str:
    """Return the text of a file that another process is about to write."""
    end = time.monotonic() + seconds
    while not (text := "".join(path.read_text(encoding="utf-8") for path in folder.glob(pattern))):
        assert time.monotonic() < end, f"no {pattern} within {seconds} s"
        time.sleep(0.1)
    return text
