"""The file of an experiment: what it may say, and that all its faults are named at once."""

from __future__ import annotations

import hashlib
import random
import tomllib
from datetime import date
from pathlib import Path
from typing import Any

import pytest

from credit_model import UserError
from credit_model.experiments.experiment import Experiment, ExperimentErrors, Range, SyntheticCity
from credit_model.experiments.reader import load_experiment
from credit_model.foundation.calendar import from_days
from credit_model.scorecard.bins import BinEdits, NumericBins

# The example of the interfaces, word for word, with an approver and a ground.
EXAMPLE = """\
schema = 1
question = "Does a 36-month look-back rank better than 24 without losing stability?"
seed = 20261124
[ledger]        # one of: synthetic profile and size, or a folder
synthetic = { profile = "R", people = 100_000 }
policy = "tier"                 # or "retention"
day_of_use = 2026-11-24
[outcome]
definition = "y12"              # or a table: kinds, attribute test, performance window in months or days, maturity in months
[sample]
out_of_time = 2025-04-01        # development dates walk back from out_of_time - (performance window + maturity)
development_dates = 2
every_months = 12
train_repaired = "asof"
[features]
include = ["*"]
max_look_back_months = 60
record_monotone = true
[card]
method = "woe_logistic"
profile = "zhejiang_1000"
max_characteristics = 20
max_bins = { low = 3, high = 8 }     # a range is searched, a number is fixed
trials = 30
[[card.policy_points]]
characteristic = "honours_60m"
points = [0, 6, 10]
approver = "Chen Jing"
ground = "honours are too rare to learn from"
[gates]
soft_gini_to_attainable = 0.90
slope = [0.88, 1.12]
"""  # noqa: E501


def load(text: str, folder: Path, name: str = "example") -> Experiment:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f"{name}.toml"
    path.write_text(text, encoding="utf-8")
    return load_experiment(path)


def changed(*changes: tuple[str, str]) -> str:
    """The example with some of its words replaced; every one of them has to be there."""
    text = EXAMPLE
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def faults(text: str, folder: Path) -> tuple[str, ...]:
    with pytest.raises(ExperimentErrors) as caught:
        load(text, folder)
    message = str(caught.value)
    assert "\n" not in message
    assert all(fault in message for fault in caught.value.faults)
    return caught.value.faults


def test_the_example_of_the_interfaces_is_read_as_it_is_written(tmp_path: Path) -> None:
    experiment = load(EXAMPLE, tmp_path)
    assert experiment.name == "example"
    assert experiment.ledger.source == SyntheticCity("R", 100_000, 20261124)
    assert experiment.outcome.name == "y12"
    assert str(from_days(experiment.sample.out_of_time)) == "2025-04-01"
    assert experiment.card.fixed == {"max_characteristics": 20, "penalty": 1.0}
    assert experiment.card.searched == {"max_bins": Range(3, 8)}
    assert experiment.gates == {"soft_gini_to_attainable": 0.9, "slope": (0.88, 1.12)}
    assert [points.points for points in experiment.card.policy_points] == [(0, 6, 10)]


def test_development_dates_walk_back_from_the_last_day_whose_labels_are_mature(tmp_path: Path) -> None:
    # 12 months of performance and 7 of maturity before 2025-04-01, then every 12 months
    days = load(EXAMPLE, tmp_path).sample.development
    assert [str(from_days(day)) for day in days] == ["2022-09-01", "2023-09-01"]


def test_of_what_a_pattern_includes_the_unusable_is_left_out_and_the_reason_is_told(tmp_path: Path) -> None:
    text = changed(("max_look_back_months = 60", "max_look_back_months = 24"), ("honours_60m", "volunteer_hours_24m"))
    experiment = load(text, tmp_path)
    used = {feature.name for feature in experiment.features}
    assert experiment.left_out["adverse_60m"] == "looks back further than 24 months"
    assert "adverse_24m" in used
    assert not used & set(experiment.left_out)


