"""What a mistake is answered with: the one line, and the exit code, as a person at the keyboard sees them."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterator
from fnmatch import fnmatchcase
from pathlib import Path

import pandas as pd
import pytest
import yaml
from small_card import DATA, DAY_OF_USE, penalty, raw_card, small_card, small_evaluation, small_ledger

from credit_model.cli.main import main
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run

CASES = Path(__file__).with_name("cases")
RECORDS = "subject_id,kind,decided_on,known_on,tier\n"
A_ROW = "a,adm_penalty,2025-01-01,2025-01-02,general\n"
ID_NUMBER = "110101202311012176"

FILES = {
    "good.csv": RECORDS + A_ROW,
    "garbage.parquet": "this is no Parquet",
    "foreign.csv": (RECORDS + A_ROW.replace("a,", "王,", 1)).encode("gb18030"),
    "empty.csv": "",
    "few_columns.csv": "subject_id,kind\na,adm_penalty\n",
    "headless.csv": A_ROW,
    "typo.csv": RECORDS.replace("tier", "teir") + A_ROW,
    "forbidden.csv": RECORDS.replace("tier", "民族") + A_ROW,
    "id_numbers.csv": RECORDS.replace("subject_id", "id_number") + A_ROW.replace("a,", f"{ID_NUMBER},", 1),
    "not_a_ledger/notes.txt": "nothing to do with us",
    "broken.toml": "name = \n",
    "catalogue.toml": 'schema = 1\nname = "x"\nversion = "1"\nsubjects = "dogs"\n',
    "other_catalogue.toml": (CASES / "small_catalogue.toml").read_text(encoding="utf-8"),
    "mapping.toml": 'schema = 1\nname = "m"\n[[table]]\nsource = "good"\ntarget = "recrods"\n',
    "mapping_unknown.toml": 'schema = 1\nname = "m"\n[[table]]\nsource = "good"\n[table.columns]\nsubject_id = "who"\n'
    'kind = { value = "gossip" }\ndecided_on = "decided_on"\nknown_on = "known_on"\n',
    "experiment.toml": 'schema = 2\nquestion = "?"\n[ledger]\npolicy = "tear"\n[outcome]\ndefinition = "y13"\n'
    "[sample]\nout_of_time = 2025-04-01\n",
    "features.toml": '[[feature]]\nname = "x"\naggregate = "avg"\nwindow = "2y"\n',
    "observations.csv": "subject_id,as_of\na,2026-01-01\n",
    "observations_unnamed.csv": "subject,as_of\na,2026-01-01\n",
    "observations_unread.csv": "subject_id,as_of\na,01/02/2026\n",
    "observations_undated.csv": "subject_id,as_of\na,\n",
    "not_json.json": "x",
    "no_object.json": "{}",
}

MISTAKES = yaml.safe_load((CASES / "bad_input.yaml").read_text(encoding="utf-8"))

# Rows that are refused one by one: the ingest succeeds and says why.
ROWS = {
    "unknown_kind": "a,gossip,2025-01-01,2025-01-02,",
    "unreadable_date": "a,adm_penalty,soon,2025-01-02,general",
    "missing_required": "a,adm_penalty,2025-01-01,,general",
    "bad_tier": "a,adm_penalty,2025-01-01,2025-01-02,terrible",
    "tier_missing": "a,adm_penalty,2025-01-01,2025-01-02,",
    "tier_not_allowed": "a,honour,2025-01-01,2025-01-02,general",
    "subject_id_is_id_number": f"{ID_NUMBER},adm_penalty,2025-01-01,2025-01-02,general",
}


@pytest.fixture(scope="module")
def desk(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The current folder: a ledger, good and bad files, a store with one version that may not be promoted."""
    folder = tmp_path_factory.mktemp("desk")
    for name, content in FILES.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_bytes(content.encode() if isinstance(content, str) else content)
    decimals = {"id_number": float(ID_NUMBER), "kind": "honour", "decided_on": "2025-01-01", "known_on": "2025-01-02"}
    pd.DataFrame([decimals]).to_parquet(folder / "decimals.parquet")
    card = small_card()
    card.save(folder / "card.json")
    raw_card().save(folder / "raw.json")
    small_card("retention").save(folder / "retention.json")
    (folder / "altered.json").write_text(card.to_json().replace('"points": -80', '"points": -8'), encoding="utf-8")
    small_ledger(folder / "ledger", [penalty("r1", "2025-10-10")])
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.delenv("CREDIT_MODEL_PSEUDONYM_KEY", raising=False)
        patch.chdir(folder)
        evaluation = small_evaluation(("gini", 0.41, 0.5, None))
        register(card, log_run("desk"), author="Li Wei", evaluation=evaluation)
        yield folder


@pytest.mark.parametrize("case", MISTAKES, ids=[case["mistake"] for case in MISTAKES])
def test_a_mistake_is_answered_with_one_line_and_exit_code_two(
    case: dict[str, str], desk: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    expected = case["says"].replace("{store}", f"sqlite:///{desk / 'mlflow.db'}").replace("[", "[[]")
    assert main(shlex.split(case["command"])) == 2
    captured = capsys.readouterr()
    assert captured.out == ""
    (said,) = captured.err.splitlines()
    assert fnmatchcase(said, f"error: {expected}"), said


@pytest.mark.parametrize("reason", ROWS)
def test_a_bad_row_is_refused_alone_with_its_reason(
    reason: str, desk: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "rows.csv").write_text(f"{RECORDS}{A_ROW}{ROWS[reason]}\n", encoding="utf-8")
    assert main(["ingest", str(tmp_path / "ledger"), "--records", str(tmp_path / "rows.csv"), "--json"]) == 3
    report = json.loads(capsys.readouterr().out)
    assert (report["accepted"], report["rejected_rows"], report["rejected"]) == (1, 1, {reason: 1})
    assert ID_NUMBER not in Path(report["quarantine"]).read_text(encoding="utf-8")


def test_a_gate_is_no_mistake_and_leaves_with_three(desk: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["promote", "1", "--approver", "Zhou Min"]) == 3
    (said,) = capsys.readouterr().err.splitlines()
    assert said == (
        f"error: version 1 of 'personal-credit' (card {small_card().digest[:12]}, data {DATA[:12]}) may not be "
        "promoted: gini (all) is 0.41, limit at least 0.5. Mend the card and register it anew; a gate is not overruled."
    )


def test_a_ledger_whose_manifest_was_altered_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    small_ledger(tmp_path / "ledger", [penalty("r1", "2025-10-10")])
    manifest = tmp_path / "ledger" / "ledger.json"
    manifest.write_text(manifest.read_text(encoding="utf-8").replace("tier", "retention"), encoding="utf-8")
    small_card().save(tmp_path / "card.json")
    arguments = ["assess", "a", "--ledger", str(tmp_path / "ledger"), "--model", str(tmp_path / "card.json")]
    assert main([*arguments, "--day-of-use", DAY_OF_USE]) == 2
    (said,) = capsys.readouterr().err.splitlines()
    assert "altered" in said


def test_no_mistake_leaves_a_trace_in_the_ledger(desk: Path) -> None:
    """After all of the above it still holds the one record it was made with."""
    from credit_model import Ledger

    assert Ledger.open(desk / "ledger").tables().records["record_id"].tolist() == ["r1"]
    assert not (desk / "new").exists()
    assert not (desk / "X.parquet").exists()
