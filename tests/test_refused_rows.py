"""Refused raw rows are counted wherever a card is judged, and too many of them stop the run."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pandas as pd
import pytest
from small_fines import EXPERIMENT, VARIABLE, invented_log, invented_tables

from credit_model import UserError
from credit_model.cli.main import main
from credit_model.cli.printing import print_run
from credit_model.experiments.experiment import ExperimentErrors
from credit_model.experiments.pipeline import run
from credit_model.experiments.reader import load_experiment
from credit_model.experiments.result import RunResult
from credit_model.ledger.ledger import Ledger
from credit_model.registry.runs import RunContent
from credit_model.reports.markdown import render_markdown
from credit_model.reports.page import render_html

FILES = EXPERIMENT.with_suffix("")
SMALL = (("trials = 12", "trials = 2"), ('"road_traffic_fines/', f'"{FILES.as_posix()}/'))
REFUSED = 40


def log_with_refused_rows() -> pd.DataFrame:
    """The invented log with fines that were sent after the day the log was drawn."""
    log = invented_log(2_000)
    late = log[log["activity"] == "Send Fine"].head(REFUSED)
    late = late.assign(case_id=[f"L{i:05}" for i in range(len(late))], timestamp=pd.Timestamp("2013-07-01"))
    return pd.concat([log, late], ignore_index=True)


class Tracker:
    """Remembers what it was told."""

    def __init__(self) -> None:
        self.told: dict[str, Any] = {}

    def log_run(self, experiment: str, *, content: RunContent, **what: Any) -> str:
        self.told = vars(content)
        return "run-1"

    def register(self, card: Any, run_id: str, **what: Any) -> Any:
        return SimpleNamespace(version=1)


@pytest.fixture(scope="module", autouse=True)
def home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    with pytest.MonkeyPatch.context() as patch:
        home = tmp_path_factory.mktemp("home")
        patch.setenv("CREDIT_MODEL_HOME", str(home))
        patch.setenv(VARIABLE, str(invented_tables(tmp_path_factory.mktemp("data"), log_with_refused_rows())))
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{home / 'mlflow.db'}")
        yield home


def experiment_file(folder: Path, ingest: str = "") -> Path:
    text = EXPERIMENT.read_text(encoding="utf-8")
    for before, after in SMALL:
        assert before in text
        text = text.replace(before, after)
    path = folder / "fines.toml"
    path.write_text(f"{text}\n{ingest}\n", encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def allowed(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunResult, Tracker]:
    """A run that says how many refused rows it takes."""
    tracker = Tracker()
    path = experiment_file(tmp_path_factory.mktemp("allowed"), "[ingest]\nmax_rejected_share = 0.05")
    return run(path, tracker=tracker, author="Wang Li"), tracker


def honours(*kinds: str) -> pd.DataFrame:
    days = {"decided_on": "2025-01-01", "known_on": "2025-01-02"}
    return pd.DataFrame(
        [{"record_id": f"R{i}", "subject_id": "S1", "kind": kind, **days} for i, kind in enumerate(kinds)]
    )


# ---------------------------------------------------------------------------------------------- what a ledger keeps


def test_every_row_that_was_read_is_accepted_known_already_or_refused(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    report = ledger.ingest(records=honours("honour", "gossip", "honour", "honour"))
    assert (report.read, report.accepted, report.duplicates, report.rejected_rows) == (4, 3, 0, 1)
    assert report.rejected_share == 0.25
    assert report.to_dict()["read"] == 4


def test_a_ledger_keeps_the_counts_of_its_deliveries(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    assert ledger.deliveries is not None
    assert (ledger.deliveries.read, ledger.deliveries.rejected_share) == (0, 0.0)
    ledger.ingest(records=honours("honour", "gossip"))
    more = honours("honour", "gossip", "honour", "honour")
    report = ledger.ingest(records=more)
    kept = Ledger.open(ledger.path).deliveries
    assert kept is not None
    assert (kept.read, kept.accepted, kept.duplicates, kept.rejected_rows) == (6, 3, 1, 2)
    assert kept.rejected == {"unknown_kind": 2}
    assert kept == ledger.deliveries
    ledger.ingest(records=more)
    assert Ledger.open(ledger.path).deliveries == kept, "a delivery given twice counts once"
    assert ledger.quarantine == ledger.path / "quarantine"
    assert report.quarantine is not None
    assert report.quarantine.parent == ledger.quarantine


def test_a_ledger_of_before_that_kept_no_counts_claims_none(tmp_path: Path) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    ledger.ingest(records=honours("honour", "gossip"))
    manifest = ledger.path / "ledger.json"
    raw = json.loads(manifest.read_text(encoding="utf-8"))
    del raw["deliveries"], raw["checksum"]
    canonical = json.dumps(raw, sort_keys=True, separators=(",", ":"))
    raw["checksum"] = hashlib.sha256(canonical.encode()).hexdigest()
    manifest.write_text(json.dumps(raw), encoding="utf-8")
    older = Ledger.open(ledger.path)
    assert older.deliveries is None
    older.ingest(records=honours("honour", "honour", "honour"))
    assert Ledger.open(ledger.path).deliveries is None, "of a part nothing is claimed about the whole"


# ---------------------------------------------------------------------------------------------- a run


def test_a_run_on_too_many_refused_rows_stops_before_the_out_of_time_sample_is_opened(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], home: Path
) -> None:
    monkeypatch.setenv("CREDIT_MODEL_HOME", str(tmp_path / "home"))
    assert main(["run", str(experiment_file(tmp_path)), "--json"]) == 3
    error = json.loads(capsys.readouterr().out)["error"]
    share = re.search(rf"{REFUSED} of ([\d,]+) rows were refused \(([\d.]+)%\), at most 0\.1% may be", error)
    assert share, error
    assert float(share[2]) == pytest.approx(100 * REFUSED / int(share[1].replace(",", "")), rel=0.05)
    assert f"{REFUSED} after_source_drawn (dated after the day the source was drawn)" in error
    (quarantine,) = (tmp_path / "home" / "ledgers").glob("*/quarantine/*.jsonl")
    assert str(quarantine) in error
    assert "max_rejected_share" in error.split(str(quarantine))[1]
    assert not (tmp_path / "home" / "out_of_time.jsonl").exists()
    assert not list((tmp_path / "home").glob("runs/*/"))


def test_people_are_told_the_same_in_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["run", str(experiment_file(tmp_path))]) == 3
    line = capsys.readouterr().err.splitlines()[-1]
    assert line.startswith("error: experiment 'fines': ")
    assert "rows were refused" in line


def test_a_run_that_allows_them_says_how_many_there_were(allowed: tuple[RunResult, Tracker]) -> None:
    rows = allowed[0].ingest
    assert rows is not None
    assert rows.read == rows.accepted + rows.duplicates + rows.rejected_rows
    assert (rows.rejected_rows, rows.rejected) == (REFUSED, {"after_source_drawn": REFUSED})
    assert rows.max_rejected_share == 0.05
    assert rows.rejected_share == rows.rejected_rows / rows.read
    assert rows.quarantine is not None
    assert len(Path(rows.quarantine).read_text(encoding="utf-8").splitlines()) == REFUSED
    assert f"{REFUSED} refused" in str(allowed[0])


def test_the_command_prints_the_refused_rows_for_people(
    allowed: tuple[RunResult, Tracker], capsys: pytest.CaptureFixture[str]
) -> None:
    from rich.console import Console

    print_run(Console(width=300, highlight=False), allowed[0])
    out = capsys.readouterr().out
    rows = allowed[0].ingest
    assert rows is not None
    assert f"raw rows: {rows.read:,} read, {rows.accepted:,} accepted, 0 known already, {REFUSED} refused" in out
    assert f"{REFUSED} refused: after_source_drawn" in out
    assert str(rows.quarantine) in out


def test_the_evaluation_the_tracker_and_both_pages_count_the_refused_rows(
    allowed: tuple[RunResult, Tracker],
) -> None:
    result, tracker = allowed
    assert result.ingest is not None
    told = result.evaluation.context["ingest"]
    assert (told["read"], told["rejected_rows"]) == (result.ingest.read, REFUSED)
    assert told["reasons"] == [
        {"code": "after_source_drawn", "text_en": "dated after the day the source was drawn",
         "text_zh": "日期晚于数据提取日", "rows": REFUSED},
    ]  # fmt: skip
    metrics = tracker.told["metrics"]
    assert metrics["ingest/rejected"] == REFUSED
    assert metrics["ingest/rejected_share"] == result.ingest.rejected_share
    english, chinese = (render_html(result.evaluation, lang=lang) for lang in ("en", "zh"))
    assert "Raw rows" in english
    assert "dated after the day the source was drawn" in english
    assert "原始数据" in chinese
    assert "日期晚于数据提取日" in chinese
    for page in (english, chinese):
        assert f'<data value="{REFUSED}" data-from="context/ingest/rejected_rows">{REFUSED}</data>' in page
    assert f"{REFUSED} were refused" in render_markdown(result.evaluation)


def test_the_limit_is_part_of_the_experiment_and_is_checked_with_it(tmp_path: Path) -> None:
    assert load_experiment(experiment_file(tmp_path)).max_rejected_share == 0.001
    path = experiment_file(tmp_path, "[ingest]\nmax_rejected_share = 0.05")
    assert load_experiment(path).max_rejected_share == 0.05
    for wrong in ("max_rejected_share = 1.5", "max_rejected_share = nan", "max_rejected_share = -0.1"):
        with pytest.raises(ExperimentErrors, match=r"\[ingest\] max_rejected_share: must be a share from 0 to 1"):
            load_experiment(experiment_file(tmp_path, f"[ingest]\n{wrong}"))
    with pytest.raises(ExperimentErrors, match=r"\[ingest\] max_rejected: unknown key; did you mean"):
        load_experiment(experiment_file(tmp_path, "[ingest]\nmax_rejected = 0.1"))


# ---------------------------------------------------------------------------------------------- the command


def test_ingest_exits_3_when_more_is_refused_than_is_allowed_and_keeps_what_it_accepted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    rows, ledger = tmp_path / "rows.csv", tmp_path / "ledger"
    honours("honour", "gossip", "honour").to_csv(rows, index=False)
    assert main(["ingest", str(ledger), "--records", str(rows), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert (report["read"], report["accepted"], report["rejected"]) == (3, 2, {"unknown_kind": 1})
    assert "1 of 3 rows were refused (33%), at most 0.1% may be" in report["error"]
    assert "the 2 accepted rows are in the ledger" in report["error"]
    assert len(Ledger.open(ledger).tables().records["record_id"]) == 2
    assert main(["ingest", str(ledger), "--records", str(rows)]) == 3
    told = capsys.readouterr()
    assert "0 rows accepted, 2 known already" in told.out
    assert "--max-rejected" in told.err
    assert main(["ingest", str(ledger), "--records", str(rows), "--max-rejected", "0.4"]) == 0


def test_a_share_that_is_none_is_refused_before_anything_is_written(tmp_path: Path) -> None:
    rows = tmp_path / "rows.csv"
    honours("honour").to_csv(rows, index=False)
    assert main(["ingest", str(tmp_path / "ledger"), "--records", str(rows), "--max-rejected", "1.5"]) == 2
    assert not (tmp_path / "ledger").exists()


def test_a_run_on_a_ledger_folder_reads_the_counts_the_ledger_kept(
    allowed: tuple[RunResult, Tracker], tmp_path: Path
) -> None:
    text = experiment_file(tmp_path).read_text(encoding="utf-8")
    head, _, tail = text.partition("[ledger.files]")
    path = tmp_path / "folder.toml"
    path.write_text(
        head.replace('policy = "tier"', f'folder = "{allowed[0].ledger}"\npolicy = "tier"')
        + "[outcome.definition]"
        + tail.partition("[outcome.definition]")[2],
        encoding="utf-8",
    )
    with pytest.raises(UserError, match=rf"{REFUSED} of [\d,]+ rows were refused .* into a new ledger") as stopped:
        run(path, tracker=Tracker())
    assert getattr(stopped.value, "exit_code", None) == 3