def test_a_feature_that_is_named_is_not_silently_left_out(tmp_path: Path) -> None:
    text = changed(("max_look_back_months = 60", "max_look_back_months = 24"), ('["*"]', '["adverse_60m"]'))
    assert any("adverse_60m" in fault for fault in faults(text, tmp_path))


def test_every_fault_of_a_file_is_named_in_one_message(tmp_path: Path) -> None:
    text = changed(
        ("seed = 20261124", "sed = 20261124"),
        ("people = 100_000", "people = 0"),
        ('policy = "tier"', 'policy = "teir"'),
        ("out_of_time = 2025-04-01", 'out_of_time = "April"'),
        ('["*"]', '["adverse_24", "honours_*"]'),
        ("{ low = 3, high = 8 }", "{ low = 8, high = 3 }"),
        ("[0, 6, 10]", "[0, 600, 1000]"),
        ("slope = [0.88, 1.12]", "slop = [0.88, 1.12]"),
    )
    found = faults(text, tmp_path)
    for expected in (
        "sed: unknown key; did you mean 'seed'?",
        "seed: is missing",
        "[ledger] [synthetic] people: must be at least 1",
        "[ledger] policy 'teir' is not in catalogue 'zhejiang_persons'; it has tier, retention",
        "[sample] out_of_time: must be a date, not str",
        "[features] include: 'adverse_24' no such feature; did you mean 'adverse_24m'?",
        "[card] max_bins: low must be below high",
        "[card] policy_points: add up to 1000 points, profile 'zhejiang_1000' allows 35",
        "[gates] slop: is no gate; did you mean 'slope'?",
    ):
        assert expected in found, found
    assert len(found) == 9


def test_a_wrong_policy_does_not_hide_what_is_wrong_with_the_features(tmp_path: Path) -> None:
    found = faults(changed(('policy = "tier"', 'policy = "teir"'), ('["*"]', '["*", "age"]')), tmp_path)
    assert any("policy 'teir' is not in catalogue" in fault for fault in found)
    assert any("'age' is on the deny-list" in fault for fault in found)


@pytest.mark.parametrize("key", ["question", "seed"])
def test_a_file_is_complete(key: str, tmp_path: Path) -> None:
    text = "\n".join(line for line in EXAMPLE.splitlines() if not line.startswith(f"{key} ="))
    assert faults(text, tmp_path) == (f"{key}: is missing",)


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("schema = 1", "schema = 2", "schema: this version of the package reads schema 1"),
        ('profile = "R"', 'profile = "Q"', "[ledger] [synthetic] profile: unknown: 'Q'"),
        ("every_months = 12", "every_month = 12", "[sample] every_month: unknown key; did you mean 'every_months'?"),
        ("day_of_use = 2026-11-24", "day_of_use = 2026", "[ledger] day_of_use: must be a date, not int"),
        ('definition = "y12"', 'definition = "y13"', "[outcome] definition: unknown: 'y13'; did you mean 'y12'?"),
        ("out_of_time = 2025-04-01", "out_of_time = 2026-04-01", "its labels are not mature on the day of use"),
        ("development_dates = 2", "development_dates = 0", "[sample] development_dates: must be at least 1"),
        ("development_dates = 2", "goods_share = 1.5", "[sample] goods_share: must be above 0 and at most 1"),
        ("development_dates = 2", "development_dates = true", "must be a whole number, not bool"),
        ('train_repaired = "asof"', 'train_repaired = "hide"', "[sample] train_repaired: unknown: 'hide'"),
        ('include = ["*"]', 'include = ["*", "age"]', "'age' is on the deny-list (age): no feature may use it"),
        ('include = ["*"]', 'include = ["*"]\nexclude = ["*"]', "[features] no feature is left"),
        ('method = "woe_logistic"', 'method = "forest"', "[card] method: unknown: 'forest'; known: woe_logistic"),
        ("trials = 30", "trials = 0", "[card] trials: must be at least 1"),
        ("trials = 30", "penalty = { low = 1.0, high = 1.0 }", "[card] penalty: low must be below high"),
        ("trials = 30", "penalty = 0.0", "[card] penalty: must lie between 1e-06 and 1e+06"),
        ("trials = 30", "penalty = nan", "[card] penalty: must lie between 1e-06 and 1e+06"),
        ("{ low = 3, high = 8 }", "{ low = 3 }", "[card] max_bins: must be a whole number, or a range"),
        ("max_characteristics = 20", "max_characteristics = 2.5", "[card] max_characteristics: must be a whole number"),
        ("points = [0, 6, 10]", "points = [0, -6, -10]", "a feature of this trend can add, never take"),
        ("points = [0, 6, 10]", "points = [0, 10, 6]", "a feature of this trend can add, never take"),
        ("points = [0, 6, 10]", "points = [0, 20, 36]", "add up to 36 points, profile 'zhejiang_1000' allows 35"),
        ("points = [0, 6, 10]", "points = [6, 10]", "absence (the first) must have 0 points"),
        ("points = [0, 6, 10]", "points = [0, 6, 10]\ncuts = [0.5]", "3 points need 2 cuts"),
        ('"honours_60m"', '"adverse_24m"', "a feature of this trend can take, never add"),
        ('"honours_60m"', '"honour_60m"', "unknown: 'honour_60m'; did you mean 'honours_60m'?"),
        ('approver = "Chen Jing"', 'approver = " "', "approver: must say who answers for the points"),
        ("slope = [0.88, 1.12]", "slope = [1.12, 0.88]", "[gates] slope: the limit must be [low, high]"),
        ("slope = [0.88, 1.12]", "gini = [0.1, 0.2]", "[gates] gini: the limit must be a least value"),
        ("slope = [0.88, 1.12]", "slope = [0.88, inf]", "[gates] slope: the limit must be [low, high]"),
        ("slope = [0.88, 1.12]", "gini = nan", "[gates] gini: the limit must be a least value"),
    ],
)  # fmt: skip
def test_a_fault_is_named_with_its_place(old: str, new: str, expected: str, tmp_path: Path) -> None:
    (found,) = faults(changed((old, new)), tmp_path)
    assert expected in found


