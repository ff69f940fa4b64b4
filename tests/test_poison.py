"""Poison the future: no row known on or after d changes anything as of d, and a kernel that leaked would be caught.

Every person is a case of its own: a small file, an as-of date d, and all dates from one pool of twelve days, so that
they coincide. Two ledgers agree on every row known before d and on nothing else: what became known later has other
content under the same ids, or is not there. What is computed at d must be the same to the last bit.

Then the rules are broken, one at a time. A mutant is made of the data or the catalogue, never of the code: who ignores
``known_on`` sees what we see when every row was known long ago. A leak must show as a difference between the two
ledgers, any other broken rule as a difference from the true values, each in at least one case of twenty.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from functools import cache
from random import Random
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue, load_catalogue
from credit_model.features.definition import FeatureDefinition
from credit_model.features.dictionary import library
from credit_model.features.kernel import compute
from credit_model.foundation.calendar import NO_DAY, add_months, to_day
from credit_model.visibility.population import Population
from credit_model.visibility.segments import compile_segments
from credit_model.visibility.tables import Tables

CATALOGUE = load_catalogue()
POOL = tuple(
    to_day(text)
    for text in (
        "2023-01-10", "2023-01-11", "2023-04-10", "2023-07-10", "2023-07-17", "2024-01-10", "2024-01-11", "2024-01-17",
        "2024-07-17", "2026-01-10", "2026-01-11", "2026-07-10",
    )
)  # fmt: skip
LONG_AGO, USE, AFTER_USE = to_day("1990-01-01"), to_day("2026-11-24"), to_day("2027-03-01")
BORN = [
    to_day(text) for text in ("1980-01-01", "1990-07-10", "2005-01-11", "2006-01-11")
]  # some come of age in the pool
CASES, SOAK_CASES, MUST_NOTICE = 1_000, 20_000, 0.05

KINDS = (
    "adm_penalty", "adm_penalty", "adm_penalty", "commitment_breach", "commitment_breach", "dishonest_executee",
    "judgment_unperformed", "criminal_judgment", "honour", "honour", "honour", "volunteer_service",
    "commitment_fulfilled",
)  # fmt: skip
VALUES: Mapping[str, tuple[str | None, ...]] = {
    "served": (None,), "challenged": (None,), "challenge_withdrawn": (None,), "finalised": (None,), "disputed": (None,),
    "upheld": (None, "by=reconsideration", "by=first_instance"), "stayed": (None,), "stay_lifted": (None,),
    "dispute_closed": ("record_confirmed", "objection_sustained", "objection_sustained"), "partly_performed": ("5",),
    "corrected": ("tier=serious", "tier=minor;amount=7"), "performed": (None,), "repaired": (None,),
    "repair_revoked": (None, "deceit", "deceit"), "opted_out": (None,), "statement": ("It was paid.",),
    "revoked": (None,), "delisted": (None,), "moved_to_subject": ("",), "sealed": (None,),
}  # fmt: skip
ACTIONS = (
    *VALUES, *["challenged"] * 6, *["repaired"] * 6, "disputed", "dispute_closed", *["upheld"] * 2, "stayed",
    *["repair_revoked"] * 3, *["challenge_withdrawn"] * 2,
)  # fmt: skip
POSITIVE_ACTIONS = (
    "revoked", "revoked", "disputed", "dispute_closed", "corrected", "moved_to_subject", "sealed", "opted_out",
    "opted_out",
)  # fmt: skip
POLICIES = ("tier", "retention")
LOOK_BACKS = ("3m", "6m", "12m", "24m", "36m", "60m")
FEATURES = (
    *library(),
    FeatureDefinition(name="last_amount", aggregate="last", of="amount", window="ever"),
    FeatureDefinition(name="mean_tier", where={"polarity": "adverse"}, aggregate="mean", of="tier", window="60m"),
    FeatureDefinition(name="tenure", aggregate="tenure_days", window="ever"),
    FeatureDefinition(name="newly_usable", aggregate="count", window="3m", window_on="visible_from"),
    FeatureDefinition(name="at_last_honour", aggregate="count", window="last_day:honour"),
    *(FeatureDefinition(name=f"records_{window}", aggregate="count", window=window) for window in LOOK_BACKS),
)


# ------------------------------------------------------------------------------------------------ two ledgers
@dataclass(frozen=True)
class Cases:
    """People, the day each is looked at, and two ledgers that differ in what became known on or after that day."""

    subject_ids: NDArray[np.object_]
    as_of: NDArray[np.int32]
    ledgers: tuple[Tables, Tables]

    def day_of(self, record_ids: NDArray[np.object_]) -> NDArray[np.int32]:
        """The as-of day of the person each record belongs to."""
        days = dict(zip(self.subject_ids.tolist(), self.as_of.tolist(), strict=True))
        return np.array([days[record_id.split("-")[0]] for record_id in record_ids], np.int32)


Rows = dict[str, list[dict[str, Any]]]


def make_cases(count: int, seed: int) -> Cases:
    random = Random(seed)
    subject_ids = [f"p{i:05}" for i in range(count)]
    days = [random.choice(POOL[2:]) for _ in subject_ids]
    files: tuple[Rows, Rows] = tuple({"records": [], "amendments": [], "subjects": []} for _ in range(2))
    for subject_id, day in zip(subject_ids, days, strict=True):
        born = random.choice([*BORN, *BORN[:2]])
        past, future, other_future = (make_file(random, subject_id, born) for _ in range(3))
        for file, coming in zip(files, (future, other_future), strict=True):
            for table, rows in past.items():
                known = [row for row in rows if row["known_on"] < day]
                ids = {row.get("record_id") for row in known} if table == "records" else set()
                known += [r for r in coming[table] if r["known_on"] >= day and r.get("record_id") not in ids]
                file[table] += known
    ledgers = tuple(Tables.of(*map(columns, file.values()), CATALOGUE.attribute_types) for file in files)
    return Cases(np.array(subject_ids, object), np.array(days, np.int32), ledgers)


def columns(rows: list[dict[str, Any]]) -> dict[str, list[Any]]:
    return {name: [row[name] for row in rows] for name in rows[0]}


def make_file(random: Random, subject_id: str, born: int) -> Rows:
    """A file of one person and a relative, to and from whom records move."""
    records = [make_record(random, subject_id, f"{subject_id}-{i}") for i in range(12)]
    amendments = [make_amendment(random, subject_id, random.choice(records)) for _ in range(16)]
    for number, (facts, story) in enumerate(PLOTS):
        if random.random() < 0.5:
            record = make_plot(f"{subject_id}-plot{number}", subject_id, facts)
            records.append(record)
            for action, day, value in story:
                amendment = {"action": action, "effective_on": to_day(day), "known_on": to_day(day), "value": value}
                amendments.append({"record_id": record["record_id"], **amendment})
    versions = [make_version(random, subject_id, born) for _ in range(random.choice([1, 2, 4]))]
    first = {"subject_id": subject_id, "born_on": born, "resident_to": None, "standing": "", "known_on": NO_DAY}
    return {"records": records, "amendments": amendments, "subjects": [{**first, "valid_from": LONG_AGO}, *versions]}


# Records each of which meets one rule that chance seldom meets, and what happens to them.
SERIOUS = {"kind": "adm_penalty", "tier": "serious", "decided_on": "2023-01-10", "known_on": "2023-01-10"}
FINAL = SERIOUS | {"final_on": "2023-01-10"}
PLOTS: tuple[tuple[dict[str, Any], tuple[tuple[str, str, str | None], ...]], ...] = (
    (SERIOUS, (("challenged", "2023-01-11", None), ("upheld", "2024-01-10", "by=reconsideration"))),
    (SERIOUS, (("challenged", "2023-01-11", None), ("challenge_withdrawn", "2023-04-10", None))),
    (FINAL, (("stayed", "2023-04-10", None),)),
    (
        FINAL | {"tier": "general"},
        (("repaired", "2023-07-10", None), ("repair_revoked", "2023-07-17", "deceit")),
    ),
    (FINAL | {"penalty_type": "warning"}, ()),
    (FINAL | {"penalty_type": "fine", "amount": 200, "procedure": None}, ()),
    (SERIOUS | {"kind": "dishonest_executee", "disrupt_type": "settlement_breach"}, ()),
    (SERIOUS | {"kind": "commitment_fulfilled", "case_id": "promise"}, ()),
    (FINAL | {"kind": "commitment_breach", "case_id": "promise", "known_on": "2023-04-10"}, ()),
)


def make_plot(record_id: str, subject_id: str, facts: dict[str, Any]) -> dict[str, Any]:
    days = {name: to_day(facts[name]) for name in ("decided_on", "known_on", "final_on") if name in facts}
    nothing = dict.fromkeys(("occurred_on", "final_on", "hours", "field_code", "valid_to", "penalty_ends_on"))
    named = {"record_id": record_id, "subject_id": subject_id, "case_id": record_id, "amount": 5000}
    acts = {"procedure": "ordinary", "penalty_type": None, "disrupt_type": None}
    case = {"case_id": f"{subject_id}-{facts['case_id']}"} if "case_id" in facts else {}
    return {**nothing, **named, **acts, **facts, **case, **days, "occurred_on": days["decided_on"]}


def make_record(random: Random, subject_id: str, record_id: str) -> dict[str, Any]:
    known_on = random.choice([*POOL, *POOL[:4], AFTER_USE])
    earlier = [day for day in POOL if day <= known_on]
    soon = [day for day in POOL if day > known_on][:2] or earlier  # decisions announced ahead
    decided_on = random.choice(earlier if random.random() < 0.65 else soon)
    some = random.random
    return {
        "record_id": record_id,
        "subject_id": subject_id + ("r" if some() < 0.1 else ""),
        "kind": random.choice(KINDS),
        "case_id": f"{subject_id}-case{random.randint(0, 2)}",
        "occurred_on": random.choice([None, *[day for day in POOL if day <= decided_on]]),
        "decided_on": decided_on,
        "final_on": random.choice(earlier) if some() < 0.4 else None,
        "known_on": known_on,
        "tier": random.choice(["minor", "general", "general", "serious"]),
        "amount": random.choice([100, 5000, 70_000]),
        "hours": random.choice([None, 20, 80]),
        "procedure": random.choice(["summary", "ordinary", "ordinary", None]),
        "penalty_type": random.choice([None, "fine", "warning", "licence_revoked"]),
        "disrupt_type": random.choice([None, "able_refuses", "settlement_breach"]),
        "field_code": random.choice(["tax_payment", "traffic_safety"]),
        "valid_to": random.choice(POOL) if some() < 0.1 else None,
        "penalty_ends_on": random.choice(POOL) if some() < 0.1 else None,
    }


def make_amendment(random: Random, subject_id: str, record: dict[str, Any]) -> dict[str, Any]:
    positive = CATALOGUE.kinds[record["kind"]].polarity == "positive"
    action = random.choice(POSITIVE_ACTIONS if positive else ACTIONS)
    known_on = random.choice([*POOL, *POOL[:4], AFTER_USE])
    value = random.choice(VALUES[action])
    return {
        "record_id": record["record_id"],
        "action": action,
        "effective_on": random.choice([day for day in POOL if day <= known_on] if random.random() < 0.8 else POOL),
        # A seal known by the day of use holds for every d: the stated exception.
        "known_on": AFTER_USE if action == "sealed" else known_on,
        "value": subject_id + ("" if record["subject_id"].endswith("r") else "r") if value == "" else value,
    }


def make_version(random: Random, subject_id: str, born: int) -> dict[str, Any]:
    """A later version of a person. A birth date known by the day of use holds for every d, as a seal does."""
    known_on = random.choice([*POOL, AFTER_USE])
    return {
        "subject_id": subject_id,
        "born_on": born if known_on <= USE else BORN[-1],
        "resident_to": random.choice([None, random.choice(POOL)]),
        "standing": random.choice(["", "deceased", "incapable"]),
        "known_on": known_on,
        "valid_from": random.choice(POOL),
    }


# ------------------------------------------------------------------------------------------------ what is seen at d
@dataclass(frozen=True)
class Seen:
    """Features, under either policy, and standing of every case as of its day."""

    features: NDArray[np.float32]
    standing: NDArray[np.object_]

    def differs(self, other: Seen) -> NDArray[np.bool_]:
        """Cases that differ in some bit."""
        bits = self.features.view(np.uint32) != other.features.view(np.uint32)
        return bits.any(axis=1) | (self.standing != other.standing)


def see(cases: Cases, tables: Tables, catalogue: Catalogue = CATALOGUE) -> Seen:
    features = []
    for policy in POLICIES:
        segments = compile_segments(tables, catalogue, policy, USE)
        subjects = segments.subject_index(cases.subject_ids)
        features.append(compute(segments, subjects, cases.as_of, FEATURES, catalogue))
    standing = Population.from_tables(tables).standing(cases.subject_ids, cases.as_of)
    return Seen(np.concatenate(features, axis=1), standing)


@cache
def usual_cases() -> Cases:
    return make_cases(CASES, seed=20261124)


def test_no_row_known_on_or_after_d_changes_a_bit_as_of_d() -> None:
    cases = usual_cases()
    ledger, poisoned = (see(cases, tables) for tables in cases.ledgers)
    for tables in cases.ledgers:
        assert len(tables.records["known_on"]) > 5 * CASES
    assert not ledger.differs(poisoned).any()
    assert len(np.unique(ledger.features, axis=0)) > CASES / 3  # there is something to see
    assert len(np.unique(ledger.standing)) == 2


@pytest.mark.soak
def test_no_row_known_on_or_after_d_changes_a_bit_in_many_cases() -> None:
    for seed in range(SOAK_CASES // 5_000):
        cases = make_cases(5_000, seed)
        ledger, poisoned = (see(cases, tables) for tables in cases.ledgers)
        assert not ledger.differs(poisoned).any()


def test_the_law_of_the_day_of_use_is_the_one_exception() -> None:
    record = {"record_id": ["r"], "subject_id": ["a"], "kind": ["commitment_fulfilled"]}
    dated = {"decided_on": ["2023-01-10"], "known_on": ["2023-01-10"]}
    seal = {"record_id": ["r"], "action": ["sealed"], "effective_on": ["2026-01-01"], "value": [None]}
    cases = Cases(np.array(["a"], object), np.array([to_day("2024-01-10")], np.int32), ())
    kept = [name for name, d in enumerate(FEATURES) if d.name == "commitments_kept_36m"]
    for known_on, count in (("2026-11-24", 0), ("2026-11-25", 1)):
        tables = Tables.of({**record, **dated}, {**seal, "known_on": [known_on]}, None, CATALOGUE.attribute_types)
        assert see(cases, tables).features[0, kept] == count


# ------------------------------------------------------------------------------------------------ mutants
def change(table: dict[str, Any], rows: NDArray[np.bool_] | slice = slice(None), **columns: Any) -> dict[str, Any]:
    """A table with other values in some rows."""
    changed = dict(table)
    for name, value in columns.items():
        changed[name] = table[name].copy()
        changed[name][rows] = value(table[name][rows]) if callable(value) else value
    return changed


def day_earlier(days: NDArray[np.int32]) -> NDArray[np.int32]:
    return np.where(days == NO_DAY, days, days - 1)


def known(table: str, when: Any, actions: tuple[str, ...] = ()) -> Callable[[Tables], Tables]:
    def mutant(tables: Tables) -> Tables:
        rows = getattr(tables, table)
        chosen = np.isin(rows["action"].astype(str), actions) if actions else slice(None)
        return replace(tables, **{table: change(rows, chosen, known_on=when)})

    return mutant


def clipped(tables: Tables) -> Tables:
    """What is known in the end, from the day after the record became known."""
    return known("subjects", LONG_AGO)(known("amendments", LONG_AGO)(tables))


LEAKS: dict[str, Callable[[Tables], Tables]] = {
    "known_on <= d on records": known("records", day_earlier),
    "known_on <= d on amendments": known("amendments", day_earlier),
    "known_on <= d on subjects": known("subjects", day_earlier),
    "known_on ignored on records": known("records", LONG_AGO),
    "known_on ignored on amendments": known("amendments", LONG_AGO),
    "known_on ignored on subjects": known("subjects", LONG_AGO),
    "repair by its effective date only": known("amendments", LONG_AGO, ("repaired", "repair_revoked")),
    "final knowledge clipped at known_on + 1": clipped,
}


def without(action: str, kind: str = "") -> Callable[[Cases, Tables], Tables]:
    def mutant(cases: Cases, tables: Tables) -> Tables:
        records, rows = tables.records, tables.amendments
        kinds = dict(zip(records["record_id"], records["kind"], strict=True))
        of_kind = np.array([kind in ("", kinds.get(record_id)) for record_id in rows["record_id"]], np.bool_)
        left = ~((rows["action"] == action) & of_kind)
        return replace(tables, amendments={name: column[left] for name, column in rows.items()})

    return mutant


def sustained_restored(cases: Cases, tables: Tables) -> Tables:
    closed = tables.amendments["action"] == "dispute_closed"
    return replace(tables, amendments=change(tables.amendments, closed, value="record_confirmed"))


def with_value(action: str, value: str | None) -> Callable[[Cases, Tables], Tables]:
    """Every amendment of an action says the same."""

    def mutant(cases: Cases, tables: Tables) -> Tables:
        return replace(tables, amendments=change(tables.amendments, tables.amendments["action"] == action, value=value))

    return mutant


def acts_dated(cases: Cases, tables: Tables) -> Tables:
    """Acts whose day was not sent are taken for those of the day of the decision."""
    records = tables.records
    dated = np.where(records["occurred_on"] == NO_DAY, records["decided_on"], records["occurred_on"])
    return replace(tables, records=change(records, occurred_on=dated))


def breaches_of_other_cases(cases: Cases, tables: Tables) -> Tables:
    breach = tables.records["kind"] == "commitment_breach"
    return replace(tables, records=change(tables.records, breach, case_id=lambda ids: ids + "-"))


def without_rule(name: str, nothing: object) -> Callable[[Cases, Tables], Seen]:
    """Return a mutant in which no kind has a rule."""

    def mutant(cases: Cases, tables: Tables) -> Seen:
        kinds = {code: replace(kind, **{name: nothing}) for code, kind in CATALOGUE.kinds.items()}
        return see(cases, tables, replace(CATALOGUE, kinds=kinds))

    return mutant


def always_capable(cases: Cases, tables: Tables) -> Seen:
    """Who is scored is judged as ever, acts as if nobody had been declared incapable."""
    subjects = change(tables.subjects, tables.subjects["standing"] == "incapable", standing="")
    return replace(see(cases, replace(tables, subjects=subjects)), standing=see(cases, tables).standing)


def minors_kept(cases: Cases, tables: Tables) -> Tables:
    return replace(tables, records=change(tables.records, occurred_on=AFTER_USE))


def summary_counted(cases: Cases, tables: Tables) -> Tables:
    return replace(tables, records=change(tables.records, procedure=None))


def last_day_of_use_counted(cases: Cases, tables: Tables) -> Tables:
    """Records whose use ends on d (exclusive) are made to end a day later."""
    records = tables.records
    edition = CATALOGUE.policy("tier", USE)
    kinds = [CATALOGUE.kinds[code] for code in records["kind"]]
    own = {"minor": 1, "general": 2, "serious": 3}
    tier = np.array([own.get(kind.tier, tier) for kind, tier in zip(kinds, records["tier"], strict=True)])
    months = np.array([0, edition.minor, edition.general, edition.serious])[tier]
    ends = add_months(records["decided_on"], months) == cases.day_of(records["record_id"])
    return replace(tables, records=change(records, ends, decided_on=lambda days: days + 1))


def first_day_of_look_back_counted(cases: Cases, tables: Tables) -> Tables:
    today = tables.records["decided_on"] == cases.day_of(tables.records["record_id"])
    return replace(tables, records=change(tables.records, today, decided_on=lambda days: days - 1))


def last_day_of_look_back_left_out(cases: Cases, tables: Tables) -> Seen:
    """Window by window, without the records whose window closes on d."""
    seen = see(cases, tables)
    day = cases.day_of(tables.records["record_id"])
    for window in LOOK_BACKS:
        left = add_months(tables.records["decided_on"], int(window[:-1])) != day
        shorter = see(cases, replace(tables, records={name: column[left] for name, column in tables.records.items()}))
        of_window = np.array([d.window == window for d in FEATURES] * len(POLICIES))
        seen = replace(seen, features=np.where(of_window, shorter.features, seen.features))
    return seen


def finality_ignored() -> Catalogue:
    kinds = {code: replace(kind, finality="decision") for code, kind in CATALOGUE.kinds.items()}
    return replace(CATALOGUE, kinds=kinds)


def use_for_ever() -> Catalogue:
    ever = {"minor": None, "general": None, "serious": None}
    policies = {name: tuple(replace(e, **ever) for e in editions) for name, editions in CATALOGUE.policies.items()}
    return replace(CATALOGUE, policies=policies)


BROKEN: dict[str, Callable[[Cases, Tables], Tables | Seen]] = {
    "finality ignored": lambda cases, tables: see(cases, tables, finality_ignored()),
    "challenge ignored": without("challenged"),
    "summary procedure counted": summary_counted,
    "open dispute ignored": without("disputed"),
    "sustained dispute restored": sustained_restored,
    "use window ignored": lambda cases, tables: see(cases, tables, use_for_ever()),
    "last day of use counted (closed for open)": last_day_of_use_counted,
    "last day of look-back left out (open for closed)": last_day_of_look_back_left_out,
    "first day of look-back is d": first_day_of_look_back_counted,
    "revoked honour kept": without("revoked", "honour"),
    "withdrawn challenge still open": without("challenge_withdrawn"),
    "stay ignored": without("stayed"),
    "every ruling final": with_value("upheld", None),
    "deceit not lengthened": with_value("repair_revoked", None),
    "opt-out ignored": without("opted_out"),
    "undated act taken for the decision's day": acts_dated,
    "kept though broken": breaches_of_other_cases,
    "tier as sent": without_rule("tier_by", None),
    "summary only where sent": without_rule("summary_if", ()),
    "no term of a listing": without_rule("term", None),
    "act of incapable kept": always_capable,
    "minor's act kept": minors_kept,
}


def test_every_mutant_is_noticed_in_at_least_one_case_of_twenty(capsys: pytest.CaptureFixture[str]) -> None:
    cases = usual_cases()
    ledger = cases.ledgers[0]
    true = see(cases, ledger)
    rates = {}
    for name, leak in LEAKS.items():
        rates[name] = see(cases, leak(ledger)).differs(see(cases, leak(cases.ledgers[1]))).mean()
    for name, mutant in BROKEN.items():
        made = mutant(cases, ledger)
        rates[name] = true.differs(made if isinstance(made, Seen) else see(cases, made)).mean()
    lines = [f"  {rate:6.1%}  {name}" for name, rate in rates.items()]
    with capsys.disabled():  # to be read in every run
        sys.stdout.write("\n".join([f"\nmutants noticed, of {CASES} cases:", *lines, ""]))
    assert [name for name, rate in rates.items() if rate < MUST_NOTICE] == []
