"""Segments against a naive reading of the rules: plain dates, one record and one day at a time, no shared code.

Random ledgers draw every date from a pool of a dozen days a rule's length apart, so that dates coincide and every
boundary is met; each file is compared at every edge and the days beside it. Mutants of the naive reading show that
the comparison would notice.
"""

from __future__ import annotations

import datetime as dt
import json
import random
import sys
import tomllib
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from itertools import cycle
from typing import Any

import numpy as np
import pytest

from credit_model.catalogue.catalogue import parse_catalogue
from credit_model.foundation.calendar import NO_DAY, to_day
from credit_model.visibility.fold import fold_at
from credit_model.visibility.segments import compile_segments, grounds_at
from credit_model.visibility.tables import ROLES, STATUSES, Tables

DAY = dt.timedelta(1)
TIERS = ["", "minor", "general", "serious"]
ATTRIBUTES = ["parent_case_id", "procedure", "valid_to", "penalty_ends_on", "sentence_ends_on", "act", "grade", "note"]
RULES = """
tier_by={ by="act", most={ warning="minor" }, least={ ban="serious" }, ground="g", from=2024-06-01 },
summary_if=[{ act=["fine"], amount_at_most=200, ground="g", from=2023-12-01 },
{ act="warning", ground="g", from=2024-03-01 }]
""".replace("\n", " ")
TERM = 'term_months={ by="act", values={ hides=24 }, ground="g", from=2023-12-01 }'
SHORT = "appeal_days=14, review_days=9"

KINDS = {
    "penalty": f'polarity="adverse", tier="by_record", finality="appeal_period", use="window", {RULES}',
    "order": f'polarity="adverse", tier="general", finality="appeal_period", use="window", {SHORT}',
    "finding": 'polarity="adverse", tier="serious", finality="appeal_period", use="window", appeal_months=3',
    "arrears": 'polarity="adverse", tier="minor", finality="decision", use="window"',
    "conviction": 'polarity="adverse", tier="serious", finality="decision", use="window", prison=true',
    "listing": f'polarity="adverse", tier="serious", finality="decision", use="while_listed", {TERM}',
    "contested_listing": 'polarity="adverse", tier="minor", finality="appeal_period", use="while_listed"',
    "judgment": 'polarity="adverse", tier="general", finality="decision", use="until_performed"',
    "standing_ban": 'polarity="adverse", tier="serious", finality="appeal_period", use="valid_to"',
    "withdrawn": 'polarity="adverse", tier="general", finality="decision", use="window", lawful_to=2024-09-01',
    "breach": 'polarity="adverse", tier="general", finality="decision", use="window", category="commitment"',
    "promise": 'polarity="positive", tier="", finality="decision", use="valid_to", category="commitment"',
    "honour": 'polarity="positive", tier="", finality="decision", use="valid_to"',
    "licence": 'polarity="neutral", tier="", finality="decision", use="valid_to", lawful_from=2023-06-01',
}
SORT, GRAVITY = 'category="acts", ', "severity=1, "
ACT = 'act={ type="text", values=["warning", "fine", "ban", "hides"] }'
CATALOGUE = """
schema = 2
name = "trial"
version = "1"
subjects = "person"
[dimensions]
conduct = { zh = "行为", en = "Conduct" }
[categories]
acts = { zh = "行为", en = "Acts" }
commitment = { zh = "承诺", en = "Commitments" }
[deny]
sex = { names = ["性别"] }
[[policies.tier]]
in_force_from = 1990-01-01
minor = 60
general = 60
serious = 60
keep_after_exit = true
[[policies.tier]]
in_force_from = 2024-06-01
minor = 3
general = 12
serious = "ever"
penalty_term = true
[[policies.retention]]
in_force_from = 1990-01-01
minor = 60
general = 60
serious = 60
keep_after_exit = true
[kinds]
""" + "\n".join(
    f'{code} = {{ zh="中", en="e", zh_plain="中", en_plain="e", dimension="conduct", {rest}, legal=[], '
    f"{'' if 'category' in rest else SORT}{GRAVITY if 'adverse' in rest else ''}"
    f"attributes={{ {ACT}, "
    'grade={ type="int" }, note={ type="text" } } }'
    for code, rest in KINDS.items()
)


# ---------------------------------------------------------------------------------------------- the naive reading


def months_later(day: dt.date, months: int) -> dt.date:
    year, month = divmod(day.year * 12 + day.month - 1 + months, 12)
    try:
        return dt.date(year, month + 1, day.day)
    except ValueError:  # no such day: the first of the next month
        return months_later(day.replace(day=1), months + 1)