def test_as_many_policy_points_as_the_profile_allows_are_allowed(tmp_path: Path) -> None:
    experiment = load(changed(("[0, 6, 10]", "[0, 20, 35]")), tmp_path)
    assert max(experiment.card.policy_points[0].points) == 35


@pytest.mark.parametrize(("day", "allowed"), [("2023-09-01", True), ("2023-09-02", False), ("2025-04-01", False)])
def test_given_dates_leave_the_gap_that_would_have_been_derived(day: str, allowed: bool, tmp_path: Path) -> None:
    text = changed(("development_dates = 2", f"development = [{day}]"))
    if allowed:
        assert [str(from_days(d)) for d in load(text, tmp_path).sample.development] == [day]
    else:
        (found,) = faults(text, tmp_path)
        assert f"development date {day}" in found
        assert found.endswith("the latest date allowed is 2023-09-01")


def test_dates_and_their_number_are_not_both_given(tmp_path: Path) -> None:
    text = changed(("development_dates = 2", "development_dates = 2\ndevelopment = [2022-01-01]"))
    assert faults(text, tmp_path) == ("[sample] development: give the dates or their number, not both",)


AFTER_AN_EVENT = (
    ("development_dates = 2\nevery_months = 12", "DEVELOPMENT"),
    ("train_repaired", 'observe_after = { kinds = ["adm_penalty"], action = "served" }\ntrain_repaired'),
)


def after_an_event(development: str = "development_from = 2020-01-01", *changes: tuple[str, str]) -> str:
    text = changed(*AFTER_AN_EVENT).replace("DEVELOPMENT", development)
    for old, new in changes:
        assert text.count(old) == 1, old
        text = text.replace(old, new)
    return text


def on_the_day(names: str) -> str:
    return changed(
        ("development_dates = 2\nevery_months = 12", f"development_from = 2020-01-01\nobserve_on = {{ {names} }}")
    )


