"""Gates before promotion, a second person, the history of what was in force, and what happens past them."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from dataclasses import asdict, replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from small_card import DATA, raw_card, small_card, small_evaluation
from small_experiment import experiment_text

from credit_model import UserError, load_evaluator
from credit_model.evaluation.evaluation import EvaluationReport
from credit_model.evaluation.fairness_audit import AttributeAudit, Fairness
from credit_model.evaluation.fairness_cutoffs import Cutoff, GroupAtCutoff
from credit_model.evaluation.gates import Evidence, check, gate_rules
from credit_model.evaluation.measures import LEAST, MEASURES
from credit_model.evaluation.severity_order import SeverityOrder
from credit_model.metrics.performance import UNDEFINED, Estimate
from credit_model.metrics.stability import Movement, Stability
from credit_model.registry.history import History, HistoryError, HistoryView, served_at
from credit_model.registry.promotion import ApprovalError, GateError, WordingError, promote, rollback
from credit_model.registry.registration import register
from credit_model.registry.runs import log_run
from credit_model.registry.store import RegistryError
from credit_model.registry.versions import AliasError, champion
from credit_model.scorecard.card import Card

CARD = small_card()
GOOD = small_evaluation(("gini", 0.41, 0.30, None))


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An MLflow store with nothing in it: MLflow takes hundreds of steps to make one."""
    from credit_model.registry.store import connected

    path = tmp_path_factory.mktemp("empty") / "mlflow.db"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{path}")
        with connected():
            return path


