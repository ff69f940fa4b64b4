"""The evaluation service beside ``mlflow models serve``: the same rows of the same registered card, on one machine.

One run makes a city and a card, registers it, starts both servers and asks them in turn from one client. Our service is
measured twice: with every entry of its query log forced to disk before the answer (``each``, the default), and within a
twentieth of a second after (``soon``); what one forced write costs on this disk is measured beside. MLflow's server keeps
no log. Then: people assessed from the ledger, eight clients at once, the log verified after 10^5 queries.

    python benchmarks/service.py
    python benchmarks/service.py --people 1000000 --json
    python benchmarks/service.py --people 2000 --seconds 5 --queries 2000     # a look
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import random
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from harness import milliseconds

FEATURES = 40
ROWS = 1_000
ENVELOPE = {"purpose": "model_validation", "authorisation": "benchmark"}
WARM = 5
LIMIT = 3.0  # times as fast as mlflow models serve, at least


def main() -> int:
    """Print the figures; 3 if an answer failed or differed, the log did not verify, or a ratio is under the limit."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=100_000)
    parser.add_argument("--seconds", type=float, default=60.0, help="of eight clients at once")
    parser.add_argument("--queries", type=int, default=100_000, help="in the log when it is verified")
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    with tempfile.TemporaryDirectory() as folder:
        figures = measure(Path(folder), asked.people, asked.seconds, asked.queries)
    if asked.json:
        print(json.dumps(figures))
    else:
        print("\n".join(f"{name:42} {value}" for name, value in figures.items()))
    held = figures["errors"] == 0 and figures["log_holds"] and figures["scores_agree"]
    return 0 if held and min(figures["ratio_1_row_soon"], figures["ratio_1000_rows"]) >= LIMIT else 3


def measure(place: Path, people: int, seconds: float, queries: int) -> dict[str, Any]:
    """Everything, from one city and one card."""
    import credit_model as cm
    from credit_model.registry.promotion import promote
    from credit_model.registry.registration import register
    from credit_model.registry.runs import log_run

    os.environ["MLFLOW_TRACKING_URI"] = f"sqlite:///{place / 'mlflow.db'}"
    city = cm.synthesise(people=people)
    ledger = cm.Ledger.create(place / "ledger")
    ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects)
    subjects = city.subjects["subject_id"].drop_duplicates().tolist()
    figures: dict[str, Any] = {"people": people, "records": len(city.records), "features": FEATURES}
    del city, ledger
    register(made_card(), log_run("service"), author="maker", evaluation=no_gates())
    promote(1, approver="approver", without_gates="only timed")
    figures["forced_write_ms"] = forced_write(place)

    pick = random.Random(20261124)
    rows = [{name: float(pick.choice((0, 0, 0, 1, 2))) for name in made_card().columns} for _ in range(ROWS)]
    with mlflow_server(place) as theirs, ours(place, "each") as each, ours(place, "soon") as soon:
        figures |= {f"mlflow_{name}": value for name, value in theirs.start.items()}
        figures |= {f"service_{name}": value for name, value in each.start.items()}
        figures |= beside(theirs, each, soon, rows)
        for name, service in (("each", each), ("soon", soon)):
            taken = in_turn({"": lambda s=service: s.assess(pick.choice(subjects))}, 300)[""]
            figures |= quantiles(f"assess_{name}", taken)
        figures |= {"service_memory_after_assessing_mb": each.memory()}
        figures |= at_once(each, rows, subjects, seconds)
        figures |= until(soon, rows, queries)
        figures |= {"service_memory_at_the_end_mb": each.memory()}
    return figures


# ---------------------------------------------------------------------- a card, a registry


def made_card() -> Any:
    """Forty characteristics of the dictionary with points set by hand: the size matters here, not the ranking."""
    from credit_model.features.dictionary import library
    from credit_model.scorecard.bins import NumericBins
    from credit_model.scorecard.card import Card
    from credit_model.scorecard.characteristic import Attribute, Characteristic
    from credit_model.scorecard.scale import ProbabilityMap, load_profile

    points = tuple(Attribute(p, 0.0, 0.0, None) for p in (0, -5, -9, 0))
    adverse = [definition for definition in library() if definition.direction == 1][:FEATURES]
    made = tuple(Characteristic(d.name, NumericBins((0.5, 1.5)), points, 0, direction=1, definition=d) for d in adverse)
    return Card(
        "benchmark", load_profile("zhejiang_1000"), made, ProbabilityMap((300, 800), (0.0, 5.0)), kernel_version=1
    )


def no_gates() -> Any:
    from credit_model.evaluation.evaluation import EvaluationReport

    return EvaluationReport.from_dict({"schema": 1, "context": {"question": "How fast?"}, "gates": []})