def test_on_the_day_of_an_event_development_ends_with_the_last_day_whose_labels_are_mature(tmp_path: Path) -> None:
    plan = load(on_the_day('kind = "adm_penalty", column = "decided_on"'), tmp_path).sample
    assert [str(from_days(day)) for day in plan.development] == ["2020-01-01", "2023-09-01"]
    assert plan.observe_after is None
    assert plan.event is not None
    assert plan.event.to_dict() == {"kind": "adm_penalty", "column": "decided_on"}


def test_after_an_event_development_ends_with_the_last_day_whose_labels_are_mature(tmp_path: Path) -> None:
    plan = load(after_an_event(), tmp_path).sample
    assert [str(from_days(day)) for day in plan.development] == ["2020-01-01", "2023-09-01"]
    assert plan.observe_after is not None
    assert plan.observe_after.to_dict() == {"kinds": ["adm_penalty"], "action": "served"}
    assert load(after_an_event("development_from = 2023-09-01"), tmp_path).sample.development[0] == plan.development[1]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (after_an_event("development_from = 2023-09-02"),
         "[sample] development_from: no label is mature by out_of_time after 2023-09-01"),
        (after_an_event(""),
         "[sample] development_from: is missing: the first day of development; the last is derived"),
        (after_an_event("development_from = 2020-01-01\nevery_months = 3"),
         "[sample] every_months: goes with dates for all; observations of an event have days of their own"),
        (after_an_event("development_from = 2020-01-01", ('"served"', '"serve"')),
         "[sample] observe_after: unknown action 'serve'; did you mean 'served'?"),
        (after_an_event("development_from = 2020-01-01", ('["adm_penalty"]', '["adm_penalti"]')),
         "[sample] observe_after: unknown kind 'adm_penalti'; did you mean 'adm_penalty'?"),
        (after_an_event("development_from = 2020-01-01", ('action = "served"', 'on = "served"')),
         "[sample] [observe_after] on: unknown key"),
        (changed(("development_dates = 2", "development_from = 2020-01-01")),
         "[sample] development_from: goes with observe_after"),
        (on_the_day('kind = "adm_penalti", column = "decided_on"'),
         "[sample] observe_on: unknown kind 'adm_penalti'; did you mean 'adm_penalty'?"),
        (on_the_day('kind = "adm_penalty", column = "decided"'),
         "[sample] observe_on: unknown column 'decided'; did you mean 'decided_on'?"),
        (on_the_day('kind = "adm_penalty", column = "amount"'),
         "[sample] observe_on: 'amount' of adm_penalty is no date; its dates are "),
        (on_the_day('kind = "adm_penalty"'), "[sample] [observe_on] column: is missing"),
        (after_an_event("development_from = 2020-01-01\nobserve_on = { kind = 'adm_penalty', column = 'decided_on' }"),
         "[sample] observe_on: give observe_after or observe_on, not both"),
    ],
)  # fmt: skip
def test_a_fault_of_observations_after_an_event_is_named(text: str, expected: str, tmp_path: Path) -> None:
    (found,) = faults(text, tmp_path)
    assert found.startswith(expected)


def test_a_path_may_start_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "tables").mkdir()
    for name in ("people.csv", "records.csv"):
        (tmp_path / "tables" / name).write_text("subject_id\n", encoding="utf-8")
    cases = Path(__file__).parent / "cases"
    (tmp_path / "small.toml").write_bytes((cases / "small_catalogue.toml").read_bytes())
    where = "${CREDIT_MODEL_TEST_TABLES:-elsewhere}"
    files = (
        f'files = {{ catalogue = "small.toml", records = ["{where}/records.csv"], subjects = ["{where}/people.csv"] }}'
    )
    text = changed(('synthetic = { profile = "R", people = 100_000 }', files))
    monkeypatch.delenv("CREDIT_MODEL_TEST_TABLES", raising=False)
    absent = faults(text, tmp_path)
    assert f"[ledger] [files] no file '{where}/records.csv'; paths start at the experiment's own folder" in absent
    monkeypatch.setenv("CREDIT_MODEL_TEST_TABLES", str(tmp_path / "tables"))
    assert not any("no file" in fault for fault in faults(text, tmp_path))


