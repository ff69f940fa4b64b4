"""Killed, full, cut, altered, crowded, alone: afterwards the same command ends as if nothing had happened."""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import time
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from itertools import chain, zip_longest
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from faults import states
from faults.strikes import KILLED, Ended, command, ended, start
from mlflow.exceptions import MlflowException
from small_experiment import experiment_text

from credit_model import UserError

SEED = 20261124
EXPERIMENT = experiment_text(
    "Does a run survive what happens to it?",
    """
[card]
max_characteristics = { low = 2, high = 6 }
max_bins = { low = 2, high = 5 }
trials = 3
[gates]
gini = -1.0
""",
    people=1_500,
    include=("adverse_*", "honours_60m", "volunteer_hours_24m"),
)
TABLES = ("records", "amendments", "subjects", "audit")


@dataclass(frozen=True)
class Command:
    """A command, what it starts from, and what it is judged by."""

    name: str
    arguments: tuple[str, ...]
    state: Callable[[Path], Any]
    start: Path  # a folder with everything it needs
    steps: tuple[str, ...] = ()
    seconds: float = 0.0
    undisturbed: Any = None

    def begin(self, folder: Path) -> Path:
        """A fresh folder to run it in."""
        return states.copied(self.start, folder)

    def obey(self, folder: Path, **disturbed: Any) -> Ended:
        return command(*self.arguments, folder=folder, **disturbed)


@pytest.fixture(scope="module")
def commands(city: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Command]:
    """The commands on the city of 2,000 people, each once undisturbed."""
    base = tmp_path_factory.mktemp("faults")
    city.write(base / "city")
    given = [word for table in TABLES for word in (f"--{table}", str(base / "city" / f"{table}.parquet"))]
    (base / "nothing").mkdir()
    found: dict[str, Command] = {}

    def learn(name: str, start: Path, state: Callable[[Path], Any], *arguments: str) -> Path:
        made = Command(name, arguments, state, start)
        folder = made.begin(base / name)
        began = time.monotonic()
        ended = made.obey(folder)
        took = time.monotonic() - began
        assert (ended.code, ended.err) == (0, ""), ended
        found[name] = Command(name, arguments, state, start, ended.steps, took, state(folder))
        return folder

    ingested = learn("ingest", base / "nothing", states.ledger, "ingest", "ledger", *given)
    people = pd.read_parquet(base / "city" / "subjects.parquet")["subject_id"].unique()
    pd.DataFrame({"subject_id": people, "as_of": "2025-04-01"}).to_csv(ingested / "observations.csv", index=False)
    learn(
        "features", ingested, states.features,
        "features", "ledger", "observations.csv", "--out", states.FEATURES, "--day-of-use", "2026-11-24",
    )  # fmt: skip
    learn(
        "dataset", ingested, states.dataset,
        "features", "ledger", "observations.csv", "--out", states.DATASET, "--day-of-use", "2026-11-24",
    )  # fmt: skip
    assert len(found["dataset"].undisturbed) > 3  # parts, and what is said of them
    (base / "experiment").mkdir()
    (base / "experiment" / "small.toml").write_text(EXPERIMENT, encoding="utf-8")
    ran = learn("run", base / "experiment", everything, "run", "small.toml")
    again = learn("run again", ran, everything, "run", "small.toml")
    learn("promote", ran, states.registry, *PROMOTE)
    first = learn("promote the first", again, states.registry, "promote", "1", "--approver", "Zhou Min")
    second = learn("promote the second", first, states.registry, "promote", "2", "--approver", "Zhou Min")
    learn("rollback", second, states.registry, "rollback", "--to", "1", "--approver", "Zhou Min")
    return found


def everything(folder: Path) -> Any:
    return {"home": states.home(folder), "registry": states.registry(folder)}


# ---------------------------------------------------------------------------------------------------- kill -9