class Naive:
    """The rules on dates and visibility, read aloud. A day stands for its start; no date is None."""

    def __init__(self, policy: str, use: dt.date) -> None:
        raw = tomllib.loads(CATALOGUE)
        self.kinds, self.use = raw["kinds"], use
        self.edition = [e for e in raw["policies"][policy] if e["in_force_from"] <= use][-1]

    def in_force(self, rule: dict | None) -> bool:
        return rule is not None and rule["from"] <= self.use

    # What counts.
    def record_counts(self, record: dict, d: dt.date) -> bool:
        return record["known_on"] < d

    def amendment_counts(self, amendment: dict, d: dt.date) -> bool:
        return amendment["known_on"] < d and amendment["effective_on"] <= d

    def version_counts(self, version: dict, d: dt.date) -> bool:
        return (version["known_on"] is None or version["known_on"] < d) and self.version_valid(version, d)

    def version_valid(self, version: dict, d: dt.date) -> bool:
        return version["valid_from"] is None or version["valid_from"] <= d

    # What is known.
    def state(self, record: dict, amendments: list[dict], d: dt.date) -> dict[str, Any]:
        tier = self.kinds[record["kind"]]["tier"]
        facts = {name: record[name] for name in ("amount", "hours", "occurred_on", "decided_on", *ATTRIBUTES)}
        facts["tier"] = record["tier"] or (tier if tier in TIERS else "")
        state: dict[str, Any] = {
            "facts": facts, "holder": record["subject_id"], "served_on": record["served_on"], "final_on": None,
            "challenged": False, "stayed": False, "disputes": [], "repaired": False, "performed": 0, "left": None,
            "paid": 0, "exit_on": None, "revoked": False, "sealed": False, "superseded": False, "opted_out": False,
            "deceit_on": None,
        }  # fmt: skip
        events = [a for a in amendments if self.amendment_counts(a, d)]
        if record["final_on"] is not None:
            events.append({"action": "finalised", "effective_on": record["final_on"], "seq": -1, "value": None})
        for event in sorted(events, key=lambda e: (e["effective_on"], e["seq"])):
            self.fold(state, event, self.kinds[record["kind"]])
        state["dated"] = facts["occurred_on"] is not None
        if not state["dated"]:
            facts["occurred_on"] = facts["decided_on"]
        facts["performed"] = state["performed"]
        facts["outstanding"] = facts["amount"] if state["left"] is None else state["left"]
        if facts["outstanding"] is not None and state["paid"]:
            facts["outstanding"] = max(facts["outstanding"] - state["paid"], 0)
            if facts["outstanding"] == 0:
                facts["performed"] = state["performed"] = 2
        if state["performed"] == 2:
            facts["outstanding"] = 0
        return state

    def read(self, facts: dict, kind: dict) -> dict:
        """What is used of the facts: never a tier above what the act allows."""
        most = kind["tier_by"]["most"].get(facts["act"]) if self.in_force(kind.get("tier_by")) else None
        return {**facts, "tier": min(facts["tier"], most, key=TIERS.index) if most else facts["tier"]}

    def fold(self, state: dict, event: dict, kind: dict) -> None:
        match event["action"]:
            case "served":
                state["served_on"] = event["effective_on"]
            case "challenged":
                state["challenged"] = True
            case "challenge_withdrawn":
                state["challenged"] = False
            case "upheld" | "finalised":
                state["challenged"], state["final_on"] = False, event["effective_on"]
                if event["action"] == "upheld" and event["value"] in ("by=reconsideration", "by=first_instance"):
                    state["final_on"] = self.final_after_review(event, kind)
            case "stayed":
                state["stayed"] = True
            case "stay_lifted":
                state["stayed"] = False
            case "corrected":
                state["facts"].update({k: v for k, v in event["facts"].items() if k != "superseded_by"})
                state["superseded"] |= "superseded_by" in event["facts"]
            case "disputed":
                self.open_dispute(state["disputes"], event["dispute_id"])
            case "dispute_closed":
                self.close_dispute(state["disputes"], event["dispute_id"], event["value"] or "no result")
            case "partly_performed":
                state["performed"] = 1
                if isinstance(event["value"], str):
                    state["paid"] += int(event["value"].removeprefix("paid="))
                elif event["value"] is not None:
                    state["left"], state["paid"] = event["value"], 0
            case "performed":
                state["performed"] = 2
            case "repaired":
                state["repaired"] = True
            case "repair_revoked":
                state["repaired"] = False
                if event["value"] == "deceit":
                    state["deceit_on"] = event["effective_on"]
            case "revoked":
                state["revoked"] = True
            case "delisted":
                state["exit_on"] = event["effective_on"]
            case "sealed":
                state["sealed"] = True
            case "moved_to_subject":
                state["holder"] = event["value"]
            case "opted_out":
                state["opted_out"] = True
            case "statement":
                pass  # shown, never used

    def final_after_review(self, ruling: dict, kind: dict) -> dt.date:
        """The days there are to challenge a ruling once more, from the day it is known, are over."""
        return ruling["known_on"] + (kind.get("review_days", 15) + 1) * DAY

    # Objections in the order in which they were last opened or closed: [id, "open" or how it ended].
    def open_dispute(self, disputes: list[list], name: str | None) -> None:
        if name is None:
            if not any(d[0] is None and d[1] == "open" for d in disputes):  # those before are over
                disputes[:] = [d for d in disputes if d[0] is not None]
        elif [name, "open"] in disputes:
            return
        else:
            disputes[:] = [d for d in disputes if d[0] != name]
        disputes.append([name, "open"])

    def close_dispute(self, disputes: list[list], name: str | None, result: str) -> None:
        about = [d for d in disputes if d[0] == name] if name is not None else []
        if name is None:
            nameless = [d for d in disputes if d[0] is None and d[1] != "open"]
            about = [d for d in disputes if d[1] == "open"][:1] or nameless[-1:]
        closed = about[0] if about else [name, ""]
        disputes[:] = [d for d in disputes if d is not closed] + [[closed[0], result]]

    # Whose file.
    def on_file(self, record: dict, amendments: list[dict], subject: str, d: dt.date) -> bool:
        if not self.record_counts(record, d):
            return False
        if subject == record["subject_id"]:
            return True
        days = [max(a["known_on"] + DAY, a["effective_on"], record["known_on"] + DAY) for a in amendments]
        return any(self.state(record, amendments, x)["holder"] == subject for x in days if x <= d)

    # The rule.
    def lawful(self, kind: dict) -> bool:
        return kind.get("lawful_from", self.use) <= self.use and not kind.get("lawful_to", dt.date.max) <= self.use

    def sealed(self, state: dict, amendments: list[dict]) -> bool:
        by_use = [a for a in amendments if a["known_on"] <= self.use and a["effective_on"] <= self.use]
        return state["sealed"] or any(a["action"] == "sealed" for a in by_use)

    def minor(self, state: dict, versions: list[dict], d: dt.date) -> bool:
        by_use = [
            v for v in versions
            if (v["known_on"] is None or v["known_on"] <= self.use) and self.version_valid(v, self.use)
        ]  # fmt: skip
        by_day = [v for v in versions if self.version_counts(v, d)]
        for known in (by_use, by_day):
            last = max(known, key=self.precedence, default=None)
            # A decision before the 19th birthday may be about an act before the 18th.
            months = 216 if state["dated"] else self.in_dubio_months
            if last and last["born_on"] and state["facts"]["occurred_on"] < months_later(last["born_on"], months):
                return True
        return False

    in_dubio_months = 228

    def precedence(self, version: dict) -> tuple:
        low = dt.date.min
        return version["valid_from"] or low, version["known_on"] or low, version["seq"]

    def incapable(self, state: dict, versions: list[dict], d: dt.date) -> bool:
        """The standing on the day of the act, as known at d."""
        known = [v for v in versions if v["known_on"] is None or v["known_on"] < d]
        then = [v for v in known if self.version_valid(v, state["facts"]["occurred_on"])]
        last = max(then, key=self.precedence, default=None)
        return last is not None and last["standing"] == "incapable"

    def breached(self, ledger: Ledger, record: dict, subject: str, d: dt.date) -> bool:
        """A breach of the same case is known on this file, and stands."""
        return any(
            self.record_counts(other, d)
            and (state := self.state(other, ledger.amendments_of(other), d))["holder"] == subject
            and not state["revoked"]
            and not state["superseded"]
            for other in ledger.breaches_of(record)
        )

    def disputed(self, state: dict) -> bool:
        return any(result != "record_confirmed" for _, result in state["disputes"])

    def summary(self, facts: dict, kind: dict) -> bool:
        if facts["procedure"] is not None:
            return facts["procedure"] == "summary"
        return any(self.in_force(rule) and self.meets(facts, rule) for rule in kind.get("summary_if", ()))

    def meets(self, facts: dict, rule: dict) -> bool:
        most, amount = rule.get("amount_at_most"), facts["amount"]
        acts = [rule["act"]] if isinstance(rule["act"], str) else rule["act"]
        return facts["act"] in acts and (most is None or (amount is not None and amount <= most))

    def final_from(self, state: dict, kind: dict) -> dt.date | None:
        """The day the decision is final; None while challenged or stayed."""
        if state["stayed"]:
            return None
        if kind["finality"] == "decision":
            return state["facts"]["decided_on"]
        if state["challenged"]:
            return None
        served = state["served_on"] or state["facts"]["decided_on"] + 7 * DAY
        appeal = served + kind["appeal_days"] * DAY if "appeal_days" in kind else None
        return state["final_on"] or appeal or months_later(served, kind.get("appeal_months", 6))

    def list_ends(self, state: dict, kind: dict) -> dt.date | None:
        """The day the entry ends, by an exit or by its own term; None if neither is known."""
        facts, ends = state["facts"], [state["exit_on"]] if state["exit_on"] else []
        if self.in_force(kind.get("term_months")) and facts["valid_to"] is None:
            months = kind["term_months"]["values"].get(facts["act"])
            ends += [months_later(facts["decided_on"], months)] if months else []
        return min(ends, default=None)

    def use_ends(self, state: dict, kind: dict) -> dt.date | None:
        """The day use is over; None if it never is."""
        facts, edition = state["facts"], self.edition
        term = edition.get("penalty_term", False)
        retained = months_later(facts["decided_on"], 60)
        if kind["use"] == "valid_to":
            return None
        if kind["use"] == "while_listed":
            end = self.list_ends(state, kind)
            return max(retained, end) if end and edition.get("keep_after_exit") else end
        if kind["use"] == "until_performed":
            return dt.date.min if state["performed"] == 2 or state["exit_on"] else retained
        months = edition[self.read(facts, kind)["tier"] or "minor"]
        if months == "ever":
            return None
        start = facts["decided_on"]
        if kind.get("prison") and not term:
            start = facts["sentence_ends_on"] or start
        ends = [months_later(start, months)]
        if term:
            ends += [day for day in (facts["penalty_ends_on"], facts["sentence_ends_on"]) if day]
        return max(ends + self.after_deceit(state, kind))

    def after_deceit(self, state: dict, kind: dict) -> list[dt.date]:
        """Three years from the revocation, but never past retention."""
        if state["deceit_on"] is None:
            return []
        facts = state["facts"]
        start = facts["sentence_ends_on"] if kind.get("prison") and facts["sentence_ends_on"] else facts["decided_on"]
        return [min(months_later(state["deceit_on"], 36), months_later(start, 60))]

    def past(self, end: dt.date | None, d: dt.date) -> bool:
        return end is not None and end <= d

    def grounds(self, ledger: Ledger, record: dict, subject: str, d: dt.date) -> list[str]:
        amendments, kind = ledger.amendments_of(record), self.kinds[record["kind"]]
        state = self.state(record, amendments, d)
        facts = state["facts"]
        found = {
            "kind_not_lawful": not self.lawful(kind),
            "sealed": self.sealed(state, amendments),
            "act_of_minor": self.minor(state, ledger.versions_of(subject), d),
            "act_of_incapable": self.incapable(state, ledger.versions_of(subject), d),
            "corrected": state["superseded"] or self.breached(ledger, record, subject, d),
            "revoked": state["revoked"],
            "moved": state["holder"] != subject,
            "disputed": self.disputed(state),
            "expired": facts["valid_to"] is not None and facts["valid_to"] <= d,
            "not_yet_decided": d < facts["decided_on"],
            "opted_out": state["opted_out"] and kind["polarity"] == "positive",
        }
        if kind["polarity"] == "adverse":
            final = self.final_from(state, kind)
            found |= {
                "summary_procedure": self.summary(facts, kind),
                "not_final": final is None or d < final,
                "repaired": state["repaired"] and not self.listed(state, kind, d),
                "past_use_window": self.past(self.use_ends(state, kind), d),
            }
        return [ground for ground, holds in found.items() if holds]

    def listed(self, state: dict, kind: dict, d: dt.date) -> bool:
        return kind["use"] == "while_listed" and not self.past(self.list_ends(state, kind), d)

    def role(self, state: dict, kind: dict, d: dt.date) -> str:
        if kind["use"] == "while_listed":
            return "listed" if self.listed(state, kind, d) else "was_listed"
        return "unperformed" if kind["use"] == "until_performed" else ""

    def seen(self, ledger: Ledger, record: dict, subject: str, d: dt.date) -> tuple[Any, ...] | None:
        """Status, role and facts; None if the record is not on this file."""
        amendments = ledger.amendments_of(record)
        if not self.on_file(record, amendments, subject, d):
            return None
        grounds = self.grounds(ledger, record, subject, d)
        state = self.state(record, amendments, d)
        kind = self.kinds[record["kind"]]
        role = "" if grounds else self.role(state, kind, d)
        facts = self.read(state["facts"], kind)
        return (grounds[0] if grounds else "in_force", role, *(facts[name] for name in FACTS))

    def edges(self, ledger: Ledger, record: dict, subject: str) -> set[dt.date]:
        """Every day on which anything could change."""
        amendments, kind = ledger.amendments_of(record), self.kinds[record["kind"]]
        versions, others = ledger.versions_of(subject), ledger.breaches_of(record)
        amendments += [a for other in others for a in ledger.amendments_of(other)]
        known = [row["known_on"] + DAY for row in (record, *others, *amendments, *versions) if row["known_on"]]
        legal = [a["effective_on"] for a in amendments] + [v["valid_from"] for v in versions if v["valid_from"]]
        edges = set(known + legal)
        for day in list(edges):
            state = self.state(record, ledger.amendments_of(record), day)
            facts = state["facts"]
            edges |= {facts["decided_on"], facts["valid_to"], self.final_from(state, kind), self.use_ends(state, kind)}
            edges |= {self.list_ends(state, kind)} if kind["use"] == "while_listed" else set()
        return edges - {None, dt.date.min}


