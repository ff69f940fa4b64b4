"""Put the people of the synthetic city on record: what an office would hold about them, and learn later.

An event becomes a penalty, a conviction, a court case or a broken commitment; beside the events stand adverse records
that are no label, acts of minors, and the positive records of loans, commitments, volunteering and honours. Each is
received some days after its decision; `credit_model.synthetic.amendments` adds
what becomes known later still.

In: people and events. Out: records as columns, ordered by the day they became known.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pandas as pd
from numpy.typing import NDArray

from credit_model.foundation.calendar import NO_DAY, NO_VALUE, to_day
from credit_model.foundation.json_values import JsonObject
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


def _rows(person: Numbers, kind: Column | str, decided_on: Numbers, **facts: Column | str | int | None) -> Rows:
    """Return records as columns; `paid` and `exit_on` say how a case will end, `case` numbers cases (-1: none)."""
    silent: dict[str, Column | str | int | None] = {
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


def _other_adverse(draws: Draws, people: People, profile: JsonObject) -> Iterator[Rows]:
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
def _of_loans(draws: Draws, people: People, profile: JsonObject) -> Rows:
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
def make_records(people: People, events: Events, profile: JsonObject, seed: int) -> Rows:
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