@pytest.fixture
def store(empty: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with an empty MLflow store."""
    shutil.copy(empty, tmp_path / "mlflow.db")
    monkeypatch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{tmp_path / 'mlflow.db'}")
    return tmp_path


@pytest.fixture(scope="module")
def shared(empty: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A store for tests that each register a version of their own."""
    folder = tmp_path_factory.mktemp("governed")
    shutil.copy(empty, folder / "mlflow.db")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("MLFLOW_TRACKING_URI", f"sqlite:///{folder / 'mlflow.db'}")
        yield folder


def client_of(folder: Path) -> Any:
    from mlflow import MlflowClient

    return MlflowClient(f"sqlite:///{folder / 'mlflow.db'}")


def registered(
    card: Card = CARD, evaluation: EvaluationReport = GOOD, name: str = "personal-credit", **gates: Any
) -> int:
    made = register(card, log_run("made"), author="Li Wei", evaluation=evaluation, name=name, gates=gates or None)
    return made.version


# ---------------------------------------------------------------------------------------------------- gates


def stability_of(**values: float) -> Stability:
    """A comparison that found these values, by kind of movement."""
    movements = tuple(Movement(kind, "", "", "", value, None, False) for kind, value in values.items())
    return Stability("", (), (), 100, 100, 700.0, 700.0, 0.1, 0.1, None, UNDEFINED, movements)


QUIET = stability_of(grades=0.002, tail=0.002, with_record=0.002)


def unequal(ratio: float, high: float) -> Fairness:
    """An audit of one attribute: a group that is eligible less often than the reference."""
    groups = tuple(
        GroupAtCutoff(name, UNDEFINED, found, *[UNDEFINED] * 4, verdict)
        for name, found, verdict in (
            ("south", Estimate(1.0, None, None), "reference"),
            ("north", Estimate(ratio, 0.6, high), "below"),
        )
    )
    cutoff = Cutoff(680.0, groups, UNDEFINED)
    return Fairness((AttributeAudit("district", "District", "区县", "south", (), (cutoff,), ()),), ())


MEASURED = tuple(name for name, measure in MEASURES.items() if measure.gate is LEAST)
# Gate -> a version that fails it, the limit it was declared with, and what the refusal says was found.
FAILING: dict[str, tuple[dict[str, Any], Any, str]] = {
    **{
        name: (
            {"evaluation": small_evaluation((name, 0.41, 0.5, None))},
            0.5,
            f"{name} (all) is 0.41, limit at least 0.5",
        )
        for name in MEASURED
    },
    "slope": (
        {"evaluation": small_evaluation(("slope", 1.3, 0.88, 1.12))},
        (0.88, 1.12),
        "slope (all) is 1.3, limit 0.88 to 1.12",
    ),
    "observed_to_expected": (
        {"evaluation": small_evaluation(("observed_to_expected", None, 0.9, 1.1))},
        0.1,
        "observed_to_expected (all) was not measured, limit 0.9 to 1.1",
    ),
    "gini_minus_champion": (
        {"evaluation": small_evaluation(champion={"version": 4, "card": "ab" * 32})},
        -0.01,
        "gini_minus_champion is measured against card abababababab, limit at least -0.01 against card none, in force",
    ),
    "psi_of_grades": ({"evaluation": GOOD}, 0.01, "psi_of_grades is not in the evaluation, limit at most 0.01"),
    "psi_of_tail": (
        {"evaluation": GOOD.with_sections(stability=stability_of(tail=0.13))},
        0.1,
        "psi_of_tail is 0.13, limit at most 0.1",
    ),
    "eligibility_ratio": (
        {"evaluation": GOOD.with_sections(fairness=unequal(0.7, high=0.78))},
        0.8,
        "eligibility_ratio (district) is 0.7 (interval to 0.78) for north from 680 points, limit at least 0.8",
    ),
    "record_monotone": (
        {"card": raw_card()},
        True,
        "record_monotone is broken (x: a raw column; how records move it is not known), limit true",
    ),
    "severity_order": (
        {"evaluation": GOOD.with_sections(severity_order=SeverityOrder(400, 3))},
        0,
        "severity_order is 3 of 400 pairs out of order, limit at most 0",
    ),
    "reasons": ({"card": raw_card()}, True, "reasons is missing for x, limit a code and a text in both languages"),
    "latency_ms": ({}, 1e-9, "limit at most 1e-09"),
    "documents": ({}, ("report.html",), "documents is without report.html, limit report.html"),
    "impact_assessment": ({}, True, "impact_assessment is not attached, limit attached (--impact-assessment FILE)"),
}


def test_every_gate_has_a_version_that_fails_it() -> None:
    assert FAILING.keys() == gate_rules().keys()


@pytest.mark.parametrize("gate", FAILING)
def test_a_gate_that_fails_names_value_limit_and_data(gate: str, shared: Path) -> None:
    version, limit, says = FAILING[gate]
    name = f"failing-{gate.replace('_', '-')}"
    made = {"card": CARD, "evaluation": GOOD} | version
    number = registered(name=name, **made, **{gate: limit})
    with pytest.raises(GateError) as caught:
        promote(number, approver="Zhou Min", name=name)
    assert says in str(caught.value)
    assert f"(card {made['card'].digest[:12]}, data {DATA[:12]}) may not be promoted" in str(caught.value)
    assert caught.value.exit_code == 3
    assert (champion(name), served_at(date.today(), name=name)) == (None, ())  # nothing was approved


PASSING: dict[str, Any] = {
    **dict.fromkeys(MEASURED, 0.3),
    "slope": (0.88, 1.12),
    "observed_to_expected": 0.1,
    "gini_minus_champion": -0.01,
    "psi_of_grades": 0.01,
    "psi_of_tail": 0.1,
    "eligibility_ratio": 0.8,
    "record_monotone": True,
    "severity_order": 0,
    "reasons": True,
    "latency_ms": 1_000.0,
    "documents": ("evaluation.json",),
    "impact_assessment": True,
}


def test_a_version_that_passes_every_gate_is_in_force_and_the_history_says_why(store: Path) -> None:
    measured = [(name, 0.41, 0.3, None) for name in MEASURED]
    evaluation = small_evaluation(
        *measured, ("slope", 1.0, 0.88, 1.12), ("observed_to_expected", 1.0, 0.9, 1.1)
    ).with_sections(fairness=unequal(0.78, high=0.85), stability=QUIET, severity_order=SeverityOrder(400, 0))
    version = registered(evaluation=evaluation, **PASSING)
    (store / "assessment.md").write_text("What this does to people.", encoding="utf-8")
    done = promote(version, approver="Zhou Min", impact_assessment=store / "assessment.md")
    assert {check.name.split(" ")[0] for check in done.checks} == gate_rules().keys()
    assert load_evaluator("models:/personal-credit@champion").version == version
    approved = next(e for e in History().read().entries if e["event"] == "approved")
    assert (approved["author"], approved["approver"], approved["card"]) == ("Li Wei", "Zhou Min", CARD.digest)
    assert (approved["data"], approved["evaluation"]) == (DATA, evaluation.digest)
    assert [gate["name"] for gate in approved["gates"]] == [check.name for check in done.checks]
    run = client_of(store).get_model_version("personal-credit", str(version)).run_id
    assert [a.path for a in client_of(store).list_artifacts(run, "impact_assessment")] == [
        "impact_assessment/assessment.md"
    ]


def test_stability_and_eligibility_are_read_from_the_evaluation() -> None:
    """Each kind of movement by itself; a group fails only where its whole interval lies below."""
    moved = {"stability": {"movements": [{"kind": "grades", "value": 0.002}, {"kind": "tail", "value": 0.13}]}}
    checks = check({"psi_of_grades": 0.01, "psi_of_tail": 0.1}, Evidence(CARD, moved))
    assert [(str(one), one.passed) for one in checks] == [
        ("psi_of_grades is 0.002, limit at most 0.01", True),
        ("psi_of_tail is 0.13, limit at most 0.1", False),
    ]
    (unsure,) = check({"eligibility_ratio": 0.8}, Evidence(CARD, {"fairness": asdict(unequal(0.7, high=0.82))}))
    (absent,) = check({"eligibility_ratio": 0.8}, Evidence(CARD, {}))
    assert (unsure.passed, absent.passed, absent.value) == (True, False, "not in the evaluation")


def test_what_a_tag_says_of_gates_or_author_counts_for_nothing(shared: Path) -> None:
    bad = small_evaluation(("gini", 0.41, 0.5, None))
    number, client = registered(evaluation=bad, name="tagged"), client_of(shared)
    for tag, value in (("gates_passed", "true"), ("gates", "[]"), ("author", "somebody else")):
        client.set_model_version_tag("tagged", str(number), tag, value)
    with pytest.raises(GateError, match=r"gini \(all\) is 0\.41, limit at least 0\.5"):
        promote(number, approver="Zhou Min", name="tagged")
    with pytest.raises(ApprovalError, match="Li Wei made it and cannot approve it too"):
        promote(number, approver="Li Wei", name="tagged")


def test_an_altered_evaluation_is_refused_with_both_digests(shared: Path) -> None:
    bad = small_evaluation(("gini", 0.41, 0.5, None))
    number, client = registered(evaluation=bad, name="rewritten"), client_of(shared)
    run = client.get_model_version("rewritten", str(number)).run_id
    path = shared / "mlruns" / run / "artifacts" / "evaluation.json"
    document = json.loads(path.read_text(encoding="utf-8"))
    document["gates"][0] |= {"value": 0.9, "passed": True}
    path.write_text(json.dumps(document), encoding="utf-8")
    with pytest.raises(GateError, match=rf"evaluation.json is digest \w{{12}}, limit digest {bad.digest[:12]}"):
        promote(number, approver="Zhou Min", name="rewritten")
    path.unlink()
    with pytest.raises(GateError, match=rf"data {DATA[:12]}\) .* evaluation.json is missing, limit digest"):
        promote(number, approver="Zhou Min", name="rewritten")


def test_without_gates_somebody_has_to_say_so(store: Path) -> None:
    number = registered(evaluation=small_evaluation())
    with pytest.raises(ApprovalError, match="its experiment declares no gates"):
        promote(number, approver="Zhou Min")
    done = promote(number, approver="Zhou Min", without_gates="a city that is made up")
    assert done.without_gates == "a city that is made up"
    assert any(e.get("without_gates") == "a city that is made up" for e in History().read().entries)
    gated = registered()
    with pytest.raises(ApprovalError, match=r"has gates \(gini\): leave out --without-gates"):
        promote(gated, approver="Zhou Min", without_gates="no need")


def test_a_rival_that_was_replaced_meanwhile_has_to_be_met_again(store: Path) -> None:
    first, second = small_card(seed=1), small_card(seed=2)
    promote(registered(first), approver="Zhou Min")
    met = _against(first, low=-0.004)
    worse = _against(first, low=-0.02)
    with pytest.raises(
        GateError, match=r"gini_minus_champion \(lower end of the interval\) is -0\.02, limit at least -0\.01"
    ):
        promote(registered(evaluation=worse, gini_minus_champion=-0.01), approver="Zhou Min")
    fair = registered(small_card(seed=3), evaluation=met, gini_minus_champion=-0.01)
    promote(registered(second), approver="Zhou Min")
    with pytest.raises(
        GateError, match=f"measured against card {first.digest[:12]}, .* against card {second.digest[:12]}"
    ):
        promote(fair, approver="Zhou Min")
    rollback(approver="Zhou Min")
    assert promote(fair, approver="Zhou Min").previous == 1


def _against(rival: Card, low: float) -> EvaluationReport:
    """An evaluation beside a rival's ranking of the same rows."""
    plain = small_evaluation(champion={"version": 1, "card": rival.digest}).to_dict()
    paired = {"card_minus_this": {"value": low + 0.01, "low": low, "high": low + 0.02}}
    plain["rankings"] = [{"role": "champion", "label_en": "Champion", "label_zh": "现行模型", "measures": paired}]
    return EvaluationReport.from_dict(plain)


def test_an_impact_assessment_that_is_not_there_is_one_line(shared: Path) -> None:
    with pytest.raises(ApprovalError, match=r"cannot attach the impact assessment nowhere\.pdf: no such file"):
        promote(1, approver="Zhou Min", impact_assessment="nowhere.pdf")


# ---------------------------------------------------------------------------------------------------- past the gates


def test_an_alias_set_past_the_gates_is_refused(store: Path) -> None:
    first, second = registered(), registered(small_card(seed=2))
    client = client_of(store)
    client.set_registered_model_alias("personal-credit", "champion", str(first))
    with pytest.raises(AliasError, match=r"points at version 1, which no promotion put there: .* knows no promotion"):
        load_evaluator("models:/personal-credit@champion")
    promote(first, approver="Zhou Min")
    assert load_evaluator("models:/personal-credit@champion").version == first
    client.set_registered_model_alias("personal-credit", "champion", str(second))
    with pytest.raises(AliasError, match=r"points at version 2, .* knows version 1, approved by Zhou Min"):
        load_evaluator("models:/personal-credit@champion")
    promote(first, approver="Zhou Min")  # puts it back, and is no second promotion
    assert load_evaluator("models:/personal-credit@champion").version == first
    assert len(History().read().terms("personal-credit", "champion")) == 1


def test_a_card_exchanged_together_with_its_tag_is_refused(shared: Path) -> None:
    number, client = registered(name="exchanged"), client_of(shared)
    promote(number, approver="Zhou Min", name="exchanged")
    other = small_card(seed=9)
    model = client.get_model_version("exchanged", str(number)).source.removeprefix("models:/")
    other.save(shared / "mlruns" / "models" / model / "artifacts" / "data" / "card" / "card.json")
    client.set_model_version_tag("exchanged", str(number), "card_digest", other.digest)
    with pytest.raises(
        RegistryError, match=f"its card has digest {other.digest[:12]}, registered was {CARD.digest[:12]}"
    ):
        load_evaluator("models:/exchanged@champion")


def _edit(path: Path) -> None:
    path.write_bytes(path.read_bytes().replace(b"Zhou Min", b"Zhou Mia", 1))


def _cut(path: Path) -> None:
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def _rewrite(path: Path) -> None:
    """Write the history anew, every link right, as if another had approved."""
    from credit_model.foundation.chain import Chain

    other = Chain(path.with_name("other") / path.name, head=path.parents[1] / "other" / "head")
    for entry in map(json.loads, path.read_text(encoding="utf-8").splitlines()):
        other.append({**entry["entry"], "approver": "Chen Jing"})
    other.path.replace(path)


def _remove(path: Path) -> None:
    path.unlink()


@pytest.mark.parametrize("damage", [_edit, _cut, _rewrite, _remove])
def test_a_history_that_was_altered_is_not_believed(damage: Callable[[Path], None], store: Path) -> None:
    promote(registered(), approver="Zhou Min")
    damage(History().path)
    assert not History().verify().holds
    asked: list[Callable[[], Any]] = [
        lambda: load_evaluator("models:/personal-credit@champion"),
        lambda: served_at(date.today()),
    ]
    for ask in asked:
        with pytest.raises(HistoryError, match="does not hold"):
            ask()
    with pytest.raises(UserError):
        promote(1, approver="Chen Jing")


def test_a_line_added_behind_the_end_is_not_believed(store: Path) -> None:
    """Somebody who can write to the folder of the history, but not to its head, approves something."""
    import hashlib

    second = registered(small_card(seed=2))
    promote(registered(), approver="Zhou Min")
    path = History().path
    lines = path.read_bytes().splitlines(keepends=True)
    forged = json.loads(lines[-1]) | {"previous": hashlib.sha256(lines[-1]).hexdigest()}
    forged["entry"] |= {"version": second, "card": small_card(seed=2).digest}
    with path.open("ab") as file:
        file.write(json.dumps(forged, separators=(",", ":")).encode() + b"\n")
    client_of(store).set_registered_model_alias("personal-credit", "champion", str(second))
    with pytest.raises(AliasError, match="which no promotion put there"):
        load_evaluator("models:/personal-credit@champion")


def test_the_head_may_not_lie_with_the_history(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDIT_MODEL_HEADS", str(store / "mlflow.history" / "heads"))
    with pytest.raises(UserError, match="lies in the folder of its log"):
        registered()


def test_the_history_lies_where_it_is_told(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDIT_MODEL_HISTORY", str(store / "shared" / "promotions.jsonl"))
    monkeypatch.setenv("CREDIT_MODEL_HEADS", str(store / "safe"))
    promote(registered(), approver="Zhou Min")
    assert {path.name for path in (store / "safe").iterdir()} == {"promotions.head"}
    assert not (store / "mlflow.history").exists()
    monkeypatch.delenv("CREDIT_MODEL_HISTORY")
    with pytest.raises(AliasError, match="set CREDIT_MODEL_HISTORY"):  # another machine, which knows nothing
        load_evaluator("models:/personal-credit@champion")
    assert load_evaluator("models:/personal-credit/1").card == CARD


# ---------------------------------------------------------------------------------------------------- back, and when


def test_a_rollback_goes_back_and_never_returns_to_what_was_taken_back(store: Path) -> None:
    for seed in (1, 2, 3):
        promote(registered(small_card(seed=seed)), approver="Zhou Min")
    done = rollback(approver="Zhou Min", reason="a source was mapped wrongly")
    assert (done.version, done.previous) == (2, 3)
    assert load_evaluator("models:/personal-credit@champion").version == 2
    assert rollback(approver="Zhou Min").version == 1  # not 3, which was taken back
    with pytest.raises(RegistryError, match="versions in force before the present one: none"):
        rollback(approver="Zhou Min")
    promote(3, approver="Zhou Min")
    assert rollback(approver="Zhou Min", to=1).version == 1
    assert rollback(approver="Zhou Min", to=1).version == 1  # the same command again goes no further
    with pytest.raises(RegistryError, match="to version 2: versions in force before the present one: none"):
        rollback(approver="Zhou Min", to=2)
    with pytest.raises(ApprovalError, match="no approver"):
        rollback(approver=" ")
    promote(2, approver="Zhou Min")
    with pytest.raises(ApprovalError, match="Li Wei made it"):
        rollback(approver="Li Wei")
    hows = [(term.version, term.how) for term in History().read().terms("personal-credit", "champion")]
    assert hows == [
        (1, "promotion"), (2, "promotion"), (3, "promotion"), (2, "rollback"), (1, "rollback"), (3, "promotion"),
        (1, "rollback"), (2, "promotion"),
    ]  # fmt: skip


START = datetime(2026, 1, 1, 12, tzinfo=UTC)
STEPS = st.lists(
    st.tuples(st.sampled_from(["promote", "rollback"]), st.integers(1, 4), st.integers(0, 5), st.integers(0, 86_399)),
    max_size=12,
)


@given(STEPS)
def test_served_at_is_right_for_every_day(steps: list[tuple[str, int, int, int]]) -> None:
    """Against a plain diary: who was in force in each second in which something happened, and between."""
    entries: list[dict[str, Any]] = []
    diary: list[tuple[datetime, int]] = []
    stack: list[int] = []
    now = START
    for what, version, days, seconds in steps:
        now = now + timedelta(days=days, seconds=seconds)
        if what == "rollback":
            if len(stack) < 2:
                continue
            stack.pop()
            how = "rollback"
        elif stack[-1:] == [version]:
            continue
        else:
            stack.append(version)
            how = "promotion"
        diary.append((now, stack[-1]))
        about = {"model": "m", "alias": "champion", "version": stack[-1], "card": f"c{stack[-1]}", "approver": "Z"}
        fields = {"how": how, "at": now.isoformat(timespec="milliseconds")}
        entries += [
            {"event": "approved", **about, **fields},
            {"event": "in_force", **about, **fields, "since": fields["at"]},
        ]
    view = HistoryView(tuple(entries))
    terms = view.terms("m", "champion")
    assert [term.version for term in view.rollback_targets("m", "champion")] == stack[:-1]
    for offset in range(-2, 65):
        day = (START + timedelta(days=offset)).date()
        midnight = datetime(day.year, day.month, day.day, tzinfo=UTC)
        began = [version for moment, version in diary if moment <= midnight][-1:]
        during = [version for moment, version in diary if moment.date() == day and moment != midnight]
        instant = [version for moment, version in diary if moment == midnight]
        assert [term.version for term in terms if term.on(day)] == (instant or began) + during
        assert [term.version for term in terms if term.at(midnight)] == began


def test_a_day_has_every_version_that_was_in_force_on_it_and_a_moment_one(store: Path) -> None:
    promote(registered(), approver="Zhou Min")
    between = datetime.now(UTC)
    promote(registered(small_card(seed=2)), approver="Zhou Min")
    today = datetime.now(UTC).date()
    assert [term.version for term in served_at(today)] == [1, 2]
    assert [term.version for term in served_at(between)] == [1]
    assert [term.version for term in served_at(datetime.now(UTC).isoformat())] == [2]
    assert served_at(str(today - timedelta(days=1))) == ()
    assert [term.version for term in served_at(today + timedelta(days=400))] == [2]
    with pytest.raises(HistoryError, match="'yesterday' is no day and no moment"):
        served_at("yesterday")


def test_a_promotion_that_was_cut_off_is_finished_or_superseded(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """What a kill leaves between approval, alias and effect; the loss of power at each of them is in test_faults."""
    first, second = registered(), registered(small_card(seed=2))
    client = client_of(store)
    promote(first, approver="Zhou Min")
    history = History()
    with history.lock() as view:
        history.add("approved", view, model="personal-credit", alias="champion", version=second,
                    card=small_card(seed=2).digest, author="Li Wei", approver="Zhou Min", how="promotion")  # fmt: skip
    assert load_evaluator("models:/personal-credit@champion").version == first
    with pytest.raises(HistoryError, match="whether version 2 of 'personal-credit' came into force"):
        served_at(datetime.now(UTC))
    client.set_registered_model_alias("personal-credit", "champion", str(second))
    assert load_evaluator("models:/personal-credit@champion").version == second
    assert promote(second, approver="Zhou Min").previous == first
    approval, effect = (
        e for e in History().read().entries if e.get("version") == second and e["event"] != "registered"
    )
    assert (approval["event"], effect["event"], effect["since"]) == ("approved", "in_force", approval["at"])


def test_time_never_runs_backwards_in_the_history(store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import credit_model.registry.history as module

    class Backwards(datetime):
        """A clock that was set back by a day."""

        @classmethod
        def now(cls, tz: Any = None) -> Any:
            return datetime.now(tz) - timedelta(days=1)

    promote(registered(), approver="Zhou Min")
    monkeypatch.setattr(module, "datetime", Backwards)
    promote(registered(small_card(seed=2)), approver="Zhou Min")
    moments = [entry["at"] for entry in History().read().entries]
    assert moments == sorted(moments)


# ---------------------------------------------------------------------------------------------------- from end to end

EXPERIMENT = experiment_text(
    "Does it rank beside the card in force?",
    """
[card]
max_characteristics = 4
max_bins = 3
trials = 1
[gates]
gini_minus_champion = LIMIT
record_monotone = true
reasons = true
documents = ["card.json", "evaluation.json", "report.html"]
""",
    people=1_500,
    include=("INCLUDE",),
)


def test_a_card_is_compared_with_the_one_in_force_on_its_own_rows(
    store: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from credit_model.cli.main import main
    from credit_model.experiments.pipeline import run

    monkeypatch.setenv("CREDIT_MODEL_HOME", str(store / "home"))

    def version(name: str, include: str, limit: float) -> Any:
        path = store / f"{name}.toml"
        path.write_text(EXPERIMENT.replace('"INCLUDE"', include).replace("LIMIT", str(limit)), encoding="utf-8")
        return run(path, author="Li Wei")

    first = version("first", '"adverse_*"', 0.0)
    assert [ranking.role for ranking in first.evaluation.rankings if ranking.role == "champion"] == []
    assert main(["promote", "1", "--approver", "Zhou Min", "--json"]) == 0
    checks = {check["name"]: check["value"] for check in json.loads(capsys.readouterr().out)["checks"]}
    assert checks["gini_minus_champion"] == "without a champion to compare with"
    again = version("again", '"adverse_*"', 0.0)  # the same card: no difference at all, and none below the limit
    (rival,) = (ranking for ranking in again.evaluation.rankings if ranking.role == "champion")
    assert (rival.measures["card_minus_this"].value, rival.measures["gini"]) == (
        0.0,
        first.evaluation.segments["all"].measures["gini"],
    )
    assert "现行模型（版本1）" in Path(again.report).read_text(encoding="utf-8")
    assert promote(again.version, approver="Zhou Min").previous == 1
    better = version("better", '"adverse_*"', 0.2)  # asks for more than an equal can give
    assert main(["promote", str(better.version), "--approver", "Zhou Min"]) == 3
    (said,) = capsys.readouterr().err.splitlines()
    data = better.evaluation.context["digests"]["out-of-time sample"]
    assert f"data {data[:12]}) may not be promoted: " in said
    assert "gini_minus_champion (lower end of the interval) is 0, limit at least 0.2" in said


def test_what_was_in_force_is_told_by_commands(store: Path, capsys: pytest.CaptureFixture[str]) -> None:
    from credit_model.cli.main import main

    def said(*arguments: str, code: int = 0) -> str:
        assert main(list(arguments)) == code
        return capsys.readouterr().out

    for seed in (1, 2):
        promote(registered(small_card(seed=seed)), approver="Zhou Min")
    back = json.loads(said("rollback", "--approver", "Zhou Min", "--reason", "wrong mapping", "--json"))
    assert (back["version"], back["previous"]) == (1, 2)
    today = str(datetime.now(UTC).date())
    terms = json.loads(said("served-at", today, "--json"))["terms"]
    assert [(term["version"], term["how"]) for term in terms] == [(1, "promotion"), (2, "promotion"), (1, "rollback")]
    assert said("served-at", "2020-01-01") == "none\n"
    shown = said("history")
    for words in ("registered, gates: gini", "promotion to champion approved", "wrong mapping", "it holds"):
        assert words in shown
    assert [e["event"] for e in json.loads(said("history", "--json"))["entries"]].count("in_force") == 3
    _edit(History().path)
    assert "was altered" in said("history", code=3)


def test_what_a_person_would_be_told_is_demanded_at_promotion_and_named_in_one_line(store: Path) -> None:
    first, second, *others = CARD.characteristics
    assert first.definition is not None
    assert second.definition is not None
    bare = replace(first, definition=replace(first.definition, label_zh="", label_en="", reason=""))
    half = replace(second, definition=replace(second.definition, reason=""))
    version = registered(replace(CARD, characteristics=(bare, half, *others)))
    absent = rf"{first.name} \(label_zh and label_en and reason\), {second.name} \(reason\)\. Write it into"
    with pytest.raises(WordingError, match=rf"cannot promote version {version} of 'personal-credit': .*{absent}"):
        promote(version, approver="Zhou Min")
    assert not History().read().terms("personal-credit", "champion")
