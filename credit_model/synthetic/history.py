"""Put the people of the synthetic city on record: what an office would hold about them, and learn later.

An event becomes a penalty, a conviction, a court case or a broken commitment; beside the events stand adverse records
that are no label, acts of minors, and the positive records of loans, commitments, volunteering and honours. Each is
received some days after its decision. Finality, service, challenges, disputes, corrections, payment, repair and exit
from lists come later still, as amendments.

In: people and events. Out: records and amendments as columns, ordered by the day they became known.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
from numpy.typing import NDArray

from credit_model.catalogue.catalogue import Catalogue
from credit_model.foundation.calendar import NO_DAY, NO_VALUE, add_months, to_day
from credit_model.synthetic.people import (
    BREACH,
    END,
    LISTING,
    MONTHS,
    RECIPE,
    SERIOUS,
    START,
    Column,
    Draws,
    Events,
    People,
)

Rows = dict[str, Column]
Numbers = NDArray[np.int64]

DATES = (
    "occurred_on", "decided_on", "served_on", "final_on", "known_on", "valid_to", "penalty_ends_on", "sentence_ends_on",
)  # fmt: skip
NUMBERS = ("amount", "hours")
TEXTS = (
    "kind", "tier", "source", "procedure", "penalty_type", "field_code", "offence", "disrupt_type", "list_code",
    "commitment_type", "link", "level",
)  # fmt: skip


def _rows(person: Numbers, kind: Column | str, decided_on: Numbers, **facts: Any) -> Rows:
    """Return records as columns; `paid` and `exit_on` say how a case will end, `case` numbers cases (-1: none)."""
    silent: dict[str, Any] = {
        **dict.fromkeys(DATES, NO_DAY), **dict.fromkeys(NUMBERS, NO_VALUE), **dict.fromkeys(TEXTS),
        "case": -1, "exit_on": NO_DAY, "paid": 0, "kind": kind, "occurred_on": decided_on,
    }  # fmt: skip
    rows: Rows = {}
    for name, value in {"person": person, **silent, "decided_on": decided_on, **facts}.items():
        whole = np.int64 if isinstance(value, int) else object
        rows[name] = value.copy() if isinstance(value, np.ndarray) else np.full(len(person), value, whole)
    return rows


def _set(rows: Rows, name: str, where: Column, value: Column) -> None:
    """Set a fact of some rows."""
    rows[name][where] = value[where]


def select_rows(rows: Rows, which: Column) -> Rows:
    """Return some of the rows, by mask or by number."""
    return {name: column[which] for name, column in rows.items()}


def _recurring(
    draws: Draws, people: People, who: Numbers, chance: float | Column, months: int
) -> tuple[Numbers, Numbers]:
    """Draw one chance in every `months` months for each of `who`, while present: persons and days."""
    hit = draws.rng.random((MONTHS // months, len(who))) < chance
    period, index = np.nonzero(hit)
    month = period * months + draws.between(len(index), (0, months - 1))
    here = people.present(who[index], month)
    return who[index][here], draws.day_in(month[here])


# ------------------------------------------------------------------------------------------------ adverse records
def _acts(draws: Draws, people: People, rows: Rows) -> Rows:
    """Say when the act was: some time before the decision, never before the person came of age."""
    decided_on = rows["decided_on"]
    act = decided_on - draws.days(len(decided_on), RECIPE["delay"]["act"])
    rows["occurred_on"] = np.minimum(np.maximum(act, people.adult_on[rows["person"]]), decided_on)
    return rows


def _penalties(draws: Draws, rows: Rows) -> Rows:
    """Give penalties procedure, field, type, amount and term, by their tier."""
    recipe, tier = RECIPE["penalty"], rows["tier"]
    n = len(tier)
    penalty = rows["kind"] == "adm_penalty"
    summary = penalty & (tier == "minor") & draws.chance(n, recipe["summary"])
    _set(rows, "procedure", penalty, np.where(summary, "summary", "ordinary"))
    _set(rows, "field_code", penalty, draws.pick(n, recipe["fields"]))
    for name, types in recipe["types"].items():
        _set(rows, "penalty_type", penalty & (tier == name), draws.pick(n, types))
    fined = rows["penalty_type"] == "fine"
    for name, ends in recipe["amount"].items():
        own = summary if name == "summary" else (tier == name) & ~summary
        _set(rows, "amount", fined & own, draws.yuan(n, ends))
    for name, days in recipe["term_days"].items():
        _set(rows, "penalty_ends_on", rows["penalty_type"] == name, rows["decided_on"] + draws.between(n, days))
    return rows


def _of_events(draws: Draws, people: People, events: Events) -> list[Rows]:
    """Yield the records of the events; a second one where an unperformed judgment ends on the court's list."""
    n, listing, conviction = len(events.kind), RECIPE["listing"], RECIPE["conviction"]
    tier = np.array(["minor", "general", "serious", None, None], dtype=object)[events.kind]
    rows = _rows(events.person, "adm_penalty", events.day, case=np.arange(n), tier=tier)
    court, kind = events.kind == LISTING, rows["kind"]
    convicted = (events.kind == SERIOUS) & draws.chance(n, conviction["share"])
    kind[events.kind == BREACH], kind[convicted] = "commitment_breach", "criminal_judgment_integrity"
    _set(rows, "kind", court, draws.pick(n, listing["kinds"]))
    rows["tier"][convicted] = None
    _set(rows, "offence", convicted, draws.pick(n, conviction["offences"]))
    in_prison = convicted & draws.chance(n, conviction["prison"])
    _set(rows, "sentence_ends_on", in_prison, events.day + draws.between(n, conviction["sentence_days"]))
    _set(rows, "amount", court, draws.yuan(n, listing["amount"]))
    _set(rows, "disrupt_type", kind == "dishonest_executee", draws.pick(n, listing["disrupt_types"]))
    _set(rows, "list_code", kind == "severe_list", draws.pick(n, listing["list_codes"]))
    _set(rows, "commitment_type", kind == "commitment_breach", draws.pick(n, RECIPE["commitment"]["types"]))
    rows["paid"][court & draws.chance(n, listing["paid"])] = 1

    escalates = (kind == "judgment_unperformed") & draws.chance(n, listing["escalates"])
    listed_on = np.where(escalates, events.day + draws.between(n, listing["escalation_days"]), events.day)
    _set(rows, "exit_on", court, listed_on + draws.stay(n, listing["exit_months"]))
    rows = _acts(draws, people, _penalties(draws, rows))
    second = select_rows(
        {**rows, "decided_on": listed_on, "occurred_on": rows["decided_on"]}, escalates & (listed_on < END)
    )
    m = len(second["person"])
    second["kind"] = np.full(m, "dishonest_executee", object)
    second["disrupt_type"] = draws.pick(m, listing["disrupt_types"])
    return [rows, second]


