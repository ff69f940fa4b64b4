"""Check repairs against what the law asks of them: time since the decision, performance, the end of a penalty's term.

A repair that was granted is used as it is: the body that decided answers for it. What does not fit the rule of the kind
is a finding for the source, never a refusal. The facts are those in law on the day the repair takes effect, whenever
they became known.

In: ``Tables`` and the catalogue. Out: for each finding, which amendments it is about.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import add_months
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.fold import State, fold
from credit_model.visibility.tables import TIERS, Tables, pick
from credit_model.visibility.text_columns import plain

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue
    from credit_model.catalogue.kind_rules import TierRule

REPAIR_FINDINGS: Final = ("early_repair", "repair_unperformed", "repair_within_term")
_LONG_KNOWN: Final = -(10**6)  # a day before every other


def check_repairs(tables: Tables, catalogue: Catalogue) -> dict[str, NDArray[np.bool_]]:
    """Return which amendments are repairs that do not fit the rule of their kind.

    Parameters
    ----------
    tables : Tables
        Records, and all their amendments.
    catalogue : Catalogue

    Returns
    -------
    dict of str to ndarray of bool, shape (n_amendments,)
        ``early_repair``: before the least time since the decision; ``repair_unperformed``: with something left to
        perform; ``repair_within_term``: before the penalty ends. None for kinds without a rule, and before the rule
        is in force.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> record = {"record_id": ["r"], "subject_id": ["a"], "kind": ["adm_penalty"], "decided_on": ["2026-04-10"]}
    >>> repair = {"record_id": ["r"], "action": ["repaired"], "effective_on": ["2026-06-01"]}
    >>> tables = Tables.of(
    ...     {**record, "known_on": ["2026-04-20"], "tier": ["general"]}, {**repair, "known_on": ["2026-06-02"]})
    >>> [name for name, rows in check_repairs(tables, load_catalogue()).items() if rows.any()]
    ['early_repair']
    """
    size = len(tables.amendments["action"])
    findings = {name: np.zeros(size, np.bool_) for name in REPAIR_FINDINGS}
    coded = CodedTables.of(_known_at_once(tables), catalogue)
    place = np.flatnonzero(np.asarray(tables.amendments["action"] == "repaired"))
    record = coded.index_of(tables.amendments["record_id"][place])
    place, record = place[record >= 0], record[record >= 0]
    if not len(place):
        return findings
    day = tables.amendments["effective_on"][place]
    state = fold(coded, record, day)
    unperformed = (state.performed != 2) & ((state.outstanding > 0) | (state.performed == 1))
    for code, kind in enumerate(catalogue.kinds.values()):
        rule = kind.repair
        if rule is None:
            continue
        own = (state.kind == code) & (day >= rule.in_force_from)
        least = np.array([0, rule.minor, rule.general, rule.serious])[_tier_of_act(coded, state, kind.tier_by)]
        findings["early_repair"][place] |= own & (day < add_months(state.decided_on, least))
        findings["repair_unperformed"][place] |= own & unperformed & rule.needs_performed
        findings["repair_within_term"][place] |= own & (day < state.attributes["penalty_ends_on"])
    return findings


def _tier_of_act(coded: CodedTables, state: State, rule: TierRule | None) -> NDArray[np.int8]:
    """Return the tier of each record, lowered to the greatest its act allows where the rule is in force."""
    if rule is None:
        return state.tier
    acts = plain(coded.vocabularies[rule.attribute]).tolist()
    limits = np.array([TIERS.index(rule.most.get(act, "serious")) for act in acts], np.int8)
    limit = pick(limits, state.attributes[rule.attribute], len(TIERS) - 1)
    return np.where(state.day >= rule.in_force_from, np.minimum(state.tier, limit), state.tier)


def _known_at_once(tables: Tables) -> Tables:
    """Return the tables as if every row had been known on the day it speaks of."""

    def at_once(table: dict[str, NDArray[np.generic]]) -> dict[str, NDArray[np.generic]]:
        return {**table, "known_on": np.full(len(table["known_on"]), _LONG_KNOWN, np.int32)}

    return replace(tables, records=at_once(tables.records), amendments=at_once(tables.amendments))