FACTS = ["tier", "amount", "hours", "outstanding", "performed", "occurred_on", "decided_on", *ATTRIBUTES]


# ---------------------------------------------------------------------------------------------- random ledgers


class Ledger:
    """Rows as plain dicts, and the same as Tables."""

    def __init__(self) -> None:
        self.records: list[dict] = []
        self.amendments: list[dict] = []
        self.subjects: list[dict] = []

    def amendments_of(self, record: dict) -> list[dict]:
        return [a for a in self.amendments if a["record_id"] == record["record_id"]]

    def versions_of(self, subject: str) -> list[dict]:
        return [v for v in self.subjects if v["subject_id"] == subject]

    def breaches_of(self, record: dict) -> list[dict]:
        """Records that say the commitment of this one, if it is one that was kept, was broken."""
        if record["kind"] != "promise":
            return []
        return [r for r in self.records if r["kind"] == "breach" and r["case_id"] == record["case_id"]]

    def files_of(self, record: dict) -> list[str]:
        moves = {a["value"] for a in self.amendments_of(record) if a["action"] == "moved_to_subject"}
        return sorted({record["subject_id"]} | moves)


def tables_of(ledgers: list[Ledger]) -> Tables:
    def columns(rows: list[dict]) -> dict[str, list]:
        return {name: [row[name] for row in rows] for name in (rows[0] if rows else ())}

    return Tables.of(
        columns([row for ledger in ledgers for row in ledger.records]),
        columns([row for ledger in ledgers for row in ledger.amendments]),
        columns([row for ledger in ledgers for row in ledger.subjects]),
        TRIAL.attribute_types,
    )


