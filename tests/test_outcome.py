"""What happened next: the cases a lawyer can read, a naive reading of random files, and outcomes of one's own."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import pytest
import yaml

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.foundation.calendar import from_days, to_day
from credit_model.ledger.ledger import Ledger
from credit_model.sample.outcome import Y12, Outcome, OutcomeErrors

USE = "2026-11-24"
CASES = yaml.safe_load((Path(__file__).parent / "cases" / "outcome.yaml").read_text(encoding="utf-8"))


def day(text: str | dt.date) -> dt.date:
    return text if isinstance(text, dt.date) else dt.date.fromisoformat(text)


@pytest.fixture(scope="module")
def labels(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    """Every case as a person of its own in one ledger; one row of labels a case, by its sentence."""
    records: list[dict[str, Any]] = []
    amendments: list[dict[str, Any]] = []
    people: list[dict[str, Any]] = []
    for number, case in enumerate(CASES):
        subject = f"P{number:03}"
        people += [{"subject_id": subject, **version} for version in case.get("people", [{"born_on": "1980-01-01"}])]
        for place, said in enumerate(case["records"]):
            decided = day(said["decided_on"])
            defaults = {"record_id": f"R{number:03}-{place}", "known_on": decided + dt.timedelta(10)}
            if said["kind"] in ("adm_penalty", "adm_coercion", "commitment_breach", "public_security_violation"):
                defaults["final_on"] = decided + dt.timedelta(30)
                defaults["known_on"] = decided + dt.timedelta(31)
            records.append({**defaults, **said, "subject_id": subject})
            if "case_id" in said:
                records[-1]["case_id"] = f"{subject}-{said['case_id']}"
            if "parent_case_id" in said:
                records[-1]["parent_case_id"] = f"{subject}-{said['parent_case_id']}"
        for said in case.get("amendments", []):
            known = day(said["effective_on"]) + dt.timedelta(10)
            amendments.append({"record_id": f"R{number:03}-0", "known_on": known, "value": None, **said})
    folder = Ledger.create(tmp_path_factory.mktemp("outcome") / "ledger").path
    ledger = Ledger.open(folder, clock=lambda: dt.date(2025, 12, 31))  # while every kind was lawful
    frames = {
        name: pd.DataFrame(rows)
        for name, rows in (("records", records), ("amendments", amendments), ("subjects", people))
    }
    report = ledger.ingest(**frames)
    assert report.rejected == {}
    observations = pd.DataFrame(
        {
            "subject_id": [f"P{number:03}" for number in range(len(CASES))],
            "as_of": [str(case.get("as_of", "2024-01-01")) for case in CASES],
        },
        index=[case["case"] for case in CASES],
    )
    return Y12.label(ledger, observations, day_of_use=USE, known_through=USE)


@pytest.mark.parametrize("case", CASES, ids=[case["case"] for case in CASES])
def test_case(case: dict[str, Any], labels: pd.DataFrame) -> None:
    found = labels.loc[case["case"]]
    outcome, reason, *escalation = case["expected"].split(", ")
    assert (found["outcome"], found["reason"]) == (outcome, reason)
    assert found["escalation"] == bool(escalation)


def test_a_bad_row_names_its_first_event_and_others_name_none(labels: pd.DataFrame) -> None:
    assert labels["event_record_id"].notna().equals(labels["outcome"] == "bad")
    assert labels.loc["two decisions of a case that is itself new are one event", "event_record_id"].endswith("-0")
    assert labels.loc["a final event outweighs an open one", "event_record_id"].endswith("-1")


# ---------------------------------------------------------------------------------------------- a naive reading

D, END, READ = to_day("2024-01-01"), to_day("2025-01-01"), to_day("2025-08-01")
POOL = [D - 400, D - 1, D, D + 1, D + 200, END - 1, END, END + 1, READ - 1, READ, READ + 1]
KINDS = ("adm_penalty", "severe_list", "judgment_unperformed", "honour")
PEOPLE = 1500


def made_files(seed: int) -> dict[str, pd.DataFrame]:
    """Random files whose dates coincide with the edges of the window and of the reading as often as they can."""
    rng = np.random.default_rng(seed)

    def pick(values: Any) -> Any:
        return values[rng.integers(len(values))]

    records, amendments, people = [], [], []
    for number in range(PEOPLE):
        subject = f"P{number:04}"
        people.append({"subject_id": subject, "born_on": D - 40 * 365, "valid_from": None, "known_on": None})
        if rng.random() < 0.2:
            people.append(
                {
                    "subject_id": subject,
                    "born_on": D - 40 * 365,
                    "valid_from": pick(POOL),
                    "known_on": pick(POOL),
                    "standing": pick(["deceased", "incapable", None]),
                }
            )
        for _ in range(rng.integers(0, 4)):
            kind, decided, record = pick(KINDS), pick(POOL), f"R{len(records):05}"
            known = max(decided, pick(POOL))
            final = pick([None, *(on for on in POOL if decided <= on <= known)]) if kind == "adm_penalty" else None
            records.append(
                {
                    "record_id": record,
                    "subject_id": subject,
                    "kind": kind,
                    "decided_on": decided,
                    "known_on": known,
                    "final_on": final,
                    "case_id": f"{subject}-{rng.integers(3)}",
                    "parent_case_id": pick([None, None, f"{subject}-{rng.integers(3)}"]),
                    "tier": pick(["minor", "general", "serious"]) if kind == "adm_penalty" else None,
                    "procedure": pick(["ordinary", "ordinary", "summary"]) if kind == "adm_penalty" else None,
                    "occurred_on": decided,
                }
            )
            for _ in range(rng.integers(0, 3)):
                action = pick(
                    [
                        "challenged",
                        "upheld",
                        "disputed",
                        "dispute_closed",
                        "revoked",
                        "repaired",
                        "corrected",
                        "delisted",
                    ]
                )
                value = {
                    "dispute_closed": pick(["record_confirmed", "objection_sustained"]),
                    "corrected": f"tier={pick(['minor', 'serious'])};decided_on={from_days(pick(POOL))}",
                }
                amendments.append(
                    {
                        "record_id": record,
                        "action": action,
                        "effective_on": pick(POOL),
                        "known_on": pick(POOL),
                        "value": value.get(action),
                    }
                )
    frames = {
        "records": pd.DataFrame(records),
        "amendments": pd.DataFrame(amendments),
        "subjects": pd.DataFrame(people),
    }
    for frame in frames.values():
        for column in [name for name in frame if name.endswith("_on") or name == "valid_from"]:
            frame[column] = [
                None if value is None or value != value else str(from_days(int(value))) for value in frame[column]
            ]
            frame[column] = pd.to_datetime(frame[column])
    return frames


def naive_labels(
    frames: dict[str, pd.DataFrame], subjects: list[str], start: int = D, end: int = END, read: int = READ
) -> list[tuple[str, str, bool]]:
    """The rules of labels, read record by record; ``None`` for a missing value everywhere."""
    rows = {name: frame.astype(object).where(frame.notna(), None).to_dict("records") for name, frame in frames.items()}

    def number(value: Any) -> int | None:
        return None if value is None else to_day(pd.Timestamp(value).date())

    def state(record: dict[str, Any], as_of: int) -> dict[str, Any] | None:
        if number(record["known_on"]) >= as_of:
            return None
        known = [
            (number(a["effective_on"]), place, a)
            for place, a in enumerate(rows["amendments"])
            if a["record_id"] == record["record_id"]
            and number(a["known_on"]) < as_of
            and number(a["effective_on"]) <= as_of
        ]
        found = {
            "decided": number(record["decided_on"]),
            "tier": record["tier"],
            "revoked": False,
            "open": False,
            "dispute": None,
            "final": None,
            "delisted": False,
        }
        steps = [(on, 1 + place, a["action"], a["value"]) for on, place, a in known]
        if record["final_on"] is not None:
            steps.append((number(record["final_on"]), 0, "finalised", None))  # the record's own word comes first
        for on, _, action, value in sorted(steps, key=lambda step: step[:2]):
            if action == "challenged":
                found |= {"open": True, "final": None}
            elif action in ("upheld", "finalised"):
                found |= {"open": False, "final": on}
            elif action == "disputed":
                found["dispute"] = "open"
            elif action == "dispute_closed":
                found["dispute"] = value
            elif action == "revoked":
                found["revoked"] = True
            elif action == "delisted":
                found["delisted"] = True
            elif action == "corrected":
                tier, decided = value.split(";")
                found |= {"tier": tier[5:], "decided": to_day(decided[11:])}
        return found

    kinds = load_catalogue().kinds
    labels = []
    for subject in subjects:
        own = [record for record in rows["records"] if record["subject_id"] == subject]
        gone_on, why = None, ""
        versions = [
            (number(v["valid_from"]), number(v["known_on"]), v.get("standing"))
            for v in rows["subjects"]
            if v["subject_id"] == subject and (v["known_on"] is None or number(v["known_on"]) < read)
        ]
        for today in range(start, end):
            in_force = [v for v in versions if v[0] is None or v[0] <= today]
            standing = max(in_force, key=lambda v: (v[0] or -(10**9), v[1] or -(10**9)))[2]
            if standing:
                gone_on, why = today, standing
                break

        def incapable(record: dict[str, Any], as_of: int, subject: str = subject) -> bool:
            """Whether the person was of no full capacity on the day of the act, as known on a day."""
            then = [
                (number(v["valid_from"]) or -(10**9), number(v["known_on"]) or -(10**9), place, v.get("standing"))
                for place, v in enumerate(rows["subjects"])
                if v["subject_id"] == subject
                and (v["known_on"] is None or number(v["known_on"]) < as_of)
                and (v["valid_from"] is None or number(v["valid_from"]) <= number(record["occurred_on"]))
            ]
            return bool(then) and max(then)[3] == "incapable"

        old_cases = set()
        for record in own:
            then = state(record, read)
            if then and then["decided"] < start:
                old_cases.add(record["case_id"])
        events = []
        for record in own:
            then = state(record, read)
            if then is None or not start <= then["decided"] < end or then["revoked"] or record["kind"] == "honour":
                continue
            if record["kind"] == "adm_penalty" and (then["tier"] == "minor" or record["procedure"] == "summary"):
                continue
            if then["dispute"] == "objection_sustained" or incapable(record, read):
                continue
            pending = "disputed" if then["dispute"] == "open" else ""
            if kinds[record["kind"]].finality != "decision" and not pending:
                limit = then["final"]
                if then["open"]:
                    pending = "challenged"
                elif limit is None:  # seven days to service, six months to challenge
                    served = pd.Timestamp(str(from_days(then["decided"] + 7)))
                    limit = to_day((served + pd.DateOffset(months=6)).date())
                    if pd.Timestamp(str(from_days(limit))).day != served.day:
                        limit += 1
                if not pending and limit > read:
                    pending = "not_final"
            old = record["case_id"] in old_cases or record["parent_case_id"] in old_cases
            events.append((then["decided"], record["record_id"], old, pending))
        new = sorted(e for e in events if not e[2] and (gone_on is None or e[0] < gone_on))
        listed = False
        for record in own:
            then = state(record, start)
            listed |= bool(
                record["kind"] == "severe_list"
                and then
                and then["decided"] <= start
                and not then["delisted"]
                and not then["revoked"]
                and then["dispute"] not in ("open", "objection_sustained")
                and not incapable(record, start)
            )
        escalation = any(e[2] and not e[3] for e in events)
        certain, pending_events = [e for e in new if not e[3]], [e for e in new if e[3]]
        if listed:
            labels.append(("excluded", "listed", escalation))
        elif certain:
            labels.append(("bad", "event", escalation))
        elif pending_events:
            labels.append(("indeterminate", pending_events[0][3], escalation))
        elif gone_on is not None:
            labels.append(("censored", why, escalation))
        else:
            labels.append(("good", "no_event", escalation))
    return labels


@pytest.fixture(scope="module")
def files() -> dict[str, pd.DataFrame]:
    return made_files(seed=5)


def labelled(folder: Path, frames: dict[str, pd.DataFrame]) -> pd.DataFrame:
    ledger = Ledger.create(folder)
    assert ledger.ingest(**frames).rejected == {}
    people = pd.DataFrame({"subject_id": frames["subjects"]["subject_id"].unique(), "as_of": "2024-01-01"})
    return Y12.label(ledger, people, day_of_use=USE, known_through=USE)


def test_labels_equal_a_naive_reading_of_random_files(tmp_path: Path, files: dict[str, pd.DataFrame]) -> None:
    found = labelled(tmp_path / "ledger", files)
    expected = naive_labels(files, found["subject_id"].tolist())
    pairs = list(
        zip(found[["outcome", "reason", "escalation"]].itertuples(index=False, name=None), expected, strict=True)
    )
    assert [pair for pair in pairs if pair[0] != pair[1]] == []
    assert {outcome for outcome, *_ in expected} == {"good", "bad", "indeterminate", "censored", "excluded"}


def test_files_read_each_by_its_own_days_are_the_rows_of_between(
    tmp_path: Path, files: dict[str, pd.DataFrame]
) -> None:
    ledger = Ledger.create(tmp_path / "ledger")
    ledger.ingest(**files)
    rng = np.random.default_rng(11)
    people = [*rng.choice(files["subjects"]["subject_id"].unique(), 1200, replace=False), "nobody"]
    which = rng.integers(0, 3, len(people))
    spans = np.array([[D - 400, D, D + 1], [D - 1, END, READ], [D, D + 200, END]])
    each = ledger.between_each(people, *spans[which].T, day_of_use=USE)
    assert each["row"].is_monotonic_increasing
    for number, span in enumerate(spans.tolist()):
        asked = np.array(people, object)[which == number]
        together = ledger.between(*span, day_of_use=USE)
        together = together[together["subject_id"].isin(asked)].sort_values(["subject_id", "record_id"])
        own = each[which[each["row"]] == number].sort_values(["subject_id", "record_id"])
        assert (np.array(people, object)[own["row"]] == own["subject_id"]).all()
        pd.testing.assert_frame_equal(
            own[together.columns].reset_index(drop=True), together.reset_index(drop=True), check_dtype=False
        )
    assert len(each) > 200
    assert ledger.between_each([], [], [], []).empty


def test_people_observed_each_on_their_own_day_are_labelled_as_on_that_day_alone(
    tmp_path: Path, files: dict[str, pd.DataFrame]
) -> None:
    people = [f"P{number:04}" for number in range(360)]
    records = files["records"][files["records"]["subject_id"].isin(people)]
    own = {
        "records": records,
        "amendments": files["amendments"][files["amendments"]["record_id"].isin(records["record_id"])],
        "subjects": files["subjects"][files["subjects"]["subject_id"].isin(people)],
    }
    ledger = Ledger.create(tmp_path / "ledger")
    assert ledger.ingest(**own).rejected == {}
    # Everybody on two of six days, in no order: days of the pool, so that what falls on an edge of one day's window
    # lies inside another's.
    days = np.array([D - 400, D - 1, D, D + 1, D + 200, END])
    rng = np.random.default_rng(7)
    observed = pd.DataFrame(
        {"subject_id": people * 2, "as_of": from_days(np.concatenate([rng.choice(days, 360), rng.choice(days, 360)]))},
        index=rng.permutation(720),
    ).sample(frac=1, random_state=3)
    found = Y12.label(ledger, observed, day_of_use="2030-01-01", known_through="2030-01-01")
    assert found.index.equals(observed.index)
    outcomes = set()
    for day in days:
        of_day = found[found["as_of"] == pd.Timestamp(str(from_days(day)))]
        alone = Y12.label(ledger, observed.loc[of_day.index], day_of_use="2030-01-01", known_through="2030-01-01")
        pd.testing.assert_frame_equal(of_day, alone)
        expected = naive_labels(own, of_day["subject_id"].tolist(), day, Y12.window_end(day), Y12.mature_on(day))
        assert list(of_day[["outcome", "reason", "escalation"]].itertuples(index=False, name=None)) == expected
        outcomes |= set(of_day["outcome"])
    assert outcomes == {"good", "bad", "indeterminate", "censored", "excluded"}


def test_what_is_known_on_the_day_the_label_is_read_or_later_changes_no_label(
    tmp_path: Path, files: dict[str, pd.DataFrame]
) -> None:
    read = pd.Timestamp("2025-08-01")
    early = {name: frame[frame["known_on"].isna() | (frame["known_on"] < read)] for name, frame in files.items()}
    early["amendments"] = early["amendments"][early["amendments"]["record_id"].isin(early["records"]["record_id"])]
    assert all(len(early[name]) < len(files[name]) for name in files)
    before, after = labelled(tmp_path / "early", early), labelled(tmp_path / "late", files)
    columns = ["outcome", "reason", "escalation", "event_record_id"]
    pd.testing.assert_frame_equal(before[columns], after[columns])


# ---------------------------------------------------------------------------------------------- outcomes of one's own

VISITS = Path(__file__).parents[1] / "data" / "public" / "sf_restaurants" / "catalogue.toml"
ROUTINE = {"kinds": ["inspection"], "type": ["Routine - Unscheduled", "Routine - Scheduled"]}
LOW_SCORE = Outcome("low_score", "12m", 0, where={**ROUTINE, "score": {"le": 85}}, observed_by=ROUTINE)


@pytest.fixture(scope="module")
def visited(tmp_path_factory: pytest.TempPathFactory) -> Ledger:
    """Businesses named by what happens to them after 2024-01-01."""
    rows = [
        ("low", "2024-03-01", 85, 0),
        ("high", "2024-03-01", 86, 0),
        ("reinspected", "2024-03-01", 70, 2),
        ("late", "2025-01-01", 60, 0),
        ("unscored", "2024-05-01", None, 0),
        ("twice", "2024-03-01", 95, 0),
        ("twice", "2024-12-31", 80, 1),
    ]
    types = ("Routine - Unscheduled", "Routine - Scheduled", "Reinspection/Followup")
    records = pd.DataFrame(
        [
            {
                "subject_id": s,
                "kind": "inspection",
                "decided_on": on,
                "known_on": on,
                "score": score,
                "type": types[kind],
            }
            for s, on, score, kind in rows
        ]
    ).astype({"score": "Int64"})
    ledger = Ledger.create(tmp_path_factory.mktemp("visits") / "ledger", load_catalogue(VISITS))
    assert ledger.ingest(records=records).rejected == {}
    return ledger


@pytest.mark.parametrize(
    ("business", "expected"),
    [
        ("low", ("bad", "event")),
        ("high", ("good", "no_event")),
        ("reinspected", ("indeterminate", "not_observed")),
        ("late", ("indeterminate", "not_observed")),
        ("unscored", ("good", "no_event")),
        ("twice", ("bad", "event")),
        ("never visited", ("indeterminate", "not_observed")),
    ],
)
def test_without_a_routine_visit_in_the_window_nobody_knows(
    visited: Ledger, business: str, expected: tuple[str, str]
) -> None:
    observed = pd.DataFrame({"subject_id": [business], "as_of": ["2024-01-01"]})
    assert tuple(LOW_SCORE.label(visited, observed, day_of_use=USE)[["outcome", "reason"]].iloc[0]) == expected


def test_without_maturity_a_label_is_read_when_the_window_ends(visited: Ledger) -> None:
    # The last visit is known on 2025-01-01: labels of 2024-01-02 are read on 2025-01-02, the morning after.
    observed = pd.DataFrame({"subject_id": ["low", "low"], "as_of": ["2024-01-02", "2024-01-03"]})
    assert LOW_SCORE.label(visited, observed, day_of_use=USE)["outcome"].tolist() == ["bad", "immature"]


def test_a_window_may_be_in_days() -> None:
    outcome = Outcome("unpaid", "1097d", 2, where={"kinds": ["adm_penalty"]})
    start = to_day("2012-01-01")
    assert str(from_days(outcome.window_end(start))) == "2015-01-02"
    assert str(from_days(outcome.mature_on(start))) == "2015-03-02"
    assert outcome.latest_mature(outcome.mature_on(start)) == start


@pytest.mark.parametrize("text", ["2024-02-29", "2025-03-31", "2025-03-01", "2024-10-30"])
def test_the_latest_mature_date_is_mature_and_the_next_is_not(text: str) -> None:
    use = to_day(text)
    latest = Y12.latest_mature(use)
    assert Y12.mature_on(latest) <= use < Y12.mature_on(latest + 1)


def test_every_condition_of_a_clause_is_read_from_the_facts_of_the_event(tmp_path: Path) -> None:
    records = pd.DataFrame(
        {
            "subject_id": ["a", "b", "c", "d"],
            "kind": ["adm_penalty", "adm_penalty", "adm_penalty", "severe_list"],
            "tier": ["general", "serious", "serious", None],
            "amount": pd.array([5000, 999, 5000, None], dtype="Int64"),
            "field_code": ["food_drug", "food_drug", "fire_safety", None],
            "penalty_ends_on": ["2024-09-01", "2024-09-01", "2024-09-01", None],
            "decided_on": "2024-06-01",
            "final_on": "2024-06-10",
            "known_on": "2024-06-20",
        }
    )
    ledger = Ledger.create(tmp_path / "ledger")
    assert ledger.ingest(records=records).rejected == {}
    observed = pd.DataFrame({"subject_id": list("abcd"), "as_of": "2024-01-01"})

    def bad(**where: Any) -> str:
        labels = Outcome("o", "12m", 0, where=where).label(ledger, observed, day_of_use=USE, known_through=USE)
        return "".join(labels.loc[labels["outcome"] == "bad", "subject_id"])

    assert bad(polarity="adverse") == "abcd"
    assert bad(kinds=["severe_list"]) == "d"
    assert bad(tier_at_least="serious") == "bcd"
    assert bad(tier="general") == "a"
    assert bad(amount={"gt": 999}) == "ac"
    assert bad(field="food_drug", amount={"ge": 1000}) == "a"
    assert bad(penalty_ends_on={"le": "2024-09-01"}) == "abc"
    assert bad(penalty_ends_on={"lt": "2024-09-01"}) == ""


def test_every_fault_of_an_outcome_is_named_at_once() -> None:
    with pytest.raises(OutcomeErrors) as told:
        Outcome("late", "ever", -1, where={"role": "listed"})
    assert len(told.value.faults) == 3
    assert str(told.value) == (
        "outcome 'late': window 'ever' must be months or days: '12m' or '365d'; role is a state of use, not a fact of "
        "an event: leave it out; maturity_months must be a whole number, 0 or more, not -1"
    )


def test_a_word_that_the_catalogue_does_not_know_is_named() -> None:
    with pytest.raises(OutcomeErrors, match="unknown kind 'adm_penalti'; did you mean 'adm_penalty'"):
        Outcome("o", "12m", 0, where={"kinds": ["adm_penalti"]}).check(load_catalogue())


def test_a_catalogue_without_labels_needs_an_outcome_of_its_own() -> None:
    with pytest.raises(OutcomeErrors, match="no kind with a label L1 to L6"):
        Y12.check(load_catalogue(VISITS))