def _other_adverse(draws: Draws, people: People, profile: dict[str, Any]) -> Iterator[Rows]:
    """Yield adverse records that are no label: they neither excite nor count."""
    for kind, side in RECIPE["side"].items():
        persons = (
            people.occupation == RECIPE["people"]["occupations"].index(side["only"]) if "only" in side else slice(None)
        )
        who = np.arange(len(people))[persons]
        frailty = people.frailty(
            side.get("conduct", 0.0) * profile["conduct_sd"], side.get("hardship", 0.0) * profile["hardship_sd"]
        )
        person, day = _recurring(draws, people, who, np.minimum(frailty[who] * side["rate"], 0.5), 12)
        lawful = day < to_day(side["until"]) if "until" in side else np.ones(len(day), bool)
        person, day = person[lawful], day[lawful]
        rows = _rows(person, kind, day, tier=side.get("tier"))
        if "sentence_days" in side:
            rows["sentence_ends_on"] = day + draws.between(len(day), side["sentence_days"])
        if "exit_months" in side:
            rows["exit_on"] = day + draws.stay(len(day), side["exit_months"])
        if "links" in side:
            rows["link"] = draws.pick(len(day), side["links"])
        yield _acts(draws, people, _penalties(draws, rows))


def _of_youth(draws: Draws, people: People) -> Rows:
    """Return acts at 17, decided at 18: on file, and never to be used."""
    recipe, n = RECIPE["youth"], len(people)
    decided_on = people.adult_on.astype(np.int64) + draws.between(n, recipe["decided_days_after"])
    on_file = (people.adult_on >= START) & (people.arrives == NO_DAY) & (decided_on < np.minimum(people.leaves, END))
    who = np.flatnonzero(draws.chance(n, recipe["share"]) & on_file)
    kind, tier = draws.pick(len(who), recipe["kinds"]), draws.pick(len(who), recipe["tiers"])
    tier[kind != "adm_penalty"] = None
    acted_on = people.adult_on[who] - draws.between(len(who), recipe["acted_days_before"])
    return _penalties(draws, _rows(who, kind, decided_on[who], tier=tier, occurred_on=acted_on))