TRIAL = parse_catalogue(CATALOGUE)
ACTIONS = [
    "served", "challenged", "upheld", "finalised", "corrected", "disputed", "dispute_closed", "partly_performed",
    "performed", "repaired", "repair_revoked", "revoked", "delisted", "sealed", "moved_to_subject",
    "challenge_withdrawn", "stayed", "stay_lifted", "opted_out", "statement",
]  # fmt: skip
WEIGHTS = [2, 3, 2, 4, 4, 1, 1, 2, 2, 2, 1, 3, 3, 3, 1, 1, 3, 1, 2, 1]
STORIES = [
    ["challenged", "upheld"], ["repaired", "repair_revoked"], ["disputed", "dispute_closed"], ["finalised"],
    ["challenged", "challenge_withdrawn"], ["stayed", "stay_lifted"], ["disputed", "disputed", "dispute_closed"],
    ["disputed", "dispute_closed", "disputed", "dispute_closed"], ["challenged", "upheld", "challenged"], ["upheld"],
    ["repair_revoked"], ["opted_out"],
]  # fmt: skip


def pool_of(rng: random.Random) -> list[dt.date]:
    """A dozen days, a rule's length apart and a day beside, around a day in the years when the law changed."""
    anchor = rng.choice([dt.date(2024, 2, 29), dt.date(2023, 8, 31), dt.date(2024, 1, 10)]) + rng.randrange(3) * DAY
    steps = [months_later(anchor, n) for n in (0, 0, 3, 6, 12, 36, 60)] + [months_later(anchor + 7 * DAY, 6)]
    return [rng.choice(steps) + rng.choice([-1, 0, 0, 1]) * DAY for _ in range(12)]


