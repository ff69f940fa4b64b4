"""The rules of use: for how long a record may be used, in which role, and on which grounds it may not.

They are those of the catalogue and the policy in force on the day of use, applied to every as-of date.

In: the folded state of records. Out: ends of use, roles, grounds.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from numpy.typing import NDArray

from credit_model.foundation.calendar import FOREVER, NO_DAY, Days, add_months
from credit_model.visibility.fold import State
from credit_model.visibility.tables import ROLES, Column
from credit_model.visibility.text_columns import take

if TYPE_CHECKING:
    from credit_model.catalogue.catalogue import Catalogue


@dataclass(frozen=True)
class UseRules:
    """Rules of use of the catalogue and the policy on the day of use, by kind (and by tier)."""

    day_of_use: int
    persons: bool
    unlawful: NDArray[np.bool_]
    adverse: NDArray[np.bool_]
    use: Column
    prison: NDArray[np.bool_]
    months: NDArray[np.int64]  # of use by tier; -1 for ever
    penalty_term: bool
    keep_after_exit: bool
    retention_months: int

    @classmethod
    def of(cls, catalogue: Catalogue, policy: str, day_of_use: int) -> UseRules:
        """Take the rules of a catalogue and a policy as they are on the day of use."""
        edition, kinds = catalogue.policy(policy, day_of_use), list(catalogue.kinds.values())
        lawful = [
            k.enabled
            and (k.lawful_from is None or k.lawful_from <= day_of_use)
            and (k.lawful_to is None or day_of_use < k.lawful_to)
            for k in kinds
        ]
        # A record without any tier is used as the mildest.
        months = [edition.minor, edition.minor, edition.general, edition.serious]
        return cls(
            day_of_use,
            catalogue.subjects == "person",
            ~np.array(lawful, np.bool_),
            np.array([k.polarity == "adverse" for k in kinds], np.bool_),
            np.array([k.use for k in kinds], object),
            np.array([k.prison for k in kinds], np.bool_),
            np.array([-1 if m is None else m for m in months], np.int64),
            edition.penalty_term,
            edition.keep_after_exit,
            edition.retention_months,
        )

    def use_end(self, state: State) -> Days:
        """Return the first day after the time of use; of adverse records only."""
        use, decided = self.use[state.kind], state.decided_on
        sentence, term = state.attributes["sentence_ends_on"], state.attributes["penalty_ends_on"]
        # Retention of a prison sentence runs from its end; a tier's window only never ends before the penalty does.
        from_sentence = self.prison[state.kind] & (sentence != NO_DAY) & (not self.penalty_term)
        months = self.months[state.tier]
        window = add_months(np.where(from_sentence, sentence, decided), np.maximum(months, 0))
        window = np.where(months < 0, FOREVER, window)
        if self.penalty_term:
            window = np.maximum(window, np.maximum(sentence, term))
        retained = add_months(decided, self.retention_months)
        is_listed = state.exit_on == NO_DAY
        after_exit = np.maximum(retained, state.exit_on) if self.keep_after_exit else state.exit_on
        is_ended = ~is_listed | (state.performed == 2)
        return np.select(
            [use == "window", use == "while_listed", use == "until_performed"],
            [window, np.where(is_listed, FOREVER, after_exit), np.where(is_ended, NO_DAY, retained)],
            FOREVER,
        ).astype(np.int32)

    def role(self, state: State) -> NDArray[np.int8]:
        """Return the role in which a record in force stands on file."""
        use = self.use[state.kind]
        listed = np.where(state.exit_on == NO_DAY, ROLES.index("listed"), ROLES.index("was_listed"))
        unperformed = np.where(use == "until_performed", ROLES.index("unperformed"), 0)
        return np.where(use == "while_listed", listed, unperformed).astype(np.int8)

    def grounds(
        self,
        state: State,
        use_end: Days,
        sealed: NDArray[np.bool_],
        epoch: NDArray[np.int64],
        day: Days,
        minor: NDArray[np.bool_],
        subject: Column,
    ) -> NDArray[np.bool_]:
        """Return which grounds hold on each day of its epoch, in the order of ``STATUSES``; shape (n_grounds, n).

        ``use_end`` and ``sealed`` are by epoch, as ``state`` is; the rest by day.
        """
        adverse, valid_to = self.adverse[state.kind], state.attributes["valid_to"]
        # What does not apply ends never (or has no end that has come).
        expires = np.where(valid_to == NO_DAY, FOREVER, valid_to)
        final_from, used_up = np.where(adverse, state.final_from, NO_DAY), np.where(adverse, use_end, FOREVER)
        return np.array(
            [
                self.unlawful[state.kind][epoch],
                (sealed | state.sealed)[epoch],
                minor,
                take(state.superseded, epoch),
                take(state.revoked, epoch),
                state.holder[epoch] != subject,
                take(state.disputed, epoch),
                expires[epoch] <= day,
                day < state.decided_on[epoch],
                (adverse & state.summary)[epoch],
                final_from[epoch] > day,
                (adverse & state.repaired)[epoch],
                used_up[epoch] <= day,
            ]
        )
