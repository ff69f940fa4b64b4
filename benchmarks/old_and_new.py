"""The public calls of two checkouts beside each other: features, scores, assessments, ingestion, service.

Both checkouts run the same program on the same rows, each in a process of its own that stays warm; one call of the old
one, one of the new, in turn. Printed are the processor seconds of each and the ratio new / old with a 95 % interval
(bootstrap of the median over the pairs). A change that should cost nothing keeps the lower end at most 1.1.

    python benchmarks/old_and_new.py OLD_CHECKOUT NEW_CHECKOUT
    python benchmarks/old_and_new.py OLD_CHECKOUT NEW_CHECKOUT --pairs 15 --people 20000 --json
"""

from __future__ import annotations

import argparse
import http.client
import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from harness import alternate, median_ratio, timed

CARD = Path(__file__).resolve().parents[1] / "tests" / "cases" / "version1" / "card.json"
LIMIT = 1.1
DAY = "2025-04-01"
TASKS = ("features", "scores", "assessments", "ingestion", "service")


def worker(task: str, people: int, folder: Path) -> None:
    """Set a task up, then do it once for every line on standard input and print its processor seconds."""
    call = {
        "features": set_up_features,
        "scores": set_up_scores,
        "assessments": set_up_assessments,
        "ingestion": set_up_ingestion,
        "service": set_up_service,
    }[task](people, folder)
    call()
    print("ready", flush=True)
    for _ in sys.stdin:
        print(call(), flush=True)


def city_of(people: int) -> Any:
    import credit_model as cm

    return cm.synthesise(profile="R", people=people, seed=20261124)


def ledger_of(people: int, folder: Path) -> Any:
    import credit_model as cm

    city = city_of(people)
    ledger = cm.Ledger.create(folder / "ledger", policy="tier")
    ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
    return ledger, city.subjects["subject_id"].drop_duplicates()


def set_up_features(people: int, folder: Path) -> Callable[[], float]:
    import pandas as pd

    import credit_model as cm

    ledger, subjects = ledger_of(people, folder)
    observations = pd.DataFrame({"subject_id": subjects, "as_of": DAY})
    return lambda: timed(lambda: cm.build_features(ledger, observations)).processor


def set_up_scores(people: int, folder: Path) -> Callable[[], float]:
    import pandas as pd

    import credit_model as cm

    ledger, subjects = ledger_of(min(people, 5_000), folder)
    features = cm.build_features(ledger, pd.DataFrame({"subject_id": subjects, "as_of": DAY}))
    card = cm.Card.load(CARD)
    rows = features.sample(500_000, replace=True, random_state=1).reset_index(drop=True)[list(card.columns)]
    return lambda: timed(lambda: card.score(rows)).processor


def set_up_assessments(people: int, folder: Path) -> Callable[[], float]:
    import credit_model as cm

    ledger, subjects = ledger_of(min(people, 5_000), folder)
    evaluator = cm.load_evaluator(str(CARD), ledger=ledger)
    chosen = sorted(subjects)[:200]

    def assess() -> None:
        for subject in chosen:
            evaluator.assess(subject, as_of=DAY, purpose="model_validation")

    return lambda: timed(assess).processor


def set_up_ingestion(people: int, folder: Path) -> Callable[[], float]:
    import credit_model as cm

    city, turn = city_of(people), iter(range(10_000))

    def ingest() -> None:
        ledger = cm.Ledger.create(folder / f"ledger-{next(turn)}", policy="tier")
        ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)

    return lambda: timed(ingest).processor


def set_up_service(people: int, folder: Path) -> Callable[[], float]:
    import credit_model as cm

    ledger, subjects = ledger_of(min(people, 5_000), folder)
    chosen = sorted(subjects)[:100]
    columns = {name: [0.0] * 10 for name in cm.Card.load(CARD).columns}
    command = [
        sys.executable, "-m", "credit_model", "serve", str(CARD), "--ledger", str(ledger.path), "--port", "0",
        "--log", str(folder / "log"), "--log-head", str(folder / "head" / "head"),
    ]  # fmt: skip
    server = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
    assert server.stdout is not None
    address = ""
    while "http://" not in address:
        address = server.stdout.readline()
    host = address[address.index("http://") + 7 :].split()[0].strip("/,.;")
    connection = http.client.HTTPConnection(host)

    def post(path: str, body: dict[str, Any]) -> None:
        text = json.dumps(body | {"purpose": "model_validation", "authorisation": "benchmark"})
        headers = {"X-Caller": "benchmark", "Content-Type": "application/json"}
        connection.request("POST", path, text, headers)
        answer = connection.getresponse()
        if answer.status != 200:
            raise RuntimeError(answer.read()[:300])
        answer.read()

    def spent() -> float:
        fields = Path(f"/proc/{server.pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def ask() -> float:
        start = spent()
        for subject in chosen:
            post("/assess", {"subject_id": subject, "as_of": DAY})
            post("/score", {"columns": columns})
        return spent() - start

    return ask


def start(checkout: Path, task: str, people: int, folder: Path) -> subprocess.Popen[str]:
    """Start a worker on one checkout and wait until it is warm."""
    folder.mkdir(parents=True)
    environment = os.environ | {"PYTHONPATH": str(checkout), "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, __file__, "worker", task, str(people), str(folder)]
    process = subprocess.Popen(
        command, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert process.stdout is not None
    while (line := process.stdout.readline()) != "ready\n":
        if not line:
            raise RuntimeError(f"{task} did not start on {checkout}")
    return process


def once(process: subprocess.Popen[str]) -> float:
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write("go\n")
    process.stdin.flush()
    return float(process.stdout.readline())


def measure(old: Path, new: Path, task: str, people: int, pairs: int) -> dict[str, float]:
    """Alternate both checkouts on one task; return medians and the ratio with its interval."""
    with tempfile.TemporaryDirectory() as folder:
        both = [start(checkout, task, people, Path(folder, name)) for checkout, name in ((old, "old"), (new, "new"))]
        try:
            seconds = alternate([partial(once, process) for process in both], pairs)
        finally:
            for process in both:
                subprocess.run(["pkill", "-P", str(process.pid)], check=False)
                process.kill()
    old_median, new_median = np.median(seconds, axis=0).tolist()
    return {"old_seconds": old_median, "new_seconds": new_median, **median_ratio(seconds)}


def main() -> int:
    """Print a row a task; return 3 where a lower end is above the limit."""
    if sys.argv[1:2] == ["worker"]:
        worker(sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
        return 0
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--people", type=int, default=10_000)
    parser.add_argument("--tasks", nargs="*", default=TASKS, choices=TASKS)
    parser.add_argument("--json", action="store_true")
    request = parser.parse_args()
    rows = {}
    for task in request.tasks:
        rows[task] = measure(request.old.resolve(), request.new.resolve(), task, request.people, request.pairs)
        if not request.json:
            row = rows[task]
            interval = f"{row['ratio']:.3f} ({row['low']:.3f} to {row['high']:.3f})"
            print(f"{task:<12} old {row['old_seconds']:.4f} s   new {row['new_seconds']:.4f} s   new / old {interval}")
    if request.json:
        print(json.dumps(rows))
    return 3 if any(row["low"] > LIMIT for row in rows.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