# ------------------------------------------------------------------------------------------------ positive records
def _of_loans(draws: Draws, people: People, profile: dict[str, Any]) -> Rows:
    """Return one housing loan record a year: performed, or overdue."""
    recipe, n = RECIPE["housing_loan"], len(people)
    who = np.flatnonzero(draws.above(people.hardship, recipe["hardship"], recipe["share"]) >= 0)
    taken_on = START - draws.between(n, recipe["taken_days_before"])
    repaid_on = taken_on + draws.between(n, recipe["term_days"])
    person, day = _recurring(draws, people, who, 1.0, 12)
    running = (taken_on[person] + 365 <= day) & (day < repaid_on[person])
    person, day = person[running], day[running]
    m = len(person)
    chance = recipe["overdue_a_year"] * people.frailty(0.0, recipe["overdue_loading"] * profile["hardship_sd"])[person]
    overdue = draws.chance(m, np.minimum(chance, 0.5))
    kind = np.where(overdue, "housing_fund_overdue", "contract_performance").astype(object)
    return _rows(person, kind, day, amount=np.where(overdue, draws.yuan(m, recipe["amount"]), NO_VALUE))


def _of_virtue(draws: Draws, people: People, first_case: int) -> Iterator[Rows]:
    """Yield fulfilled commitments, hours of volunteering, honours."""
    recipe = RECIPE["commitment"]
    person, day = _recurring(draws, people, np.flatnonzero(people.commits), recipe["kept_a_year"], 12)
    case, types = first_case + np.arange(len(person)), draws.pick(len(person), recipe["types"])
    yield _rows(person, "commitment_fulfilled", day, case=case, commitment_type=types)

    recipe = RECIPE["volunteer"]
    zeal = draws.above(people.conduct, recipe["conduct"], recipe["share"])
    who = np.flatnonzero(zeal >= 0)
    chance = np.minimum(recipe["a_quarter"] * (0.4 + zeal[who]), 1.0)
    person, day = _recurring(draws, people, who, chance, 3)
    yield _rows(person, "volunteer_service", day, hours=draws.between(len(person), recipe["hours"]))

    recipe = RECIPE["honour"]
    chance = np.minimum(people.frailty(recipe["conduct"], 0.0) * recipe["a_year"], 0.5)
    person, day = _recurring(draws, people, np.arange(len(people)), chance, 12)
    valid_to = np.where(draws.chance(len(person), 0.5), day + recipe["valid_days"], NO_DAY)
    yield _rows(person, "honour", day, level=draws.pick(len(person), recipe["levels"]), valid_to=valid_to)


# ------------------------------------------------------------------------------------------------ receipt
def make_records(people: People, events: Events, profile: dict[str, Any], seed: int) -> Rows:
    """Return every record received within the timeline, in the order of receipt.

    Returns
    -------
    dict of str to ndarray
        ``DATES`` (days), ``NUMBERS``, ``TEXTS``, ``person``, ``case`` (-1: none), and with ``exit_on`` and ``paid`` the
        end of each case, for ``make_amendments`` alone.
    """
    blocks = [
        *_of_events(Draws.for_stream(seed, "records of events"), people, events),
        *_other_adverse(Draws.for_stream(seed, "records beside events"), people, profile),
        _of_youth(Draws.for_stream(seed, "records of youth"), people),
        _of_loans(Draws.for_stream(seed, "loans"), people, profile),
        *_of_virtue(Draws.for_stream(seed, "virtue"), people, first_case=len(events.kind)),
    ]
    draws, delay = Draws.for_stream(seed, "receipt"), RECIPE["delay"]
    decided_on = np.concatenate([block["decided_on"] for block in blocks])
    n = len(decided_on)
    late = draws.chance(n, delay["late"]) * draws.between(n, delay["late_days"])
    known_on = decided_on + draws.days(n, delay["receipt"]) + late
    order = np.argsort(known_on, kind="stable")
    order = order[known_on[order] < END]
    # column by column, so that the records of a large city are not in memory twice
    rows = {name: np.concatenate([block.pop(name) for block in blocks])[order] for name in list(blocks[0])}
    code, kinds = pd.factorize(rows["kind"])
    source = np.array([RECIPE["source"][kind] for kind in kinds], dtype=object)[code]
    return {**rows, "known_on": known_on[order], "source": source}