def strike_and_repeat(command: Command, folder: Path, **strike: Any) -> str:
    """Strike a command, run it again, and say what was lost; empty where nothing was."""
    command.begin(folder)
    struck = command.obey(folder, **strike)
    if struck.code == 0:  # done before the clock struck
        return difference(command.undisturbed, command.state(folder), str(strike))
    if struck.code != KILLED:
        return f"{strike}: left with {struck.code}: {struck.err[-500:]}"
    if fault := halves(command, folder):
        return f"{strike}: {fault}"
    again = command.obey(folder)
    if (again.code, again.err) != (0, ""):
        return f"{strike}: the same command left with {again.code}: {again.err[-500:]}"
    try:
        state = command.state(folder)
    except (OSError, UserError) as error:
        return f"{strike}: what was left cannot be read: {error}"
    shutil.rmtree(folder)
    return difference(command.undisturbed, state, str(strike))


def halves(command: Command, folder: Path) -> str:
    """What a half-done command left that could be taken for a whole."""
    if command.name == "ingest":
        state = states.ledger(folder)
        if state not in (None, command.undisturbed) and state["manifest"]["parts"]:
            return "the ledger holds half a delivery"
    if command.name == "features" and states.features(folder) not in (None, command.undisturbed):
        return "half a file of features"
    if command.name == "dataset":
        parts = {name: digest for name, digest in (states.dataset(folder) or {}).items() if name.startswith("part-")}
        if not parts.items() <= command.undisturbed.items():
            return "half a part of a dataset"
    if command.state is everything:
        whole = [{**version, "run": ""} for version in command.undisturbed["registry"]["versions"]]
        found = states.registry(folder) or {"versions": []}
        if any({**version, "run": ""} not in whole for version in found["versions"]):
            return "a version that is not the card"
    return ""


TOTALS: Counter[str] = Counter()


def told(name: str, how: str, n: int, of: str, lost: list[str]) -> None:
    """A line of the table that ``make soak`` prints, with the sum so far."""
    TOTALS[of] += n
    TOTALS[f"{of} lost"] += len(lost)
    sums = f"{TOTALS[of]:>5} so far, {TOTALS[f'{of} lost']} lost"
    sys.stdout.write(f"\n{name:<24} {how:<12} {n:>4} {of:<8} {len(lost):>3} lost {sums}\n")


def difference(expected: Any, found: Any, where: str) -> str:
    """The first place where two states differ."""
    if isinstance(expected, dict) and isinstance(found, dict):
        if expected.keys() != found.keys():
            return f"{where}: {sorted(map(str, expected.keys() ^ found.keys()))[:5]} is on one side only"
        told = (difference(expected[key], found[key], f"{where}.{key}") for key in expected)
        return next((text for text in told if text), "")
    if isinstance(expected, list) and isinstance(found, list) and len(expected) == len(found):
        told = (difference(e, f, f"{where}[{i}]") for i, (e, f) in enumerate(zip(expected, found, strict=True)))
        return next((text for text in told if text), "")
    return "" if expected == found else f"{where}: {str(expected)[:300]} became {str(found)[:300]}"


def places(command: Command, n: int, seed: int) -> list[tuple[str, int]]:
    """Steps to strike at, of every kind alike: a hundred migrations of a database count as few."""
    kinds: dict[str, list[int]] = {}
    for number, step in enumerate(command.steps, start=1):
        what, _, where = step.partition(" ")
        verb, _, table = where.partition(" ")
        if what == "execute":  # hundreds of tables are made, a few are written to
            kind = f"{verb} {table}" if verb in ("INSERT", "UPDATE") and "alembic" not in table else "MIGRATE"
        else:
            kind = what + Path(where).suffix
        kinds.setdefault(kind, []).append(number)
    drawn, chance = [], random.Random(seed)
    shuffled = [chance.sample(numbers, len(numbers)) for numbers in kinds.values()]
    for depth in range(max(map(len, shuffled))):
        drawn += [numbers[depth] for numbers in shuffled if depth < len(numbers)]
    torn = [step for step in drawn if command.steps[step - 1].startswith(("open", "fsync"))]  # others are whole
    pairs = zip_longest((("kill", step) for step in drawn), (("torn", step) for step in chance.sample(torn, len(torn))))
    return list(filter(None, chain.from_iterable(pairs)))[:n]