def test_a_definition_that_reads_a_forbidden_attribute_is_refused(tmp_path: Path) -> None:
    tmp_path.joinpath("own.toml").write_text(
        'schema = 1\n[[feature]]\nname = "honours_60m"\nlabel_zh = "荣誉"\nlabel_en = "Honours"\naggregate = "count"\n'
        'where = { polarity = "positive", blood_type = "O" }\nwindow = "60m"\ntrend = "higher_is_better"\n'
        'reason = "P101"\n',
        encoding="utf-8",
    )
    found = faults(changed(('include = ["*"]', 'include = ["*"]\ndefinitions = "own.toml"')), tmp_path)
    assert any("blood_type" in fault and "deny-list" in fault for fault in found), found


def test_a_feature_may_be_tried_before_it_has_labels_and_a_reason_code(tmp_path: Path) -> None:
    tmp_path.joinpath("own.toml").write_text(
        'schema = 1\n[[feature]]\nname = "fines_12m"\naggregate = "count"\nwhere = { kinds = ["adm_penalty"] }\n'
        'window = "12m"\ntrend = "higher_is_worse"\n',
        encoding="utf-8",
    )
    path = tmp_path / "tried.toml"
    path.write_text(changed(('include = ["*"]', 'include = ["*"]\ndefinitions = "own.toml"\nextends = "default"')))
    tried = [feature for feature in load_experiment(path).features if feature.absent_wording]
    assert [feature.label_en for feature in tried] == ["fines_12m"], "the name serves until a version is promoted"


def test_a_ledger_comes_from_exactly_one_place(tmp_path: Path) -> None:
    none = faults(changed(('synthetic = { profile = "R", people = 100_000 }', "")), tmp_path)
    assert none == ("[ledger] needs exactly one of synthetic, folder, files; it has none",)
    two = changed(('policy = "tier"', 'folder = "nowhere"\npolicy = "tier"'))
    assert any("it has synthetic, folder" in fault for fault in faults(two, tmp_path))


@pytest.mark.parametrize(("text", "expected"), [("schema = ", "not valid TOML"), (None, "cannot be read")])
def test_a_file_that_cannot_be_read_is_a_mistake_of_the_user(text: str | None, expected: str, tmp_path: Path) -> None:
    path = tmp_path / "broken.toml"
    if text is not None:
        path.write_text(text, encoding="utf-8")
    with pytest.raises(UserError, match=expected):
        load_experiment(path)


def toml(value: Any) -> str:
    """A value of TOML on one line."""
    if isinstance(value, dict):
        return "{ " + ", ".join(f"{key} = {toml(item)}" for key, item in value.items()) + " }"
    if isinstance(value, list):
        return "[" + ", ".join(map(toml, value)) + "]"
    if isinstance(value, bool):
        return str(value).lower()
    return f'"{value}"' if isinstance(value, str) else str(value)


def shuffled(value: Any, chance: random.Random) -> Any:
    if isinstance(value, dict):
        keys = chance.sample(list(value), len(value))
        return {key: shuffled(value[key], chance) for key in keys}
    return [shuffled(item, chance) for item in value] if isinstance(value, list) else value


@pytest.mark.parametrize("seed", range(3))
def test_the_digest_ignores_comments_the_order_of_keys_the_name_and_the_place(seed: int, tmp_path: Path) -> None:
    said = shuffled(tomllib.loads(EXAMPLE), random.Random(seed))
    text = "# other words\n" + "".join(f"{key} = {toml(value)}  # {seed}\n" for key, value in said.items())
    assert isinstance(said["ledger"]["day_of_use"], date)
    one, other = load(EXAMPLE, tmp_path / "one"), load(text, tmp_path / "other" / "place", "another_name")
    assert text != EXAMPLE
    assert one.digest == other.digest
    assert one.to_json() == other.to_json()


