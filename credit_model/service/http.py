"""HTTP: routes, limits, one form of error; and a process that ends gracefully.

In: a service. Out: an ASGI application; :func:`serve` runs it until told to stop.
"""

from __future__ import annotations

import signal
import socket
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import TYPE_CHECKING, Final

from credit_model.foundation.errors import UserError
from credit_model.foundation.extras import needed_for
from credit_model.ledger.ledger import Ledger
from credit_model.service.endpoints import Answer, Service
from credit_model.service.openapi import document
from credit_model.service.query_log import QueryLog
from credit_model.service.requests import Refusal
from credit_model.service.served_model import ServedModel
from credit_model.service.settings import Deployment, Settings

with needed_for("the service"):
    import uvicorn
    from starlette.applications import Starlette
    from starlette.concurrency import run_in_threadpool
    from starlette.exceptions import HTTPException
    from starlette.responses import Response
    from starlette.routing import Route

if TYPE_CHECKING:
    from starlette.requests import Request

_FLUSH_SECONDS: Final = 0.05
_GRACE_SECONDS: Final = 10
_HTTP_ERRORS = {404: ("not_found", "there is nothing at this address; see /openapi.json.")}


def create_app(service: Service) -> Starlette:
    """Build the ASGI application of a service."""

    def post(answer: Callable[[str, bytes], Answer], endpoint: str) -> Callable[[Request], Awaitable[Response]]:
        async def handle(request: Request) -> Response:
            try:
                caller = service.caller(request.headers.get("x-caller"), request.headers.get("authorization"))
            except Refusal as refusal:
                return _response(Answer.of_refusal(refusal))
            try:
                body = await _body(request, service.settings.body_bytes)
            except Refusal as refusal:
                return _response(await run_in_threadpool(service.answer_query, caller, endpoint, _refuser(refusal)))
            return _response(await run_in_threadpool(answer, caller, body))

        return handle

    async def model(request: Request) -> Response:
        return _response(service.describe())

    async def health(request: Request) -> Response:
        return _response(service.health())

    async def openapi(request: Request) -> Response:
        served = service.model.current
        return _response(Answer.of(document(served.card if served else None, service.settings)))

    app = Starlette(
        routes=[
            Route("/assess", post(service.assess, "/assess"), methods=["POST"]),
            Route("/score", post(service.score, "/score"), methods=["POST"]),
            Route("/model", model),
            Route("/health", health),
            Route("/openapi.json", openapi),
        ],
        exception_handlers={HTTPException: _http_error, Exception: _fault},
    )
    app.router.redirect_slashes = False
    return app


def serve(
    deployment: Deployment,
    settings: Settings | None = None,
    say: Callable[[str], None] = lambda line: None,
) -> None:
    """Serve until told to stop (SIGTERM, SIGINT); requests in flight are answered first.

    Parameters
    ----------
    deployment : Deployment
    settings : Settings, optional
    say : callable
        Called with one line: where requests are answered, or that nothing is served yet.

    Raises
    ------
    UserError
        No such ledger, a port in use, a head in the folder of its log, a card by path that cannot be opened.
    """
    settings = Settings() if settings is None else settings
    query_log = QueryLog(deployment.log, deployment.log_head, sync=settings.flush == "each")
    open_ledger = Ledger.open(deployment.ledger)
    with _listen(deployment.host, deployment.port) as listener:
        model = ServedModel(deployment.source, open_ledger)
        model.check()
        if model.current is None:
            if model.registered == (None, None):  # not from a registry that may come back
                raise UserError(model.problem)
            say(f"nothing is served yet, trying again every {deployment.reload_seconds:g} s: {model.problem}")
        config = uvicorn.Config(
            create_app(Service(model, open_ledger, query_log, settings)), log_level="warning", access_log=False,
            lifespan="off", server_header=False, timeout_graceful_shutdown=_GRACE_SECONDS,
        )  # fmt: skip
        serving = model.current.card.id if model.current else "nothing yet"
        server = _Server(
            config, lambda: say(f"serving {serving} on http://{deployment.host}:{listener.getsockname()[1]}")
        )
        for name in (signal.SIGTERM, signal.SIGINT):  # uvicorn raises again what it was stopped by: here it ends well
            signal.signal(name, lambda *_: None)
        stop = threading.Event()
        threads = [threading.Thread(target=model.keep_checking, args=(deployment.reload_seconds, stop), daemon=True)]
        if settings.flush == "soon":
            threads.append(threading.Thread(target=_keep_flushing, args=(query_log, stop), daemon=True))
        for thread in threads:
            thread.start()
        try:
            server.run(sockets=[listener])
        finally:
            stop.set()
            query_log.flush()


class _Server(uvicorn.Server):
    """A server that reports when it answers."""

    def __init__(self, config: uvicorn.Config, started: Callable[[], None]) -> None:
        super().__init__(config)
        self._say_started = started

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._say_started()


def _keep_flushing(log: QueryLog, stop: threading.Event) -> None:
    while not stop.wait(_FLUSH_SECONDS):
        log.flush()


def _listen(host: str, port: int) -> socket.socket:
    listener: socket.socket | None = None
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        # Named as TCP, or asyncio leaves Nagle's delay on: 40 ms for every answer.
        listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((host, port))
    except (OSError, OverflowError) as error:
        if listener is not None:
            listener.close()
        reason = getattr(error, "strerror", None) or "no such port"
        raise UserError(f"cannot listen on {host} port {port}: {reason}. Choose another with --port.") from None
    return listener


async def _body(request: Request, most: int) -> bytes:
    """Read the body, while it is not too long."""
    kind = request.headers.get("content-type", "").partition(";")[0].strip().casefold()
    if kind != "application/json":
        raise Refusal(415, "not_declared_json", "send JSON, declared by Content-Type: application/json.")
    parts, read = [], 0
    async for part in request.stream():
        read += len(part)
        if read > most:
            raise Refusal(413, "body_too_long", f"at most {most:,} bytes are taken at once; send the rows in parts.")
        parts.append(part)
    return b"".join(parts)


def _refuser(refusal: Refusal) -> Callable[[object], Answer]:
    def refuse(entry: object) -> Answer:
        raise refusal

    return refuse


def _response(answer: Answer, headers: Mapping[str, str] | None = None) -> Response:
    return Response(
        answer.body, answer.status, {"Cache-Control": "no-store", **(headers or {})}, media_type="application/json"
    )


async def _http_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    code, text = _HTTP_ERRORS.get(error.status_code, ("method_not_allowed", "this method is not answered here."))
    return _response(Answer.of_refusal(Refusal(error.status_code, code, text)), error.headers)


async def _fault(request: Request, error: Exception) -> Response:
    return _response(Answer.of_refusal(Refusal(500, "fault", f"a fault of ours ({type(error).__name__}).")))