def random_ledger(rng: random.Random, pool: list[dt.date], name: str) -> Ledger:
    ledger = Ledger()
    day = lambda: rng.choice(pool)  # noqa: E731
    maybe = lambda chance, value: value() if rng.random() < chance else None  # noqa: E731
    people = [f"{name}-{i}" for i in range(rng.randint(1, 3))]
    for person in people:
        young, dark = rng.choice([0, 0.6]), rng.choice([0, 0, 0, 3])
        for _ in range(rng.randint(1, 4) if young or dark else rng.randint(0, 2)):
            born = months_later(day(), rng.choice([-216, -228])) if rng.random() < young else dt.date(1980, 2, 29)
            known = maybe(0.8, day)
            valid = known if rng.random() < 0.5 else maybe(0.8, day)
            ledger.subjects.append(
                {"subject_id": person, "born_on": born if rng.random() < 0.8 else None, "known_on": known,
                 "standing": rng.choice([None, "", "adult", *["incapable"] * dark]),
                 "valid_from": valid if valid is not None else known, "seq": rng.randrange(10**9)}
            )  # fmt: skip
    kinds = [*KINDS, *["penalty"] * 5, "withdrawn", *["breach", "promise", "promise"][: rng.choice([0, 3])], "listing"]
    for i in range(rng.randint(2, 4)):
        decided, known = day(), day()
        final = maybe(0.4, day)
        ledger.records.append(
            {"record_id": f"{name}-r{i}", "subject_id": rng.choice(people), "kind": rng.choice(kinds),
             "case_id": f"{name}-c{rng.randrange(2)}", "decided_on": decided, "known_on": known,
             "occurred_on": rng.choice([day(), decided, None]), "served_on": maybe(0.3, day),
             "final_on": final if final is not None and final <= known else None,
             "tier": maybe(0.7, lambda: rng.choice([*TIERS[1:], "serious"])), "valid_to": maybe(0.15, day),
             "act": rng.choice([None, "warning", "fine", "ban", "hides"]),
             "amount": maybe(0.7, lambda: rng.choice([100, 199, 200, 201, rng.randrange(900)])),
             "hours": maybe(0.2, lambda: rng.randrange(90)),
             "penalty_ends_on": maybe(0.15, day), "sentence_ends_on": maybe(0.2, day),
             "procedure": rng.choice([None, None, None, "summary", "ordinary"]), "parent_case_id": None,
             "grade": maybe(0.3, lambda: rng.randrange(100)), "note": maybe(0.2, lambda: rng.choice("abc"))}
        )  # fmt: skip
        for _ in range(rng.choice([0, 1, 1, 2, 3, 6])):
            actions = rng.choice([rng.choices(ACTIONS, WEIGHTS), rng.choice(STORIES)])
            for action in actions:
                ledger.amendments.append(random_amendment(rng, pool, ledger.records[-1]["record_id"], action, people))
    for i in range(3):
        records, amendments = plotted(rng, pool, f"{name}-p{i}", f"{name}-grown")
        ledger.records += records
        ledger.amendments += amendments
    rng.shuffle(ledger.amendments)
    return ledger


FINE = {"kind": "penalty", "tier": "general", "procedure": "ordinary", "act": "fine"}
# A record for each rule, with nothing beside it that would hide what the rule does; dates of amendments ascend.
PLOTS: list[tuple[dict, list[tuple[str, str | None]]]] = [
    (FINE | {"tier": "serious"}, [("challenged", None), ("upheld", "by=reconsideration")]),
    ({"kind": "order"}, [("challenged", None), ("upheld", "by=first_instance"), ("challenged", None)]),
    (FINE, [("challenged", None), ("challenge_withdrawn", None)]),
    ({"kind": "listing", "act": "ban"}, [("repaired", None), ("repaired", None)]),
    ({"kind": "listing", "act": "hides"}, [("repaired", None)]),
    (FINE | {"final": True}, [("repaired", None), ("repair_revoked", "deceit")]),
    (FINE | {"final": True, "act": "warning"}, []),
    (FINE | {"final": True}, [("repaired", None)]),
    ({"kind": "finding"}, []),
    (FINE | {"final": True}, [("disputed", None), ("dispute_closed", "objection_sustained")]),
    (FINE | {"final": True, "procedure": None, "amount": 200}, []),
    (FINE | {"final": True, "procedure": None, "amount": 201}, []),
    ({"kind": "honour"}, [("opted_out", None)]),
    ({"kind": "listing", "act": "ban"}, [("stayed", None), ("stay_lifted", None)]),
    ({"kind": "conviction"}, [("sealed", None)]),
    ({"kind": "promise"}, []),
]


def plotted(rng: random.Random, pool: list[dt.date], record_id: str, person: str) -> tuple[list[dict], list[dict]]:
    """A record of a plot, of a person of age, and its amendments."""
    plot, story = rng.choice(PLOTS)
    decided, *days = sorted(rng.choices(pool, k=len(story) + 1))
    known = decided + rng.choice([0, 1, 30]) * DAY
    record = {
        **dict.fromkeys([*ATTRIBUTES, "served_on", "occurred_on", "hours", "tier"]), "amount": 500,
        "record_id": record_id, "subject_id": person, "case_id": record_id, "decided_on": decided, "known_on": known,
        "final_on": decided if plot.get("final") else None,
        **{name: fact for name, fact in plot.items() if name != "final"},
    }  # fmt: skip
    amendments = [
        {"record_id": record_id, "action": action, "effective_on": day, "value": value, "facts": {},
         "known_on": max(day, rng.choice([day, day, *pool])), "dispute_id": None, "seq": rng.randrange(10**9)}
        for (action, value), day in zip(story, days, strict=True)
    ]  # fmt: skip
    others = [{**record, "record_id": f"{record_id}b", "kind": "breach", "known_on": rng.choice(pool)}]
    return [record, *others] if plot["kind"] == "promise" else [record], amendments


def random_amendment(rng: random.Random, pool: list[dt.date], record_id: str, action: str, people: list[str]) -> dict:
    facts: dict[str, Any] = {}
    value: Any = None
    dispute_id = rng.choice([None, None, "D1", "D2"]) if action in ("disputed", "dispute_closed") else None
    if action == "upheld":
        value = rng.choice([None, "by=reconsideration", "by=first_instance", "by=final"])
    elif action == "repair_revoked":
        value = rng.choice([None, "deceit"])
    elif action == "statement":
        value = "It was paid."
    elif action == "dispute_closed":
        value = rng.choice(["record_confirmed", "record_confirmed", "objection_sustained", None])
    elif action == "partly_performed":
        value = rng.choice([None, 100, 200, "paid=60", "paid=500"])
    elif action == "moved_to_subject":
        value = rng.choice(people)
    elif action == "corrected":
        choices = {
            "tier": lambda: rng.choice(TIERS[1:]), "amount": lambda: rng.choice([None, 5, 7]),
            "hours": lambda: rng.randrange(90), "occurred_on": lambda: rng.choice([None, *pool]),
            "act": lambda: rng.choice([None, "warning", "fine", "hides"]),
            "decided_on": lambda: rng.choice(pool), "valid_to": lambda: rng.choice([None, *pool]),
            "procedure": lambda: rng.choice([None, "summary", "ordinary"]), "grade": lambda: rng.randrange(100),
            "penalty_ends_on": lambda: rng.choice([None, *pool]), "note": lambda: rng.choice([None, "b", "new"]),
        }  # fmt: skip
        facts = {fact: choices[fact]() for fact in rng.sample(sorted(choices), rng.randint(1, 3))}
        if rng.random() < 0.1:
            facts["superseded_by"] = "another"
        value = json.dumps(facts, default=str)
    return {
        "record_id": record_id, "action": action, "effective_on": rng.choice(pool), "known_on": rng.choice(pool),
        "seq": rng.randrange(10**9), "value": value, "facts": facts,
        "dispute_id": dispute_id,
    }  # fmt: skip


