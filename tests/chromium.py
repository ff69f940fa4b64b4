"""A page opened in a real browser, behind a proxy that answers for everybody and writes down who was asked."""

from __future__ import annotations

import re
import subprocess
import tempfile
import threading
from dataclasses import dataclass
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

ADDRESS = "http://report.test/"
# Services the browser calls for itself, page or no page; the proxy refuses them. Google's fonts are not among them.
OWN_CALLS = re.compile(r"^(?!fonts\.)([\w-]+\.)*(google|googleapis|gvt1)\.com$")


@dataclass(frozen=True)
class Opened:
    """The page after it was laid out, what the console said, and which addresses were asked for."""

    dom: str
    console: tuple[str, ...]
    requests: tuple[str, ...]


def open_in_chromium(page: str, window: str = "1200,1600") -> Opened:
    asked: list[str] = []

    class Proxy(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            asked.append(self.path)
            body = page.encode() if self.path == ADDRESS else b""
            self.send_response(200 if body else 404)
            self.send_header("Content-Type", "text/html; charset=utf-8")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def refuse(self) -> None:
            asked.append(self.path)
            self.send_error(403)

        do_CONNECT = do_POST = refuse

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Proxy)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
            done = subprocess.run(
                [
                    *("chromium", "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"),
                    *("--disable-background-networking", "--disable-component-update", "--disable-sync"),
                    *(f"--user-data-dir={profile}", f"--window-size={window}", "--virtual-time-budget=1000"),
                    *(f"--proxy-server=http://127.0.0.1:{server.server_port}", "--proxy-bypass-list=<-loopback>"),
                    *("--enable-logging=stderr", "--dump-dom", ADDRESS),
                ],
                capture_output=True,
                text=True,
                timeout=60,
                check=True,
            )
    finally:
        server.shutdown()
        thread.join()
        server.server_close()
    hosts = {path: re.sub(r"^\w+://|[:/].*$", "", re.sub(r"^(\w+://)?", "", path)) for path in asked}
    return Opened(
        dom=done.stdout,
        console=tuple(line for line in done.stderr.splitlines() if "CONSOLE" in line),
        requests=tuple(path for path, host in hosts.items() if not OWN_CALLS.match(host)),
    )