@pytest.mark.parametrize(
    ("name", "n"),
    [("ingest", 4), ("features", 2), ("dataset", 4), ("run again", 2), ("promote", 2), ("rollback", 1)],
    ids=str,
)
def test_a_command_killed_at_a_write_ends_as_if_undisturbed(
    name: str, n: int, commands: dict[str, Command], tmp_path: Path
) -> None:
    for strike in places(commands[name], n, SEED + 1):
        assert not strike_and_repeat(commands[name], tmp_path / f"{strike}", strike=strike)


@pytest.mark.soak  # quicker in test_run and test_tuning
def test_a_run_killed_within_its_search_asks_only_the_trials_that_were_not_kept(
    commands: dict[str, Command], tmp_path: Path
) -> None:
    run = commands["run"]
    kept = [number for number, step in enumerate(run.steps, 1) if step.startswith("fsync") and "journal" in step]
    assert len(kept) == 3  # trials of the experiment, one line each
    folder = run.begin(tmp_path / "struck")
    assert run.obey(folder, strike=("torn", kept[1])).code == KILLED  # the second is cut in half
    again = run.obey(folder)
    assert sum(step.startswith("fsync") and "journal" in step for step in again.steps) == 2
    assert not difference(run.undisturbed, run.state(folder), "after")


def test_a_store_killed_while_it_was_made_is_made_again(commands: dict[str, Command], tmp_path: Path) -> None:
    run = commands["run"]
    (halfway,) = [n for n, step in enumerate(run.steps, 1) if "CREATE TABLE webhooks" in step][:1]
    folder = run.begin(tmp_path / "struck")
    assert run.obey(folder, strike=("kill", halfway)).code == KILLED
    assert not (folder / "mlflow.db").exists()
    assert run.obey(folder).code == 0
    assert not difference(run.undisturbed, run.state(folder), "after")


KILLS = {"ingest": 80, "features": 30, "dataset": 120, "run": 70, "run again": 40, "promote": 40, "rollback": 30}


@pytest.mark.soak
@pytest.mark.parametrize("name", KILLS)
def test_hundreds_of_kills_lose_nothing(name: str, commands: dict[str, Command], tmp_path: Path) -> None:
    command, lost = commands[name], []
    strikes = places(command, KILLS[name], SEED)
    for number, strike in enumerate(strikes):  # a folder each: MLflow remembers databases by their names
        fault = strike_and_repeat(command, tmp_path / f"{number}", strike=strike)
        lost += [f"{command.steps[strike[1] - 1]}  {fault}"] if fault else []
    told(name, f"{len(command.steps)} steps", len(strikes), "kills", lost)
    assert not lost, "\n".join(lost)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["ingest", "features", "dataset", "run", "promote", "rollback"])
def test_kills_at_any_time_lose_nothing(name: str, commands: dict[str, Command], tmp_path: Path) -> None:
    """By the clock, not by the step: also within what other libraries write without telling Python."""
    command, chance, lost = commands[name], random.Random(SEED), []
    for number in range(15):
        after = chance.uniform(0.0, command.seconds)
        lost += filter(None, [strike_and_repeat(command, tmp_path / f"{number}", after=after)])
    told(name, "any time", 15, "kills", lost)
    assert not lost, "\n".join(lost)


# ---------------------------------------------------------------------------------------------------- a full disk


def fill_and_repeat(command: Command, folder: Path, **full: Any) -> str:
    """Run a command on a full disk: one clear line or the right result, and afterwards as if nothing had been."""
    command.begin(folder)
    refused = command.obey(folder, **full)
    if refused.code == 2:
        if len(refused.err.splitlines()) != 1 or "Traceback" in refused.err or refused.out:
            return f"{full}: more than one line: {refused.err[-500:]}"
    elif refused.code != 0:
        return f"{full}: left with {refused.code}: {refused.err[-500:]}"
    else:  # what was refused could be done without
        return difference(command.undisturbed, command.state(folder), f"{full}: said to be done")
    if fault := halves(command, folder):
        return f"{full}: {fault}"
    again = command.obey(folder)
    if (again.code, again.err) != (0, ""):
        return f"{full}: with room again it left with {again.code}: {again.err[-500:]}"
    fault = difference(command.undisturbed, command.state(folder), str(full))
    shutil.rmtree(folder)
    return fault