class Compiled:
    """Segments as plain Python: what a file says of a record on a day."""

    def __init__(self, ledgers: list[Ledger], policy: str, use: dt.date) -> None:
        segments = compile_segments(tables_of(ledgers), TRIAL, policy, to_day(use))
        columns = {
            "status": [STATUSES[i] for i in segments.status],
            "role": [ROLES[i] for i in segments.role],
            **{name: plain(getattr(segments, name), name) for name in FACTS if name not in ATTRIBUTES},
            **{n: plain(segments.attributes[n], n, segments.vocabularies.get(n)) for n in ATTRIBUTES},
        }
        rows = list(zip(*(columns[name] for name in ("status", "role", *FACTS)), strict=True))
        self.starts: dict[tuple[str, str], list[int]] = {}
        self.rows: dict[tuple[str, str], list[tuple]] = {}
        for subject, record, start, row in zip(
            segments.subject_ids[segments.subject], segments.record_ids[segments.record], segments.start.tolist(),
            rows, strict=True,
        ):  # fmt: skip
            self.starts.setdefault((subject, record), []).append(start)
            self.rows.setdefault((subject, record), []).append(row)

    def seen(self, record: dict, subject: str, day: int) -> tuple | None:
        key = (subject, record["record_id"])
        place = bisect_right(self.starts.get(key, []), day) - 1
        return None if place < 0 else self.rows[key][place]


def plain(column: np.ndarray, name: str, words: tuple[str, ...] | None = None) -> list:
    if words is not None:
        return [None if code < 0 else words[code] for code in column]
    if name == "tier":
        return [TIERS[code] for code in column]
    null = {"int32": -(2**31), "int64": -(2**63)}.get(str(column.dtype))
    values = [None if value == null else value for value in column.tolist()]
    if name.endswith("_on") or name == "valid_to":
        return [None if value is None else dt.date(1970, 1, 1) + value * DAY for value in values]
    return values


def batches(count: int, seed: int, size: int = 20) -> Iterator[tuple[list[dt.date], dt.date, list[Ledger]]]:
    """Ledgers in batches that share a pool and a day of use, so that the day of use coincides too."""
    rng = random.Random(seed)
    for number in range(0, count, size):
        pool = pool_of(rng)
        use = rng.choice([*pool, *[dt.date(2030, 1, 1)] * 8])
        yield pool, use, [random_ledger(rng, pool, f"{number + i:05d}") for i in range(size)]


def differences(naive: Naive, ledger: Ledger, compiled: Compiled) -> tuple[int, list[tuple]]:
    """Number of comparisons, and those that differ, at every edge of the ledger and the days beside it."""
    compared, found = 0, []
    for record in ledger.records:
        for subject in ledger.files_of(record):
            edges = naive.edges(ledger, record, subject)
            starts = compiled.starts.get((subject, record["record_id"]), [])
            days = {to_day(edge) + step for edge in edges for step in (-1, 0, 1)}
            days |= {start + step for start in starts for step in (-1, 0, 1)}
            for day in sorted(days):
                compared += 1
                expected = naive.seen(ledger, record, subject, dt.date(1970, 1, 1) + day * DAY)
                if compiled.seen(record, subject, day) != expected:
                    found.append((record["record_id"], subject, day, compiled.seen(record, subject, day), expected))
    return compared, found


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Says a figure aloud, whether or not output is captured."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(line + "\n")

    return say


def compare(count: int, seed: int, tell: Callable[[str], None]) -> int:
    compared, statuses = 0, Counter()
    for _, use, ledgers in batches(count, seed):
        for policy in ("tier", "retention"):
            naive, compiled = Naive(policy, use), Compiled(ledgers, policy, use)
            for rows in compiled.rows.values():
                statuses.update(row[0] for row in rows)
            for ledger in ledgers:
                more, found = differences(naive, ledger, compiled)
                compared += more
                assert not found, found[:3]
    tell(f"\n{count:,} ledgers, {compared:,} comparisons, 0 differences; {statuses.total():,} segments: {statuses}")
    assert statuses.keys() == set(STATUSES)
    return compared


def test_segments_equal_the_naive_reading_on_2000_random_ledgers(tell: Callable[[str], None]) -> None:
    assert compare(2_000, 20261124, tell) > 100_000


@pytest.mark.soak
def test_segments_equal_the_naive_reading_on_20000_random_ledgers(tell: Callable[[str], None]) -> None:
    assert compare(20_000, 7, tell) > 1_000_000


