"""Which rows of an evaluation the page shows, and in which order.

In: sections of an evaluation. Out: some of their rows.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from credit_model.evaluation.decisions import Decisions
from credit_model.evaluation.fairness_audit import AttributeAudit, Fairness, GroupAudit, ReasonText
from credit_model.evaluation.fairness_cutoffs import Cutoff
from credit_model.evaluation.measures import MEASURES
from credit_model.evaluation.samples import Described, RateCell
from credit_model.evaluation.tables import Month
from credit_model.metrics.performance import Estimate
from credit_model.texts.words import Texts, Words

_RATE_CELLS = 60
_VINTAGE_MONTHS = (1, 3, 6, 9, 12, 24, 36)


def measures_of(parts: Iterable[Month | Described]) -> list[str]:
    """Return the measures that any of the parts has, in the order of their declaration."""
    names = {name for part in parts for name in part.measures}
    return [name for name in MEASURES if name in names]


def rate_cells(samples: Mapping[str, Described]) -> list[tuple[str, int, RateCell]]:
    """Return sample, place and cell of event rates; of very many the whole months and the doubtful ones."""
    cells = [(name, i, cell) for name, described in samples.items() for i, cell in enumerate(described.rates)]
    if len(cells) <= _RATE_CELLS:
        return cells
    return [place for place in cells if place[2].segment == "all" or place[2].flag][:_RATE_CELLS]


def vintage_months(samples: Mapping[str, Described]) -> list[int]:
    """Return the months after observation that the table of vintages has columns for; the last is the window."""
    window = max(len(vintage.cumulative) for described in samples.values() for vintage in described.vintages)
    return [month for month in _VINTAGE_MONTHS if month < window] + [window]


def group_texts(fairness: Fairness, words: Words) -> dict[str, Texts]:
    """Return the labels of attributes and groups by name."""
    named: list[AttributeAudit | GroupAudit] = []
    for attribute in fairness.attributes:
        named += [attribute, *attribute.groups]
    return {one.name: words.pick(one.label_en, one.label_zh) for one in named}


def cutoff_to_draw(attribute: AttributeAudit, decisions: Decisions | None) -> Cutoff | None:
    """Return the cut-off decisions are about, or the first that shows anything."""
    cutoffs = [cut for cut in attribute.cutoffs if any(group.ratio.value is not None for group in cut.groups)]
    about = decisions and decisions.eligible_from
    return next((cut for cut in cutoffs if cut.cutoff == about), cutoffs[0] if cutoffs else None)


def common_reasons(fairness: Fairness, attribute: AttributeAudit) -> list[ReasonText]:
    """Return the reasons whose share is known for any group of an attribute."""
    shares = [group.reasons for group in attribute.groups]
    return [r for r in fairness.reasons if any(_value(share.get(r.code)) is not None for share in shares)]


def _value(share: Estimate | float | None) -> float | None:
    return share.value if isinstance(share, Estimate) else share