@pytest.mark.parametrize(
    ("old", "new"),
    [
        ("look-back rank better", "look-back rank worse"),
        ("seed = 20261124", "seed = 20261125"),
        ('policy = "tier"', 'policy = "retention"'),
        ("development_dates = 2", "development_dates = 3"),
        ("high = 8", "high = 7"),
        ("[0, 6, 10]", "[0, 6, 11]"),
        ('include = ["*"]', 'include = ["*"]\nexclude = ["adverse_60m"]'),
        ("0.90", "0.91"),
    ],
)
def test_the_digest_follows_what_the_experiment_says(old: str, new: str, tmp_path: Path) -> None:
    assert load(changed((old, new)), tmp_path).digest != load(EXAMPLE, tmp_path).digest


def test_the_stored_attainable_is_checked_by_its_digest(tmp_path: Path) -> None:
    model, sums = tmp_path / "R_tier.txt", tmp_path / "SHA256SUMS"
    text = EXAMPLE + '[evaluation]\nattainable = "R_tier.txt"\n'
    with pytest.raises(ExperimentErrors, match=r"\[evaluation\] attainable: no file 'R_tier\.txt'"):
        load(text, tmp_path)
    model.write_text("tree\n", encoding="utf-8")
    sums.write_text(f"{hashlib.sha256(model.read_bytes()).hexdigest()}  R_tier.txt\n", encoding="ascii")
    assert load(text, tmp_path).attainable == "R_tier.txt"
    model.write_text("another tree\n", encoding="utf-8")
    with pytest.raises(ExperimentErrors, match=r"'R_tier\.txt' is not the model that SHA256SUMS beside it names"):
        load(text, tmp_path)


BINS = """\
[card.bins.adverse_general_24m]
cuts = [0.5, 2.5]
[card.bins.adverse_serious_36m]
edits = [["merge", 0], ["split", 4.5]]
[gates]"""


def test_bins_may_be_given_or_edited_in_the_file(tmp_path: Path) -> None:
    card = load(changed(("[gates]", BINS)), tmp_path).card
    assert card.bins == {
        "adverse_general_24m": NumericBins((0.5, 2.5), whole=True),
        "adverse_serious_36m": BinEdits((("merge", 0), ("split", 4.5))),
    }
    assert load(changed(("[gates]", BINS)), tmp_path).digest != load(EXAMPLE, tmp_path).digest
    assert load(changed(("trials = 30", "trials = 30\nstable = true")), tmp_path).card.stable


def test_an_additive_fit_takes_whole_bins_but_neither_edits_nor_periods(tmp_path: Path) -> None:
    additive = ('method = "woe_logistic"', 'method = "additive"')
    assert load(changed(additive), tmp_path).card.method == "additive"
    found = faults(changed(additive, ("trials = 30", "trials = 30\nstable = true"), ("[gates]", BINS)), tmp_path)
    assert [fault for fault in found if "additive takes whole bins" in fault] == [
        "[card] stable: is for the method woe_logistic; additive takes whole bins and no periods",
        "[card] bins: is for the method woe_logistic; additive takes whole bins and no periods",
    ]


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (("cuts = [0.5, 2.5]", "cuts = [2.5, 0.5]"), "[card] [bins] [adverse_general_24m] numeric bins: cuts must"),
        (("cuts = [0.5, 2.5]", 'cuts = ["x"]'), "[card] [bins] [adverse_general_24m] cuts: must be numbers"),
        (("cuts = [0.5, 2.5]", ""), "[card] [bins] [adverse_general_24m] cuts: give cuts, or edits like"),
        (('["merge", 0], ', '["drop", 0], '), "edits of bins: ['drop', 0] is none; there are merge, split and move"),
        (('["merge", 0], ', "3, "), "[card] [bins] [adverse_serious_36m] edits: must be lists"),
        (("[card.bins.adverse_general_24m]", "[card.bins.height]"), "[card] [bins] height: no such feature"),
        (("[card.bins.adverse_general_24m]", "[card.bins.honours_60m]"), "'honours_60m' has policy points"),
    ],
)  # fmt: skip
def test_bins_that_cannot_be_are_refused(change: tuple[str, str], said: str, tmp_path: Path) -> None:
    found = faults(changed(("[gates]", BINS.replace(*change))), tmp_path)
    assert any(said in fault for fault in found), found