def test_all_grounds_equal_the_naive_reading(tell: Callable[[str], None]) -> None:
    compared = 0
    for pool, use, ledgers in batches(100, seed=3):
        for policy in ("tier", "retention"):
            naive, tables = Naive(policy, use), tables_of(ledgers)
            for d in sorted({day + step * DAY for day in pool for step in (0, 1)}):
                found = grounds_at(tables, TRIAL, policy, to_day(d), to_day(use))
                keys = list(zip(found["subject_id"], found["record_id"], strict=True))
                held = {key: [g for g in STATUSES[1:] if found[g][i]] for i, key in enumerate(keys)}
                expected = {
                    (subject, record["record_id"]): naive.grounds(ledger, record, subject, d)
                    for ledger in ledgers
                    for record in ledger.records
                    for subject in ledger.files_of(record)
                    if naive.on_file(record, ledger.amendments_of(record), subject, d)
                }
                assert held == expected
                compared += len(expected)
    tell(f"\n{compared:,} records on file compared with all their grounds, 0 differences")


def test_the_folded_state_equals_the_naive_reading() -> None:
    rng = random.Random(4)
    for pool, use, ledgers in batches(200, seed=4):
        naive, records = Naive("tier", use), [r for ledger in ledgers for r in ledger.records]
        days = [rng.choice(pool) + rng.choice([0, 1]) * DAY for _ in records]
        state = fold_at(tables_of(ledgers), TRIAL, np.array([to_day(d) for d in days], np.int32))
        columns = {name: plain(getattr(state, name), name) for name in FACTS if name not in ATTRIBUTES}
        columns |= {name: plain(state.attributes[name], name) for name in ATTRIBUTES}
        amendments = {r["record_id"]: ledger.amendments_of(r) for ledger in ledgers for r in ledger.records}
        for i, (record, d) in enumerate(zip(records, days, strict=True)):
            assert state.is_known[i] == naive.record_counts(record, d)
            if not state.is_known[i]:
                continue
            expected = naive.state(record, amendments[record["record_id"]], d)
            kind = naive.kinds[record["kind"]]
            final = naive.final_from(expected, kind)
            assert {name: columns[name][i] for name in FACTS} == expected["facts"]
            assert state.act_is_dated[i] == expected["dated"]
            assert state.holder[i] == expected["holder"]
            assert state.final[i] == (final is not None and final <= d)
            assert state.challenge_open[i] == (expected["challenged"] and kind["finality"] == "appeal_period")
            assert state.disputed[i] == naive.disputed(expected)
            assert state.sustained[i] == any(result == "objection_sustained" for _, result in expected["disputes"])
            assert state.deceit_on[i] == (NO_DAY if expected["deceit_on"] is None else to_day(expected["deceit_on"]))
            assert state.summary[i] == (expected["facts"]["procedure"] == "summary")
            for flag in ("stayed", "repaired", "revoked", "sealed", "superseded", "opted_out"):
                assert getattr(state, flag)[i] == expected[flag]


# ---------------------------------------------------------------------------------------------- mutants


class RecordsKnownOnTheDay(Naive):
    def record_counts(self, record: dict, d: dt.date) -> bool:
        return record["known_on"] <= d


class AmendmentsKnownOnTheDay(Naive):
    def amendment_counts(self, amendment: dict, d: dt.date) -> bool:
        return amendment["known_on"] <= d and amendment["effective_on"] <= d


class SubjectsKnownOnTheDay(Naive):
    def version_counts(self, version: dict, d: dt.date) -> bool:
        return (version["known_on"] is None or version["known_on"] <= d) and self.version_valid(version, d)


class RecordsWheneverKnown(Naive):
    def record_counts(self, record: dict, d: dt.date) -> bool:
        return record["decided_on"] <= d


class AmendmentsWheneverKnown(Naive):
    def amendment_counts(self, amendment: dict, d: dt.date) -> bool:
        return amendment["effective_on"] <= d


class SubjectsWheneverKnown(Naive):
    def version_counts(self, version: dict, d: dt.date) -> bool:
        return self.version_valid(version, d)


class AmendmentsBeforeTheirDate(Naive):
    def amendment_counts(self, amendment: dict, d: dt.date) -> bool:
        return amendment["known_on"] < d


class AmendmentsInOrderOfReceipt(Naive):
    def state(self, record: dict, amendments: list[dict], d: dt.date) -> dict[str, Any]:
        counted = [a for a in amendments if self.amendment_counts(a, d)]
        moved = [{**a, "effective_on": max(a["effective_on"], a["known_on"] + DAY)} for a in counted]
        return super().state(record, moved, d)


class FinalKnowledgeClippedAtReceipt(Naive):
    def amendment_counts(self, amendment: dict, d: dt.date) -> bool:
        if amendment["action"] in ("served", "challenged", "challenge_withdrawn", "upheld", "finalised"):
            return amendment["effective_on"] <= d
        return super().amendment_counts(amendment, d)


class FinalityIgnored(Naive):
    def final_from(self, state: dict, kind: dict) -> dt.date | None:
        return dt.date.min


class ChallengeIgnored(Naive):
    def final_from(self, state: dict, kind: dict) -> dt.date | None:
        return super().final_from({**state, "challenged": False}, kind)


class FinalADayLate(Naive):
    def final_from(self, state: dict, kind: dict) -> dt.date | None:
        final = super().final_from(state, kind)
        return final + DAY if final and kind["finality"] == "appeal_period" else final


class SummaryCounted(Naive):
    def grounds(self, ledger: Ledger, record: dict, subject: str, d: dt.date) -> list[str]:
        return [g for g in super().grounds(ledger, record, subject, d) if g != "summary_procedure"]


class RepairByItsDateOnly(Naive):
    def amendment_counts(self, amendment: dict, d: dt.date) -> bool:
        if amendment["action"] == "repaired":
            return amendment["effective_on"] <= d
        return super().amendment_counts(amendment, d)


class RepairIsForGood(Naive):
    def fold(self, state: dict, event: dict, kind: dict) -> None:
        if event["action"] != "repair_revoked":
            super().fold(state, event, kind)


class OpenDisputeIgnored(Naive):
    def disputed(self, state: dict) -> bool:
        return any(result not in ("open", "record_confirmed") for _, result in state["disputes"])


class SustainedDisputeRestored(Naive):
    def disputed(self, state: dict) -> bool:
        return any(result not in ("objection_sustained", "record_confirmed") for _, result in state["disputes"])