def forced_write(place: Path) -> float:
    """Measure what one small write costs when it has to reach the disk."""
    with (place / "forced").open("wb", buffering=0) as file:
        taken = milliseconds(lambda: (file.write(b"x" * 400), os.fsync(file.fileno())), 200)
    return round(statistics.median(taken), 2)


# ---------------------------------------------------------------------- servers


class Server:
    """A process that answers, and a client that keeps its connection."""

    def __init__(self, process: subprocess.Popen[Any], port: int) -> None:
        self.process, self.port = process, port
        self.start: dict[str, float] = {}
        self._own = threading.local()

    def post(self, path: str, body: bytes) -> bytes:
        idle = time.perf_counter() - getattr(self._own, "asked", 0.0)
        if idle > 2:  # a server may have closed it meanwhile
            self._own.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"Content-Type": "application/json", "X-Caller": "benchmark"}
        self._own.connection.request("POST", path, body, headers)
        answer = self._own.connection.getresponse()
        found: bytes = answer.read()
        self._own.asked = time.perf_counter()
        if answer.status != 200:
            raise RuntimeError(f"{path} answered {answer.status}: {found[:200]!r}")
        return found

    def assess(self, subject_id: str) -> bytes:
        return self.post("/assess", json.dumps({**ENVELOPE, "subject_id": subject_id}).encode())

    def family(self) -> Iterator[Path]:
        """Return the process and those it started, under /proc."""
        waiting = [self.process.pid]
        while waiting:
            process = Path(f"/proc/{waiting.pop()}")
            yield process
            waiting += map(int, (process / "task" / process.name / "children").read_text(encoding="utf-8").split())

    def memory(self) -> int:
        """Resident megabytes."""
        told = ((process / "status").read_text(encoding="utf-8") for process in self.family())
        return sum(int(status.partition("VmRSS:")[2].split()[0]) for status in told) // 1000

    def worked(self) -> float:
        """Seconds of processor time so far: what a busy machine does not change."""
        told = ((process / "stat").read_text(encoding="utf-8") for process in self.family())
        ticks = (sum(map(int, stat.rpartition(")")[2].split()[11:13])) for stat in told)
        return sum(ticks) / os.sysconf("SC_CLK_TCK")

    def wait(self, started: float, path: str, body: bytes) -> None:
        """Until the first answer; keeps how long that took, and the memory then."""
        while True:
            try:
                self.post(path, body)
                break
            except (OSError, http.client.HTTPException):
                self._own.asked = 0.0
                if self.process.poll() is not None:
                    raise RuntimeError("a server ended before it answered") from None
                time.sleep(0.02)
        self.start = {"first_answer_s": round(time.perf_counter() - started, 2), "memory_mb": self.memory()}


@contextmanager
def started(command: list[str], port: int, path: str, body: Any) -> Iterator[Server]:
    programs = str(Path(sys.executable).parent)
    environment = os.environ | {"PATH": f"{programs}{os.pathsep}{os.environ['PATH']}"}
    begun = time.perf_counter()
    with subprocess.Popen(
        command, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    ) as process:
        try:
            server = Server(process, port)
            server.wait(begun, path, json.dumps(body).encode())
            yield server
        finally:
            os.killpg(process.pid, 15)


@contextmanager
def ours(place: Path, flush: str) -> Iterator[Server]:
    port = free_port()
    settings = place / f"{flush}.toml"
    settings.write_text(f'[log]\nflush = "{flush}"\n', encoding="utf-8")
    command = [
        *(sys.executable, "-m", "credit_model", "serve", "models:/personal-credit@champion", "--port", str(port)),
        *("--ledger", str(place / "ledger"), "--settings", str(settings)),
        *("--log", str(place / f"log-{flush}"), "--log-head", str(place / f"head-{flush}" / "head")),
    ]
    one = {**ENVELOPE, "rows": [dict.fromkeys(made_card().columns, 0.0)]}
    with started(command, port, "/score", one) as server:
        yield server


@contextmanager
def mlflow_server(place: Path) -> Iterator[Server]:
    port = free_port()
    command = [sys.executable, "-m", "mlflow", "models", "serve", "-m", "models:/personal-credit@champion"]
    command += ["--env-manager", "local", "--host", "127.0.0.1", "--port", str(port)]
    one = {"dataframe_records": [dict.fromkeys(made_card().columns, 0.0)]}
    with started(command, port, "/invocations", one) as server:
        yield server


def free_port() -> int:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        return int(free.getsockname()[1])


# ---------------------------------------------------------------------- what is measured


def in_turn(asks: dict[str, Callable[[], Any]], times: int) -> dict[str, list[float]]:
    """Ask each in turn, so that what else the machine does falls on all alike."""
    taken: dict[str, list[float]] = {name: [] for name in asks}
    for turn in range(times + WARM):
        for name, one in asks.items():
            start = time.perf_counter()
            one()
            if turn >= WARM:
                taken[name].append(time.perf_counter() - start)
    return taken


