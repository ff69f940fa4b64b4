"""What becomes known of the records of the synthetic city after they were received.

Finality, service, challenges, disputes, corrections, payment, repair, exit from lists and seals, each known some days
after it takes effect.

In: records, people. Out: amendments as columns, ordered by the day they became known.
"""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pyarrow as pa

from credit_model.catalogue.catalogue import Catalogue
from credit_model.foundation.calendar import NO_DAY, NO_VALUE, add_months
from credit_model.synthetic.history import Numbers, Rows, select_rows
from credit_model.synthetic.people import END, RECIPE, Column, Draws, People


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