class LastWordOnDisputesDecides(Naive):
    def disputed(self, state: dict) -> bool:
        return super().disputed({**state, "disputes": state["disputes"][-1:]})


class WithdrawalIgnored(Naive):
    def fold(self, state: dict, event: dict, kind: dict) -> None:
        if event["action"] != "challenge_withdrawn":
            super().fold(state, event, kind)


class StayIgnored(Naive):
    def final_from(self, state: dict, kind: dict) -> dt.date | None:
        return super().final_from({**state, "stayed": False}, kind)


class EveryRulingIsFinal(Naive):
    def final_after_review(self, ruling: dict, kind: dict) -> dt.date:
        return ruling["effective_on"]


class ReviewADayShort(Naive):
    def final_after_review(self, ruling: dict, kind: dict) -> dt.date:
        return super().final_after_review(ruling, kind) - DAY


class OneAppealPeriodForAll(Naive):
    def final_from(self, state: dict, kind: dict) -> dt.date | None:
        return super().final_from(state, {k: v for k, v in kind.items() if not k.startswith("appeal")})


class RepairEndsAListing(Naive):
    def grounds(self, ledger: Ledger, record: dict, subject: str, d: dt.date) -> list[str]:
        state = self.state(record, ledger.amendments_of(record), d)
        repaired = state["repaired"] and self.kinds[record["kind"]]["use"] == "while_listed"
        grounds = super().grounds(ledger, record, subject, d)
        return grounds or (["repaired"] if repaired else [])


class ListTermIgnored(Naive):
    def list_ends(self, state: dict, kind: dict) -> dt.date | None:
        return state["exit_on"]


class DeceitNotLengthened(Naive):
    def after_deceit(self, state: dict, kind: dict) -> list[dt.date]:
        return []


class TierAsSent(Naive):
    def read(self, facts: dict, kind: dict) -> dict:
        return facts


class SummaryOnlyWhereSent(Naive):
    def summary(self, facts: dict, kind: dict) -> bool:
        return facts["procedure"] == "summary"


class SummaryUpTo199Yuan(Naive):
    def meets(self, facts: dict, rule: dict) -> bool:
        return super().meets({**facts, "amount": facts["amount"] and facts["amount"] + 1}, rule)


class UndatedActsAreOfTheDecision(Naive):
    in_dubio_months = 216


class ActsOfIncapableCounted(Naive):
    def incapable(self, state: dict, versions: list[dict], d: dt.date) -> bool:
        return False


class StandingOfTheDayAskedAbout(Naive):
    def incapable(self, state: dict, versions: list[dict], d: dt.date) -> bool:
        return super().incapable({"facts": {"occurred_on": d}}, versions, d)


class KeptAndBroken(Naive):
    def breached(self, ledger: Ledger, record: dict, subject: str, d: dt.date) -> bool:
        return False


class OptOutIgnored(Naive):
    def fold(self, state: dict, event: dict, kind: dict) -> None:
        if event["action"] != "opted_out":
            super().fold(state, event, kind)


class UseWindowIgnored(Naive):
    def use_ends(self, state: dict, kind: dict) -> dt.date | None:
        return None


class EndsIncluded(Naive):
    def past(self, end: dt.date | None, d: dt.date) -> bool:
        return end is not None and end < d


class RevokedKept(Naive):
    def fold(self, state: dict, event: dict, kind: dict) -> None:
        if event["action"] != "revoked":
            super().fold(state, event, kind)


class MinorsActKept(Naive):
    def minor(self, state: dict, versions: list[dict], d: dt.date) -> bool:
        return False


class SealCountsFromItsReceipt(Naive):
    def sealed(self, state: dict, amendments: list[dict]) -> bool:
        return bool(state["sealed"])


class LawOfTheActNotOfUse(Naive):
    def lawful(self, kind: dict) -> bool:
        return True


MUTANTS = [
    RecordsKnownOnTheDay, AmendmentsKnownOnTheDay, SubjectsKnownOnTheDay, RecordsWheneverKnown,
    AmendmentsWheneverKnown, SubjectsWheneverKnown, AmendmentsBeforeTheirDate, AmendmentsInOrderOfReceipt,
    FinalKnowledgeClippedAtReceipt, FinalityIgnored, ChallengeIgnored, FinalADayLate, SummaryCounted,
    RepairByItsDateOnly, RepairIsForGood, OpenDisputeIgnored, SustainedDisputeRestored, UseWindowIgnored, EndsIncluded,
    RevokedKept, MinorsActKept, SealCountsFromItsReceipt, LawOfTheActNotOfUse, LastWordOnDisputesDecides,
    WithdrawalIgnored, StayIgnored, EveryRulingIsFinal, ReviewADayShort, OneAppealPeriodForAll, RepairEndsAListing,
    ListTermIgnored, DeceitNotLengthened, TierAsSent, SummaryOnlyWhereSent, SummaryUpTo199Yuan,
    UndatedActsAreOfTheDecision, ActsOfIncapableCounted, StandingOfTheDayAskedAbout, KeptAndBroken, OptOutIgnored,
]  # fmt: skip


def test_every_mutant_of_the_rules_is_noticed_on_a_twentieth_of_the_ledgers(tell: Callable[[str], None]) -> None:
    noticed: Counter[str] = Counter()
    count = 0
    for (_, use, ledgers), policy in zip(batches(240, seed=5), cycle(("tier", "retention")), strict=False):
        compiled = Compiled(ledgers, policy, use)
        for mutant in MUTANTS:
            naive = mutant(policy, use)
            noticed[mutant.__name__] += sum(bool(differences(naive, ledger, compiled)[1]) for ledger in ledgers)
        count += len(ledgers)
    tell("\nshare of ledgers on which a mutant of the rules is noticed")
    for mutant in MUTANTS:
        tell(f"{noticed[mutant.__name__] / count:6.1%} {mutant.__name__}")
    assert min(noticed[mutant.__name__] for mutant in MUTANTS) >= 0.05 * count
