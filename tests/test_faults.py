"""Killed, full, cut, altered, crowded, alone: afterwards the same command ends as if nothing had happened."""

from __future__ import annotations

import random
import shutil
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from faults import states
from faults.strikes import KILLED, Ended, command

from credit_model import UserError

SEED = 20261124
EXPERIMENT = """
schema = 1
question = "Does a run survive what happens to it?"
seed = 20261124
[ledger]
synthetic = { profile = "L", people = 1_500 }
policy = "tier"
day_of_use = 2026-11-24
[outcome]
definition = "y12"
[sample]
out_of_time = 2025-04-01
development_dates = 2
[features]
include = ["adverse_*", "honours_60m", "volunteer_hours_24m"]
[card]
max_characteristics = { low = 2, high = 6 }
max_bins = { low = 2, high = 5 }
trials = 3
[gates]
gini = -1.0
"""
TABLES = ("records", "amendments", "subjects", "audit")


@dataclass(frozen=True)
class Command:
    """A command, what it starts from, and what it is judged by."""

    name: str
    arguments: tuple[str, ...]
    state: Callable[[Path], Any]
    start: Path  # a folder with everything it needs
    steps: tuple[str, ...] = ()
    undisturbed: Any = None

    def begin(self, folder: Path) -> Path:
        """A fresh folder to run it in."""
        shutil.copytree(self.start, folder)
        return folder

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
        ended = made.obey(folder)
        assert (ended.code, ended.err) == (0, ""), ended
        found[name] = Command(name, arguments, state, start, ended.steps, state(folder))
        return folder

    ingested = learn("ingest", base / "nothing", states.ledger, "ingest", "ledger", *given)
    people = pd.read_parquet(base / "city" / "subjects.parquet")["subject_id"].unique()
    pd.DataFrame({"subject_id": people, "as_of": "2025-04-01"}).to_csv(ingested / "observations.csv", index=False)
    learn(
        "features", ingested, states.features,
        "features", "ledger", "observations.csv", "--out", states.FEATURES, "--day-of-use", "2026-11-24",
    )  # fmt: skip
    (base / "experiment").mkdir()
    (base / "experiment" / "small.toml").write_text(EXPERIMENT, encoding="utf-8")
    ran = learn("run", base / "experiment", everything, "run", "small.toml")
    learn("run again", ran, everything, "run", "small.toml")
    learn("promote", ran, states.registry, "promote", "latest", "--approver", "Zhou Min")
    return found


def everything(folder: Path) -> Any:
    return {"home": states.home(folder), "registry": states.registry(folder)}


# ---------------------------------------------------------------------------------------------------- kill -9


def strike_and_repeat(command: Command, folder: Path, **strike: Any) -> str:
    """Strike a command, run it again, and say what was lost; empty where nothing was."""
    command.begin(folder)
    struck = command.obey(folder, **strike)
    if struck.code not in (KILLED, 0):
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
    if command.state is everything:
        whole = [{**version, "run": ""} for version in command.undisturbed["registry"]["versions"]]
        found = states.registry(folder) or {"versions": []}
        if any({**version, "run": ""} not in whole for version in found["versions"]):
            return "a version that is not the card"
    return ""


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
        kinds.setdefault(f"{what} {where[:24]}" if what == "execute" else what + Path(where).suffix, []).append(number)
    drawn, chance = [], random.Random(seed)
    shuffled = [chance.sample(numbers, len(numbers)) for numbers in kinds.values()]
    for depth in range(max(map(len, shuffled))):
        drawn += [numbers[depth] for numbers in shuffled if depth < len(numbers)]
    return [(chance.choice(("kill", "torn")), step) for step in drawn[:n]]


KILLS = {"ingest": 80, "features": 30, "run": 70, "run again": 40, "promote": 40}


@pytest.mark.soak
@pytest.mark.parametrize("name", KILLS)
def test_hundreds_of_kills_lose_nothing(name: str, commands: dict[str, Command], tmp_path: Path) -> None:
    command = commands[name]
    lost = []
    strikes = places(command, KILLS[name], SEED)
    for strike in strikes:
        fault = strike_and_repeat(command, tmp_path / "struck", strike=strike)
        if fault:
            lost.append(f"{command.steps[strike[1] - 1]}  {fault}")
            shutil.rmtree(tmp_path / "struck", ignore_errors=True)
    sys.stdout.write(f"\n{name:<12} {len(command.steps):>5} steps {len(strikes):>5} kills {len(lost):>5} lost\n")
    assert not lost, "\n".join(lost)