def quantiles(name: str, taken: list[float]) -> dict[str, float]:
    ordered = sorted(taken)
    return {
        f"{name}_p50_ms": round(statistics.median(ordered) * 1000, 2),
        f"{name}_p99_ms": round(ordered[int(len(ordered) * 0.99)] * 1000, 2),
    }


def beside(theirs: Server, each: Server, soon: Server, rows: list[dict[str, float]]) -> dict[str, Any]:
    """One row and a thousand, by row and by column, from all three."""
    figures: dict[str, Any] = {}
    names = list(rows[0])
    split = {"columns": names, "data": [[row[name] for name in names] for row in rows]}
    columns = {name: [row[name] for row in rows] for name in names}
    bodies = {
        "1_row": ({"dataframe_records": rows[:1]}, {"rows": rows[:1]}),
        "1000_rows_by_row": ({"dataframe_records": rows}, {"rows": rows}),
        "1000_rows": ({"dataframe_split": split}, {"columns": columns}),
    }
    agree, servers = True, {"mlflow": theirs, "each": each, "soon": soon}
    for name, (their_body, our_body) in bodies.items():
        their_bytes, our_bytes = (json.dumps(body).encode() for body in (their_body, ENVELOPE | our_body))
        theirs_say = [row["score"] for row in json.loads(theirs.post("/invocations", their_bytes))["predictions"]]
        agree &= theirs_say == json.loads(each.post("/score", our_bytes))["score"]
        worked = {server: asked.worked() for server, asked in servers.items()}
        taken = in_turn(
            {
                "mlflow": lambda body=their_bytes: theirs.post("/invocations", body),
                "each": lambda body=our_bytes: each.post("/score", body),
                "soon": lambda body=our_bytes: soon.post("/score", body),
            },
            400 if name == "1_row" else 120,
        )
        for server, times in taken.items():
            figures |= quantiles(f"{name}_{server}", times)
            worked[server] = (servers[server].worked() - worked[server]) / (len(times) + WARM)
            figures[f"{name}_{server}_processor_ms"] = round(worked[server] * 1000, 2)
        middle = {server: statistics.median(times) for server, times in taken.items()}
        figures[f"ratio_{name}_processor"] = round(worked["mlflow"] / worked["each"], 2)
        figures[f"ratio_{name}"] = round(middle["mlflow"] / middle["each"], 2)
        figures[f"ratio_{name}_soon"] = round(middle["mlflow"] / middle["soon"], 2)
    return figures | {"scores_agree": agree}


def at_once(service: Server, rows: list[dict[str, float]], subjects: list[str], seconds: float) -> dict[str, Any]:
    """Eight clients, two assessments to one batch of rows, for a while."""
    body = json.dumps({**ENVELOPE, "rows": rows[:10]}).encode()
    taken: list[float] = []
    errors: list[str] = []
    ends = time.perf_counter() + seconds

    def client(number: int) -> None:
        pick, n = random.Random(number), 0
        while time.perf_counter() < ends:
            n += 1
            start = time.perf_counter()
            try:
                service.post("/score", body) if n % 3 == 0 else service.assess(pick.choice(subjects))
            except (RuntimeError, OSError, http.client.HTTPException) as error:
                errors.append(str(error))
            taken.append(time.perf_counter() - start)

    run_all(client)
    figures = quantiles("eight_clients", taken)
    return figures | {"eight_clients_per_s": round(len(taken) / seconds), "errors": len(errors)}


def until(service: Server, rows: list[dict[str, float]], queries: int) -> dict[str, Any]:
    """Ask until the log holds so many queries, then verify it as an operator would."""
    from credit_model.service.query_log import QueryLog

    place = Path(os.environ["MLFLOW_TRACKING_URI"].removeprefix("sqlite:///")).parent
    log = QueryLog(place / "log-soon", place / "head-soon" / "head")
    body = json.dumps({**ENVELOPE, "rows": rows[:1]}).encode()
    left = queries - sum(1 for _ in log.entries())
    run_all(lambda number: [service.post("/score", body) for _ in range(max(0, left) // 8 + 1)])
    start = time.perf_counter()
    report = log.verify()
    taken = time.perf_counter() - start
    return {"log_entries": report.lines, "log_holds": report.holds, "log_verified_s": round(taken, 2)}


def run_all(client: Callable[[int], Any]) -> None:
    clients = [threading.Thread(target=client, args=(number,)) for number in range(8)]
    for thread in clients:
        thread.start()
    for thread in clients:
        thread.join()


if __name__ == "__main__":
    sys.exit(main())
