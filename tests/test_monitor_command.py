"""The command that watches a card: what it says, in which language, and the exit code a scheduler reads."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from small_card import small_card, small_evaluation, small_ledger
from test_monitoring import CARD, LEARNED, PEOPLE, inspected

from credit_model.cli.main import main
from credit_model.ledger.ledger import Ledger
from credit_model.monitoring.reference import Reference
from credit_model.monitoring.snapshot import Snapshot
from credit_model.registry.reference import fetch_reference
from credit_model.registry.registration import register
from credit_model.registry.runs import RunContent, log_run
from credit_model.registry.store import RegistryError


@pytest.fixture(scope="module")
def watch(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A ledger with a shock in inspection, the card and its reference as files and in a store."""
    folder = tmp_path_factory.mktemp("watch")
    people = [{"subject_id": f"p{i}"} for i in range(PEOPLE)]
    ledger = small_ledger(folder / "ledger", inspected(), subjects=people)
    CARD.save(folder / "card.json")
    reference = Reference.of(CARD, Snapshot.take(ledger, CARD, LEARNED))
    (folder / "reference.json").write_text(reference.to_json(), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        patch.chdir(tmp_path_factory.mktemp("current"))
        run = log_run(
            "watch",
            content=RunContent(artifacts=[folder / "reference.json"], tags={"reference_digest": reference.digest}),
        )
        register(CARD, run, author="Li Wei", evaluation=small_evaluation())
        yield folder


def told(capsys: pytest.CaptureFixture[str], *arguments: object) -> tuple[int, str, str]:
    capsys.readouterr()
    code = main(["monitor", *map(str, arguments)])
    captured = capsys.readouterr()
    return code, captured.out, captured.err


def test_a_quiet_month_ends_with_0_and_says_so(watch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    files = ("--ledger", watch / "ledger", "--model", watch / "card.json", "--reference", watch / "reference.json")
    code, out, _ = told(capsys, *files, "--as-of", "2021-05-01", "--lang", "en")
    assert code == 0
    assert "Quiet: nothing has moved" in out
    assert "平稳" not in out


def test_what_moved_ends_with_3_and_is_told_in_both_languages(watch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(
        capsys, "--ledger", watch / "ledger", "--model", "models:/personal-credit/1", "--as-of", "2021-08-01"
    )
    assert code == 3
    assert "Administrative penalty in 2021-07" in " ".join(out.split())
    assert "行政处罚" in out


def test_a_scheduler_reads_one_object(watch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    code, out, _ = told(
        capsys, "--ledger", watch / "ledger", "--model", "models:/personal-credit/1", "--as-of", "2022-04-01", "--json"
    )
    assert code == 3
    found = json.loads(out)
    assert found["as_of"] == "2022-04-01"
    assert {alarm["kind"] for alarm in found["alarms"]} >= {"characteristic"}
    assert found["stability"]["reference_digest"] == Reference.load(watch / "reference.json").digest


@pytest.mark.parametrize(
    ("arguments", "line"),
    [
        (("--model", "card.json"), "--reference"),
        (("--model", "models:/nobody/1"), "no model 'nobody'"),
        (("--model", "card.json", "--reference", "card.json"), "reference.json"),
        (("--lang", "fr"), "does not speak"),
    ],
)
def test_a_mistake_is_one_line_and_2(
    watch: Path, capsys: pytest.CaptureFixture[str], arguments: tuple[str, ...], line: str
) -> None:
    named = [watch / word if word == "card.json" else word for word in arguments]
    code, _, err = told(capsys, "--ledger", watch / "ledger", "--as-of", "2021-05-01", *named)
    assert code == 2
    assert line in err
    assert err.count("\n") == 1


def test_the_reference_comes_from_the_run_of_the_version_and_is_refused_when_altered(watch: Path) -> None:
    path = fetch_reference("models:/personal-credit/1")
    assert path.read_bytes() == (watch / "reference.json").read_bytes()
    run = log_run(
        "watch", content=RunContent(artifacts=[watch / "reference.json"], tags={"reference_digest": "0" * 64})
    )
    with pytest.raises(RegistryError, match="altered"):
        fetch_reference(f"runs:/{run}")
    bare = log_run("watch")
    register(small_card(seed=3), bare, author="Li Wei", evaluation=small_evaluation())
    with pytest.raises(RegistryError, match=r"cannot read 'reference\.json'"):
        fetch_reference("models:/personal-credit/2")


def test_a_ledger_is_watched_as_of_today_unless_told(watch: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert Ledger.open(watch / "ledger").policy == "tier"
    code, out, _ = told(capsys, "--ledger", watch / "ledger", "--model", "models:/personal-credit/1", "--json")
    assert code in (0, 3)
    assert json.loads(out)["stability"]["people_now"] == PEOPLE