def writes(command: Command) -> list[int]:
    """Steps that a full disk refuses."""
    return [n for n, step in enumerate(command.steps, 1) if step.startswith(("open", "fsync", "os.mkdir"))]


@pytest.mark.parametrize("name", ["ingest", "features", "run again", "promote", "rollback"])
def test_a_full_disk_is_one_line_and_loses_nothing(name: str, commands: dict[str, Command], tmp_path: Path) -> None:
    command = commands[name]
    step = random.Random(SEED).choice(writes(command))
    assert not fill_and_repeat(command, tmp_path / "full", strike=("full", step))
    if name != "run again":
        assert not fill_and_repeat(command, tmp_path / "cut", largest_file=4096)


@pytest.mark.soak
@pytest.mark.parametrize("name", ["ingest", "features", "dataset", "run", "run again", "promote", "rollback"])
def test_a_disk_that_is_full_at_any_write_loses_nothing(
    name: str, commands: dict[str, Command], tmp_path: Path
) -> None:
    command, chance = commands[name], random.Random(SEED)
    steps = chance.sample(writes(command), min(25, len(writes(command))))
    faults = [fill_and_repeat(command, tmp_path / f"step {step}", strike=("full", step)) for step in steps]
    sizes = sorted({path.stat().st_size for path in (command.start.parent / name).rglob("*") if path.is_file()})
    limits = [size - 1 for size in chance.sample(sizes[1:], min(8, len(sizes) - 1))]
    faults += [fill_and_repeat(command, tmp_path / f"at {n}", largest_file=max(n, 512)) for n in limits]
    lost = list(filter(None, faults))
    told(name, "a full disk", len(faults), "refusals", lost)
    assert not lost, "\n".join(lost)


# ---------------------------------------------------------------------------------------------------- altered files


def cut(path: Path, chance: random.Random) -> None:
    """Leave a part of a file."""
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data))])


def alter(path: Path, chance: random.Random) -> None:
    """Change one byte of a file."""
    data = bytearray(path.read_bytes())
    place = chance.randrange(len(data))
    data[place] ^= 1 << chance.randrange(8)
    path.write_bytes(data)


def alter_a_digit(path: Path, chance: random.Random) -> None:
    """Change one digit of a text, which stays well-formed."""
    text = path.read_text(encoding="utf-8")
    place = chance.choice([i for i, letter in enumerate(text) if letter in "123456789"])
    path.write_text(text[:place] + chance.choice("0" + "123456789".replace(text[place], "")) + text[place + 1 :])


def empty(path: Path, chance: random.Random) -> None:
    """Leave nothing."""
    path.write_bytes(b"")


DAMAGES = {"cut": cut, "altered": alter, "altered in a digit": alter_a_digit, "emptied": empty}
PROMOTE = ("promote", "latest", "--approver", "Zhou Min")
# What is damaged after which command, the command that meets it, and what its one line must name.
DAMAGED = {
    "a part of the ledger": ("features", "ledger/parts/records-*.parquet", None, "records-000001-0000.parquet"),
    "a part that is added to": ("ingest", "ledger/parts/subjects-*.parquet", None, "subjects-000001-0002.parquet"),
    "a manifest": ("features", "ledger/ledger.json", None, "ledger.json"),
    "a catalogue": ("features", "ledger/catalogue.toml", None, "catalogue.toml"),
    "a made ledger": ("run again", "home/ledgers/*/parts/records-*.parquet", None, "records-000001-0000.parquet"),
    "a journal": ("run again", "home/tuning/*.journal", None, ".journal was altered"),
    "a registered card": ("promote", "mlruns/models/*/artifacts/data/card/card.json", PROMOTE, "card"),
    "a database": ("promote", "mlflow.db", PROMOTE, "mlflow.db"),
    "a document of a run": ("promote", "mlruns/*/artifacts/evaluation.json", ("report", "RUN"), "'evaluation.json'"),
}  # fmt: skip


