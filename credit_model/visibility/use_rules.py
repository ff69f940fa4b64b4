"""The rules of use: for how long a record may be used, in which role, and on which grounds it may not.

They are those of the catalogue and the policy in force on the day of use, applied to every as-of date.

In: the folded state of records. Out: the state as it is used, ends of listing and use, roles, grounds.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final

import numpy as np
from numpy.typing import NDArray

from credit_model.catalogue.kinds import USES
from credit_model.foundation.calendar import FOREVER, NO_DAY, NO_VALUE, Days, add_months
from credit_model.visibility.coded_tables import CodedTables
from credit_model.visibility.fold import State
from credit_model.visibility.tables import ROLES, TIERS, pick
from credit_model.visibility.text_columns import take

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue
    from credit_model.catalogue.kinds import Kind

_WINDOW, _LISTED, _UNPERFORMED = (USES.index(use) for use in ("window", "while_listed", "until_performed"))
DECEIT_MONTHS: Final = 36  # of publicity after the revocation of a repair got by deceit (Order 36 art. 25)


@dataclass(frozen=True)
class UseRules:
    """Rules of use of the catalogue and the policy on the day of use, by kind (and by tier)."""

    day_of_use: int
    persons: bool
    unlawful: NDArray[np.bool_]
    adverse: NDArray[np.bool_]
    positive: NDArray[np.bool_]
    use: NDArray[np.int8]  # index of USES
    prison: NDArray[np.bool_]
    months: NDArray[np.int64]  # of use by tier; -1 for ever
    penalty_term: bool
    keep_after_exit: bool
    retention_months: int
    kinds: tuple[Kind, ...]

    @classmethod
    def of(cls, catalogue: Catalogue, policy: str, day_of_use: int) -> UseRules:
        """Take the rules of a catalogue and a policy as they are on the day of use."""
        edition, kinds = catalogue.policy(policy, day_of_use), list(catalogue.kinds.values())
        lawful = [kind.enabled and kind.is_lawful(day_of_use) for kind in kinds]
        # A record without any tier is used as the mildest.
        months = [edition.minor, edition.minor, edition.general, edition.serious]
        return cls(
            day_of_use,
            catalogue.subjects == "person",
            ~np.array(lawful, np.bool_),
            np.array([k.polarity == "adverse" for k in kinds], np.bool_),
            np.array([k.polarity == "positive" for k in kinds], np.bool_),
            np.array([USES.index(k.use) for k in kinds], np.int8),
            np.array([k.prison for k in kinds], np.bool_),
            np.array([-1 if m is None else m for m in months], np.int64),
            edition.penalty_term,
            edition.keep_after_exit,
            edition.retention_months,
            tuple(kinds),
        )

    def read(self, state: State, coded: CodedTables) -> State:
        """Return the state as it is used: no tier above what the act allows, in doubt a summary procedure."""
        tier, summary = state.tier, state.summary
        for number, kind in enumerate(self.kinds):
            conditions = [c for c in kind.summary_if if c.is_in_force(self.day_of_use)]
            rule = kind.tier_by if kind.tier_by and kind.tier_by.is_in_force(self.day_of_use) else None
            if rule is None and not conditions:
                continue
            rows = np.flatnonzero(state.kind == number)
            if rule is not None:
                words = coded.words(rule.attribute).tolist()
                most = np.array([TIERS.index(rule.most.get(word, TIERS[-1])) for word in words], np.int8)
                limit = pick(most, state.attributes[rule.attribute][rows], len(TIERS) - 1)
                tier = tier.copy()
                tier[rows] = np.minimum(tier[rows], limit)
            summary = summary.copy()
            rows = rows[state.attributes["procedure"][rows] < 0]  # it was not sent
            for condition in conditions:
                meets = np.ones(len(rows), np.bool_)
                if condition.amount_at_most is not None:
                    amount = state.amount[rows]
                    meets &= (amount != NO_VALUE) & (amount <= condition.amount_at_most)
                for name, values in condition.values.items():
                    is_listed = np.array([word in values for word in coded.words(name).tolist()], np.bool_)
                    meets &= pick(is_listed, state.attributes[name][rows], False)
                summary[rows] |= meets
        return replace(state, tier=tier, summary=summary)

    def list_end(self, state: State, coded: CodedTables) -> Days:
        """Return the first day off the list: an exit, or the end of its own term; ``FOREVER`` while neither is known.

        Where ``valid_to`` says when the entry ends, the term of the law does not.
        """
        end = np.where(state.exit_on == NO_DAY, np.int32(FOREVER), state.exit_on)
        for number, kind in enumerate(self.kinds):
            if kind.term is None or not kind.term.is_in_force(self.day_of_use):
                continue
            words = coded.words(kind.term.attribute).tolist()
            of_word = np.array([kind.term.months.get(word, 0) for word in words], np.int64)
            rows = np.flatnonzero(state.kind == number)
            months = pick(of_word, state.attributes[kind.term.attribute][rows], 0)
            has_term = (months > 0) & (state.attributes["valid_to"][rows] == NO_DAY)
            rows, months = rows[has_term], months[has_term]
            end[rows] = np.minimum(end[rows], add_months(state.decided_on[rows], months))
        return end

    def use_end(self, state: State, list_end: Days) -> Days:
        """Return the first day after the time of use; of adverse records only."""
        use, decided = self.use[state.kind], state.decided_on
        sentence, term = state.attributes["sentence_ends_on"], state.attributes["penalty_ends_on"]
        # Retention of a prison sentence runs from its end; a tier's window only never ends before the penalty does.
        of_sentence = self.prison[state.kind] & (sentence != NO_DAY)
        months = self.months[state.tier]
        from_sentence = of_sentence & (not self.penalty_term)
        window = add_months(np.where(from_sentence, sentence, decided), np.maximum(months, 0))
        window = np.where(months < 0, FOREVER, window)
        if self.penalty_term:
            window = np.maximum(window, np.maximum(sentence, term))
        retained = add_months(decided, self.retention_months)
        got_by_deceit = state.deceit_on != NO_DAY
        if got_by_deceit.any():
            kept_until = np.where(of_sentence, add_months(sentence, self.retention_months), retained)
            lengthened = np.minimum(add_months(state.deceit_on, DECEIT_MONTHS), kept_until)
            window = np.where(got_by_deceit, np.maximum(window, lengthened), window)
        after_exit = np.maximum(retained, list_end) if self.keep_after_exit else list_end
        is_ended = (state.exit_on != NO_DAY) | (state.performed == 2)
        return np.select(
            [use == _WINDOW, use == _LISTED, use == _UNPERFORMED],
            [window, after_exit, np.where(is_ended, NO_DAY, retained)],
            FOREVER,
        ).astype(np.int32)

    def role(self, state: State, list_end: Days, epoch: NDArray[np.int64], day: Days) -> NDArray[np.int8]:
        """Return the role in which a record in force stands on file on each day of its epoch."""
        use = self.use[state.kind][epoch]
        role = np.zeros(len(epoch), np.int8)
        role[use == _UNPERFORMED] = ROLES.index("unperformed")
        rows = np.flatnonzero(use == _LISTED)
        is_listed = day[rows] < list_end[epoch[rows]]
        role[rows] = np.where(is_listed, ROLES.index("listed"), ROLES.index("was_listed"))
        return role

    def grounds(
        self,
        state: State,
        ends: tuple[Days, Days],
        sealed: NDArray[np.bool_],
        epoch: NDArray[np.int64],
        day: Days,
        by_day: tuple[NDArray[np.bool_], ...],
    ) -> NDArray[np.bool_]:
        """Return which grounds hold on each day of its epoch, in the order of ``STATUSES``; shape (n_grounds, n).

        ``ends`` (of listing and of use) and ``sealed`` are by epoch, as ``state`` is; the rest by day. ``by_day``:
        whether the act was a minor's or of one incapable, whether another record corrects this one, and whether it
        stands on another file.
        """
        (list_end, use_end), (minor, incapable, corrected, away) = ends, by_day
        adverse, valid_to = self.adverse[state.kind], state.attributes["valid_to"]
        # What does not apply ends never (or has no end that has come).
        expires = np.where(valid_to == NO_DAY, FOREVER, valid_to)
        repaired = (adverse & state.repaired)[epoch]
        rows = np.flatnonzero(repaired)  # repair is no exit from a list
        is_entry = self.use[state.kind[epoch[rows]]] == _LISTED
        repaired[rows[is_entry & (day[rows] < list_end[epoch[rows]])]] = False
        final_from, used_up = np.where(adverse, state.final_from, NO_DAY), np.where(adverse, use_end, FOREVER)
        return np.array(
            [
                self.unlawful[state.kind][epoch],
                (sealed | state.sealed)[epoch],
                minor,
                incapable,
                take(state.superseded, epoch) | corrected,
                take(state.revoked, epoch),
                away,
                take(state.disputed, epoch),
                expires[epoch] <= day,
                day < state.decided_on[epoch],
                take(state.opted_out & self.positive[state.kind], epoch),
                (adverse & state.summary)[epoch],
                final_from[epoch] > day,
                repaired,
                used_up[epoch] <= day,
            ]
        )