# ------------------------------------------------------------------------------------------------ amendments
class _Log:
    """Amendments as they are written down; each becomes known some days after it takes effect, or a little before."""

    def __init__(self, draws: Draws, known_on: Numbers) -> None:
        self.draws, self.known_on = draws, known_on
        self.parts: list[Rows] = []

    def add(self, action: str, record: Numbers, effective_on: Numbers, value: Column | str | None = None) -> None:
        """Write one action about records (row numbers), where it takes effect within the timeline."""
        n, delay = len(record), RECIPE["delay"]
        lag = np.where(
            self.draws.chance(n, delay["ahead"]),
            -self.draws.between(n, (1, 10)),
            self.draws.days(n, delay["amendment"]),
        )
        known_on = np.maximum(effective_on + lag, self.known_on[record])
        values = value if isinstance(value, np.ndarray) else np.full(n, value, object)
        actions = np.full(n, action, object)
        part = {
            "record": record,
            "action": actions,
            "effective_on": effective_on,
            "known_on": known_on,
            "value": values,
        }
        self.parts.append(select_rows(part, known_on < END))

    def amendments(self) -> Rows:
        """Return all amendments in the order of knowledge, those of one day in the order they were added."""
        rows = {name: np.concatenate([part[name] for part in self.parts]) for name in self.parts[0]}
        return select_rows(rows, np.argsort(rows["known_on"], kind="stable"))


def make_amendments(rows: Rows, people: People, subject_ids: pa.Array, catalogue: Catalogue, seed: int) -> Rows:
    """Return what became known of records after receipt; fill ``served_on`` and ``final_on`` known with them.

    Returns
    -------
    dict of str to ndarray
        ``record`` (row number in `rows`), ``action``, ``effective_on``, ``known_on``, ``value``; by ``known_on``.
    """
    draws = Draws.for_stream(seed, "amendments")
    log = _Log(draws, rows["known_on"])
    code, kinds = pd.factorize(rows["kind"])
    appeal = np.array([catalogue.kinds[kind].finality == "appeal_period" for kind in kinds])[code]
    adverse = np.array([catalogue.kinds[kind].polarity == "adverse" for kind in kinds])[code]
    final_on = _finality(draws, log, rows, np.flatnonzero(appeal))
    _repairs(draws, log, rows, np.flatnonzero(appeal), final_on)
    _exits(draws, log, rows, np.flatnonzero(rows["exit_on"] != NO_DAY))
    _errors(draws, log, rows, np.flatnonzero(adverse), people, subject_ids)
    honours = np.flatnonzero(rows["kind"] == "honour")
    revoked = honours[draws.chance(len(honours), RECIPE["honour"]["revoked"])]
    log.add("revoked", revoked, rows["known_on"][revoked] + draws.between(len(revoked), (30, 900)))
    return log.amendments()


def _finality(draws: Draws, log: _Log, rows: Rows, own: Numbers) -> Numbers:
    """Add service, then one of: final early and declared so, challenged, or silent until the appeal period is over."""
    recipe, n = RECIPE["finality"], len(own)
    known_on, decided_on = rows["known_on"][own], rows["decided_on"][own]
    served_on, is_stated = decided_on + draws.between(n, (0, 10)), draws.chance(n, recipe["served_stated"])
    rows["served_on"][own] = np.where(is_stated & (served_on <= known_on), served_on, NO_DAY)
    later = is_stated & (served_on > known_on)
    log.add("served", own[later], served_on[later])
    service = np.where(is_stated, served_on, decided_on + 7)

    path = draws.pick(n, recipe["path"])
    final_on = service + draws.between(n, recipe["explicit_days"])
    at_once = (path == "explicit") & (final_on <= known_on)
    rows["final_on"][own[at_once]] = final_on[at_once]
    later = (path == "explicit") & ~at_once
    log.add("finalised", own[later], final_on[later])

    challenged_on = service + draws.between(n, (5, 150))
    closed_on, outcome = challenged_on + draws.between(n, (30, 180)), draws.pick(n, recipe["challenge_outcome"])
    challenged = path == "challenged"
    log.add("challenged", own[challenged], challenged_on[challenged])
    for action in ("upheld", "revoked"):
        is_closed = challenged & (outcome == action)
        log.add(action, own[is_closed], closed_on[is_closed])
    return np.select([path == "explicit", path == "silent"], [final_on, add_months(service, 6)], closed_on)