def damage_and_meet(what: str, how: str, commands: dict[str, Command], folder: Path, seed: int) -> str:
    """Damage a file and run the command that meets it; what went wrong, if anything."""
    name, pattern, arguments, named = DAMAGED[what]
    command = commands[name]
    states.copied(command.start if name != "ingest" else command.start.parent / name, folder)
    path = sorted(folder.glob(pattern))[0]
    before = path.read_bytes()
    DAMAGES[how](path, random.Random(seed))
    given = arguments or command.arguments
    if given[-1] == "RUN":
        given = ("report", path.parts[-3], "--out", str(folder / "page.html"))
    met = Command(name, given, command.state, command.start).obey(folder)
    if met.code == 0 and (name != "promote" or given[0] == "promote"):
        try:
            fault = difference(command.undisturbed, command.state(folder), "accepted")
        except MlflowException:  # a table this command has no use for; who reads it is told
            return ""
        return f"seed {seed}: {fault}" if fault and path.read_bytes() != before else ""
    wrong = met.code != 2 or len(met.err.splitlines()) != 1 or named not in met.err
    shutil.rmtree(folder)
    return f"seed {seed}: left with {met.code}: {met.err[-500:]}" if wrong else ""


@pytest.mark.parametrize("what", [what for what in DAMAGED if what != "a database"])
def test_a_damaged_file_is_named_in_one_line(what: str, commands: dict[str, Command], tmp_path: Path) -> None:
    textual = DAMAGED[what][1].endswith((".json", ".toml", ".journal"))
    assert not damage_and_meet(what, "altered in a digit" if textual else "altered", commands, tmp_path / "it", SEED)


@pytest.mark.soak
@pytest.mark.parametrize("what", DAMAGED)
def test_files_damaged_anyhow_are_named_or_made_again(what: str, commands: dict[str, Command], tmp_path: Path) -> None:
    textual = DAMAGED[what][1].endswith((".json", ".toml", ".journal"))
    tried = [(how, seed) for how in DAMAGES if textual or how != "altered in a digit" for seed in range(8)]
    faults = [f"{how}, {damage_and_meet(what, how, commands, tmp_path / f'{how} {seed}', seed)}" for how, seed in tried]
    wrong = [fault for fault in faults if not fault.endswith(", ")]
    told(what, "damaged", len(tried), "files", wrong)
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("how", DAMAGES)
def test_damaged_segments_and_features_are_made_again(how: str, commands: dict[str, Command], tmp_path: Path) -> None:
    features = commands["features"]
    folder = tmp_path / "made"
    states.copied(features.start.parent / "features", folder)
    (segments,) = (folder / "ledger" / "cache").glob("*.segments")
    for path in (segments, folder / states.FEATURES):
        (cut if how == "altered in a digit" else DAMAGES[how])(path, random.Random(SEED))
    assert features.obey(folder).code == 0
    assert features.state(folder) == features.undisturbed


# ---------------------------------------------------------------------------------------------------- company


def together(*commands: tuple[tuple[str, ...], Path]) -> list[Ended]:
    """Run commands at the same time."""
    started = [start(*arguments, folder=folder) for arguments, folder in commands]
    return [ended(process, said) for process, said in started]


def test_two_ingests_at_once_both_land_in_a_ledger_neither_found(
    city: Any, commands: dict[str, Command], tmp_path: Path
) -> None:
    halves = city.records.iloc[::2], city.records.iloc[1::2]
    for number, half in enumerate(halves):
        half.to_parquet(tmp_path / f"{number}.parquet")
    (tmp_path / "both").mkdir()
    calls = [("ingest", "ledger", "--records", str(tmp_path / f"{number}.parquet"), "--json") for number in (0, 1)]
    answers = together(*((call, tmp_path / "both") for call in calls))
    assert [answer.code for answer in answers] == [0, 0], answers
    assert [json.loads(answer.out)["accepted"] for answer in answers] == [len(half) for half in halves]
    kept = states.ledger(tmp_path / "both")["rows"]["records"]["record_id"]
    assert sorted(kept) == sorted(city.records["record_id"])


