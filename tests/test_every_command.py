"""Every command answers everybody: no fault of ours, no traceback, and one JSON object where JSON was asked for."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from functools import cache
from io import StringIO
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
from small_card import penalty, small_card, small_ledger
from small_evaluation import FRAME, beside
from small_experiment import experiment_text
from typer.main import get_command

from credit_model.cli.main import app, main
from credit_model.features.dictionary import library
from credit_model.ledger.ledger import Ledger
from credit_model.service.query_log import QueryLog

PEOPLE = 200
SEED = 20261124
DAY_OF_USE = "2026-11-24"
EXPERIMENT = experiment_text(
    "Does every command answer?",
    """
[card]
method = "woe_logistic"
max_characteristics = CHARACTERISTICS
max_bins = 3
penalty = 1.0
[[card.policy_points]]
characteristic = "honours_60m"
points = [0, 6, 10]
approver = "Chen Jing"
ground = "honours are too rare to learn from"
[gates]
gini = -1.0
""",
    people=2_000,
    include=("adverse_*", "honours_60m"),
)
Arguments = Sequence[object]
Person = tuple[str, str, str]  # id, day, feature


@dataclass(frozen=True)
class Answer:
    """What a command left behind."""

    arguments: tuple[str, ...]
    code: int
    out: str
    err: str

    @property
    def fault(self) -> str:
        """What is wrong with the answer, whatever was asked; empty where nothing is."""
        if self.code not in (0, 2, 3):
            return f"exit code {self.code}: {self.err}{self.out}"
        if "Traceback" in self.out + self.err:
            return f"a traceback: {self.err}"
        if "--json" not in self.arguments:
            return ""
        try:
            value = json.loads(self.out, parse_constant=_refuse_constant)
        except ValueError as error:
            return f"no JSON ({error}): {self.out}"
        return "" if isinstance(value, dict) and self.err == "" else f"no object alone: {self.out}{self.err}"


def _refuse_constant(name: str) -> float:
    raise ValueError(f"{name} is no JSON")


def ask(*arguments: object) -> Answer:
    """Run one command in this process."""
    words, out, err = tuple(map(str, arguments)), StringIO(), StringIO()
    with redirect_stdout(out), redirect_stderr(err):
        code = main(words)
    return Answer(words, code, out.getvalue(), err.getvalue())


def faults(asked: Iterable[Arguments], codes: tuple[int, ...] = (0,)) -> str:
    """Ask each for people and as JSON; return the first answers that are wrong, one a line."""
    answers = (ask(*arguments, *form) for arguments in asked for form in ((), ("--json",)))
    wrong = (
        f"{' '.join(answer.arguments)}: {answer.fault or f'exit code {answer.code}: {answer.err}'}"
        for answer in answers
        if answer.fault or answer.code not in codes
    )
    return "\n".join(islice(wrong, 5))


@pytest.fixture(scope="module", autouse=True)
def parser_built_once() -> Iterator[None]:
    """A process runs one command and builds its parser once; here it would be built a thousand times."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("typer.main.get_command", cache(get_command))
        yield