def _repairs(draws: Draws, log: _Log, rows: Rows, own: Numbers, final_on: Numbers) -> None:
    """Add repairs after the shortest term of publicity; revoke a few of them."""
    n, tier = len(own), rows["tier"][own]
    for name, recipe in RECIPE["repair"]["by"].items():
        which = (rows["kind"][own] == "commitment_breach") if name == "breach" else (tier == name)
        which = which & draws.chance(n, recipe["share"])
        record = own[which]
        repaired_on = np.maximum(
            rows["decided_on"][record] + draws.between(len(record), recipe["days"]), final_on[which] + 1
        )
        log.add("performed", record, repaired_on - draws.between(len(record), (0, 20)))
        log.add("repaired", record, repaired_on)
        undone = draws.chance(len(record), RECIPE["repair"]["undone"])
        log.add("repair_revoked", record[undone], repaired_on[undone] + draws.between(int(undone.sum()), (30, 300)))


def _exits(draws: Draws, log: _Log, rows: Rows, own: Numbers) -> None:
    """Add the end of each case: paid (off the list and repaired), or off the list without payment."""
    exit_on, is_paid, listed = rows["exit_on"][own], rows["paid"][own] == 1, rows["kind"][own] != "judgment_unperformed"
    partly = draws.chance(len(own), RECIPE["listing"]["partly"]) & (rows["amount"][own] != NO_VALUE)
    part_on = rows["decided_on"][own] + ((exit_on - rows["decided_on"][own]) * draws.rng.random(len(own))).astype(
        np.int64
    )
    outstanding = np.floor(rows["amount"][own[partly]] * (0.2 + 0.6 * draws.rng.random(int(partly.sum())))).astype(
        np.int64
    )
    log.add("partly_performed", own[partly], part_on[partly], outstanding.astype(str).astype(object))
    log.add("performed", own[is_paid], exit_on[is_paid])
    log.add("delisted", own[listed | ~is_paid], exit_on[listed | ~is_paid])
    log.add("repaired", own[is_paid], exit_on[is_paid] + draws.between(int(is_paid.sum()), (0, 30)))


def _errors(draws: Draws, log: _Log, rows: Rows, own: Numbers, people: People, subject_ids: pa.Array) -> None:
    """Add disputes, corrections, revocations, records of somebody else, and seals."""
    recipe = RECIPE["amendment"]

    def some(share: float) -> tuple[Numbers, Numbers]:
        record = own[draws.chance(len(own), share)]
        return record, rows["known_on"][record] + draws.between(len(record), (1, 400))

    record, opened_on = some(recipe["disputed"])
    outcome, closed_on = (
        draws.pick(len(record), recipe["dispute_outcome"]),
        opened_on + draws.between(len(record), (3, 28)),
    )
    log.add("disputed", record, opened_on)
    is_closed = outcome != "open"
    outcome[outcome == "unknown"] = None
    log.add("dispute_closed", record[is_closed], closed_on[is_closed], outcome[is_closed])

    record, day = some(recipe["corrected"])
    amount, tier = rows["amount"][record], rows["tier"][record]
    flipped = np.isin(tier, ("general", "serious")) & draws.chance(len(record), recipe["tier_corrected"])
    shares = 0.5 + draws.rng.random(len(record))
    facts = [
        {"tier": "serious" if t == "general" else "general"} if flip else {"amount": int(a * share)}
        for t, a, flip, share in zip(tier, amount, flipped, shares, strict=True)
    ]
    is_possible = flipped | (amount != NO_VALUE)
    value = np.array([json.dumps(fact) for fact in facts], dtype=object)
    log.add("corrected", record[is_possible], day[is_possible], value[is_possible])

    record, day = some(recipe["revoked"])
    log.add("revoked", record, day)
    record, day = some(recipe["moved"])
    other = draws.between(len(record), (0, len(subject_ids) - 1))
    other = np.where(other == rows["person"][record], (other + 1) % len(subject_ids), other)
    log.add("moved_to_subject", record, day, subject_ids.take(pa.array(other)).to_numpy(zero_copy_only=False))
    record, day = some(recipe["sealed"])
    light = rows["tier"][record] == "minor"
    log.add("sealed", record[light], day[light])
    young = own[
        (rows["kind"][own] == "criminal_judgment") & (rows["occurred_on"][own] < people.adult_on[rows["person"][own]])
    ]
    log.add("sealed", young, rows["known_on"][young] + draws.between(len(young), (0, 100)))