def test_two_promotions_at_once_both_succeed_and_the_alias_is_one_of_them(
    commands: dict[str, Command], tmp_path: Path
) -> None:
    folder = tmp_path / "two"
    states.copied(commands["run"].start.parent / "run again", folder)
    calls = [("promote", version, "--approver", "Zhou Min", "--json") for version in ("1", "2")]
    answers = together(*((call, folder) for call in calls))
    assert [answer.code for answer in answers] == [0, 0], answers
    left = states.registry(folder)
    assert left["models"]["personal-credit"]["champion"] in (1, 2)
    assert [version["tags"]["champion_approver"] for version in left["versions"]] == ["Zhou Min"] * 2


def test_two_runs_at_once_in_a_new_home_end_as_one_after_the_other(
    commands: dict[str, Command], tmp_path: Path
) -> None:
    folder = commands["run"].begin(tmp_path / "two")
    answers = together(*((commands["run"].arguments, folder) for _ in (1, 2)))
    assert [(answer.code, answer.err) for answer in answers] == [(0, ""), (0, "")]
    assert not difference(commands["run again"].undisturbed, everything(folder), "together")


# ---------------------------------------------------------------------------------------------------- a lost registry


@contextmanager
def served(store: Path, port: int) -> Iterator[None]:
    """A real MLflow server on a store; killed, not stopped."""
    given = [sys.executable, "-m", "mlflow", "server", "--host", "127.0.0.1", "--port", str(port), "--workers", "1"]
    given += [
        "--backend-store-uri",
        f"sqlite:///{store / 'mlflow.db'}",
        "--artifacts-destination",
        str(store / "files"),
    ]
    server = subprocess.Popen(given, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True)
    try:
        for _ in range(600):
            with suppress(OSError), urllib.request.urlopen(f"http://127.0.0.1:{port}/health", timeout=1):
                break
            time.sleep(0.1)
        yield
    finally:
        os.killpg(server.pid, signal.SIGKILL)
        server.wait()


@pytest.mark.soak
def test_a_registry_that_vanishes_is_one_line_and_the_same_command_ends_alike(
    commands: dict[str, Command], tmp_path: Path
) -> None:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    elsewhere = {
        "MLFLOW_TRACKING_URI": f"http://127.0.0.1:{port}",
        "MLFLOW_HTTP_REQUEST_MAX_RETRIES": "1",
        "MLFLOW_HTTP_REQUEST_BACKOFF_FACTOR": "0",
    }
    run, store = commands["run"], tmp_path / "store"
    folder = run.begin(tmp_path / "desk")
    store.mkdir()
    with served(store, port):
        process, said = start(*run.arguments, folder=folder, environment=elsewhere)
        while process.is_alive() and not list(folder.glob("home/runs/*/trials.json")):
            time.sleep(0.01)
    during = ended(process, said)
    assert during.code == 2, during
    assert during.line.startswith("error: the MLflow registry at http://127.0.0.1")
    without = run.obey(folder, environment=elsewhere)
    assert (without.code, without.line) == (2, without.line)
    with served(store, port):
        assert run.obey(folder, environment=elsewhere).code == 0
    vanished = command(*PROMOTE, folder=folder, environment=elsewhere)
    assert (vanished.code, vanished.line[:30]) == (2, "error: the MLflow registry at ")
    with served(store, port):
        assert command(*PROMOTE, folder=folder, environment=elsewhere).code == 0
        left = states.registry(folder, elsewhere["MLFLOW_TRACKING_URI"])
    expected = run.undisturbed["registry"]
    assert [v["tags"]["card_digest"] for v in left["versions"]] == [
        v["tags"]["card_digest"] for v in expected["versions"]
    ]
    assert [r["status"] for r in left["runs"]] == ["FINISHED"]