@pytest.fixture(scope="module")
def people(city: Any) -> list[Person]:
    """People of the made city drawn at random, each with a day and a feature of the dictionary."""
    rng = np.random.default_rng(SEED)
    subjects = rng.choice(city.subjects["subject_id"].to_numpy(object), PEOPLE, replace=False)
    days = (np.datetime64("2018-01-01") + rng.integers(0, 3_250, PEOPLE)).astype(str)
    names = rng.permutation(np.resize([definition.name for definition in library()], PEOPLE))
    return list(zip(subjects.tolist(), days.tolist(), names.tolist(), strict=True))


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Two runs of one city with their cards registered, the second in force; files to read; an empty current folder."""
    folder = tmp_path_factory.mktemp("every")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.setenv("CREDIT_MODEL_HOME", str(folder / "home"))
        patch.chdir(tmp_path_factory.mktemp("current"))
        for number in (1, 2):
            experiment = folder / f"walk{number}.toml"
            experiment.write_text(EXPERIMENT.replace("CHARACTERISTICS", str(number + 1)), encoding="utf-8")
            result = ask("run", experiment, "--author", "Li Wei", "--json")
            assert (result.code, result.fault) == (0, "")
        (folder / "run.json").write_text(result.out, encoding="utf-8")
        for version in (1, 2):
            assert ask("promote", version, "--approver", "Zhou Min").code == 0
        small_card().save(folder / "card.json")
        FRAME.to_parquet(folder / "scored.parquet")
        beside().to_parquet(folder / "attributes.parquet")
        small_ledger(folder / "few", [penalty("r1", "2025-10-10")], subjects=[{"subject_id": "a"}, {"subject_id": "b"}])
        QueryLog(folder / "log", folder / "head").verify()
        yield folder


def test_explain_answers_for_everybody(city_ledger: Ledger, people: list[Person]) -> None:
    common = ("--ledger", city_ledger.path, "--day-of-use", DAY_OF_USE)
    assert faults(("explain", who, *common, "--as-of", day, "--feature", name) for who, day, name in people) == ""


def test_assess_answers_for_everybody(city_ledger: Ledger, people: list[Person], desk: Path) -> None:
    common = ("--ledger", city_ledger.path, "--model", desk / "card.json", "--day-of-use", DAY_OF_USE)
    days = [() if place % 10 == 0 else ("--as-of", day) for place, (_, day, _) in enumerate(people)]  # some as of now
    assert faults(("assess", who, *common, *day) for (who, _, _), day in zip(people, days, strict=True)) == ""


def test_features_answers_for_everybody_at_once(city_ledger: Ledger, people: list[Person], tmp_path: Path) -> None:
    rows = pd.DataFrame(people, columns=["subject_id", "as_of", "feature"])
    rows.to_csv(tmp_path / "observations.csv", index=False)
    rows.to_parquet(tmp_path / "observations.parquet")
    common = ("--day-of-use", DAY_OF_USE)
    asked = [
        ("features", city_ledger.path, tmp_path / f"observations.{ending}", "--out", tmp_path / out, *common)
        for ending, out in (("csv", "X.parquet"), ("parquet", "folder"))
    ]
    assert faults(asked) == ""
    for parts in ([tmp_path / "X.parquet"], [*(tmp_path / "folder").rglob("*.parquet")]):
        assert sum(len(pd.read_parquet(part)) for part in parts) == PEOPLE


def test_forget_answers_for_everybody(city_ledger: Ledger, people: list[Person], tmp_path: Path) -> None:
    shutil.copytree(city_ledger.path, tmp_path / "ledger")
    common = ("--ledger", tmp_path / "ledger", "--approver", "Zhou Min", "--reason", "left the register")
    assert faults(("forget", who, *common) for who, _, _ in people[:10]) == ""


def synthesise(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "synthesise", folder / "city", "--people", 60
    yield "synthesise", folder / "city", "--people", 60, "--profile", "L"


def ingest(desk: Path, folder: Path) -> Iterable[Arguments]:
    rows = folder / "rows.csv"
    rows.write_text(
        "subject_id,kind,decided_on,known_on\na,honour,2025-01-01,2025-01-02\n[/],gossip,2025-01-01,2025-01-02\n",
        encoding="utf-8",
    )
    yield "ingest", folder / "[/ledger]", "--records", rows, "--max-rejected", 0.5


def run(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "run", desk / "walk1.toml", "--author", "Li [/] Wei"


def promote(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "promote", 1, "--approver", "Zhou [/] Min"
    yield "promote", 2, "--approver", "Zhou [/] Min"


def rollback(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "rollback", "--approver", "Zhou Min", "--reason", "a [/] reason"


def upgrade(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield ("upgrade",)
    yield "upgrade", "--name", "nobody"


def history(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield ("history",)
    yield "history", "--alias", "champion", "--name", "nobody"


def served_at(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "served-at", "2020-05-01"
    yield "served-at", pd.Timestamp.now("UTC").date()


def card(desk: Path, folder: Path) -> Iterable[Arguments]:
    for lang in ("zh", "en", "both"):
        yield "card", 2, "--out", folder, "--lang", lang


def assess(desk: Path, folder: Path) -> Iterable[Arguments]:
    result = json.loads((desk / "run.json").read_text(encoding="utf-8"))
    yield "assess", "S0000001", "--ledger", result["ledger"]
    yield "assess", "S0000001", "--ledger", result["ledger"], "--purpose", "audit", "--authorisation", "A-[/]"


def explain(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "explain", "nobody", "--ledger", desk / "few", "--as-of", "2026-01-01", "--feature", "fines_36m"


def features(desk: Path, folder: Path) -> Iterable[Arguments]:
    (folder / "nobody.csv").write_text("subject_id,as_of\n", encoding="utf-8")
    yield "features", desk / "few", folder / "nobody.csv", "--out", folder / "X.parquet"
    yield "features", desk / "few", folder / "nobody.csv", "--out", folder / "X"


def forget(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "forget", "a", "--ledger", desk / "few", "--approver", "Zhou Min", "--reason", "left the register"


def expire(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "expire", desk / "few", "--on", "2024-01-01", "--approver", "Zhou Min"


def watch(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "watch", desk / "few", "--on", "2026-11-01"


def catalogue(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "catalogue", "--day-of-use", "2026-11-01"


def serve(desk: Path, folder: Path) -> Iterable[Arguments]:
    log = ("serve", "--log", desk / "log", "--log-head", desk / "head")
    for what in (("--verify",), ("--purge",), ("--about", "a")):
        yield *log, *what


def report(desk: Path, folder: Path) -> Iterable[Arguments]:
    result, out = json.loads((desk / "run.json").read_text(encoding="utf-8")), ("--out", folder / "report.html")
    yield "report", result["run_id"], *out
    for lang in ("zh", "en"):
        yield "report", Path(result["report"]).with_name("evaluation.json"), "--lang", lang, *out
    yield "report", desk / "scored.parquet", *out
    rows = "report", desk / "scored.parquet", "--attributes", desk / "attributes.parquet", "--cutoff", 795, *out
    yield *rows, "--card", desk / "card.json"


def monitor(desk: Path, folder: Path) -> Iterable[Arguments]:
    result = json.loads((desk / "run.json").read_text(encoding="utf-8"))
    for lang in ("zh", "en"):
        yield "monitor", "--ledger", result["ledger"], "--as-of", "2026-06-01", "--lang", lang
    yield "monitor", "--ledger", result["ledger"]


def compare(desk: Path, folder: Path) -> Iterable[Arguments]:
    yield "compare", desk / "walk1.toml", desk / "walk2.toml"


ONE_OF_EACH = (
    synthesise, ingest, run, promote, rollback, upgrade, history, served_at, card, assess, explain, features, forget,
    expire, watch, catalogue, serve, report, monitor, compare,
)  # fmt: skip


@pytest.mark.parametrize("examples", ONE_OF_EACH, ids=lambda examples: examples.__name__)
def test_a_command_answers_for_people_and_as_json(
    examples: Callable[[Path, Path], Iterable[Arguments]], desk: Path, tmp_path: Path
) -> None:
    moved = (0, 3) if examples is monitor else (0,)
    assert faults(examples(desk, tmp_path), moved) == ""


def test_no_command_is_left_out() -> None:
    registered = {command.name or command.callback.__name__ for command in app.registered_commands}
    assert registered == {examples.__name__.replace("_", "-") for examples in ONE_OF_EACH}
