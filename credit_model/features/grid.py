"""A grid of features to explore: kinds x tiers x aggregates x windows, named and labelled in one way.

What cannot be, or would say nothing, is left out and named with the reason: an aggregate that a card would refuse, an
attribute that a kind does not have, a look-back too long, and cells that no record could ever fill (a minor penalty is
out of use after three months, and final after six at the earliest unless its finality is stated).

In: a catalogue, the axes of the grid.
Out: definitions, as checked as any other; the cells left out, each with its reason.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Sequence
from dataclasses import replace
from datetime import date
from itertools import product
from typing import Final, NamedTuple

from credit_model.catalogue.catalogue import Catalogue
from credit_model.catalogue.kinds import Kind, PolicyEdition
from credit_model.features.aggregates import AGGREGATES
from credit_model.features.conditions import NUMBERS, POLARITIES, TIERS
from credit_model.features.definition import DefinitionErrors, FeatureDefinition, label
from credit_model.features.dictionary import check_definitions, matching_kinds
from credit_model.foundation.calendar import DateLike, to_day
from credit_model.foundation.errors import UserError, did_you_mean

_OF_ANY: Final = (*NUMBERS, "tier", "case", "kind", "field")  # what any record may have
_SENSE: Final = {"adverse": 1, "positive": -1}
_FORM: Final = re.compile(r"(?P<aggregate>[a-z_]+)(?::(?P<of>\w+))?(?:/(?P<half_life>[1-9]\d*)d)?")


class Grid(NamedTuple):
    """Definitions in the order of the axes, and the names of cells left out with the reason."""

    definitions: tuple[FeatureDefinition, ...]
    refused: dict[str, str]


def feature_grid(
    catalogue: Catalogue,
    kinds: Sequence[str] | None = None,
    aggregates: Sequence[str] = ("count", "recency_days"),
    windows: Sequence[str] = ("12m", "24m", "36m", "60m"),
    tiers: Sequence[str] = ("",),
    *,
    policy: str = "tier",
    day_of_use: DateLike | None = None,
    finality_stated: bool | Collection[str] = False,
    record_monotone: bool = True,
    max_look_back_months: int | None = 60,
) -> Grid:
    """Make every feature of a grid that can be.

    Parameters
    ----------
    catalogue : Catalogue
    kinds : sequence of str, optional
        Codes of kinds; ``adverse``, ``positive`` or ``neutral`` for all of one polarity. Without it every kind.
    aggregates : sequence of str
        ``AGGREGATE`` or ``AGGREGATE:OF``, of decayed sums with their half-life: ``count``, ``sum:amount``,
        ``decayed_sum/365d``, ``decayed_sum:amount/365d``.
    windows : sequence of str
        As in a definition.
    tiers : sequence of str
        At or above which tier; empty for any.
    policy, day_of_use : optional
        Under whose windows of use a cell must be fillable; today's law unless given.
    finality_stated : bool or collection of str
        Whether records state when they became final (of which kinds): then they may count before the end of the appeal
        period.
    record_monotone : bool
        Leave out what may not enter a record-monotone card. ``False`` to explore all families.
    max_look_back_months : int, optional

    Returns
    -------
    Grid
        ``definitions`` with names like ``adm_penalty_general_count_24m``, labels and trends; ``refused``: name of a
        cell left out -> why.

    Raises
    ------
    UserError
        If a kind or a tier is unknown, or an aggregate is not written as above.

    Examples
    --------
    >>> from credit_model.catalogue.catalogue import load_catalogue
    >>> grid = feature_grid(
    ...     load_catalogue(), ["adm_penalty", "housing_fund_overdue"], ["count", "mean:amount"], ["6m", "24m"],
    ...     day_of_use="2026-11-24",
    ... )
    >>> [(d.name, d.label_en, d.label_zh) for d in grid.definitions]
    [('adm_penalty_count_24m', 'Number of records of "Administrative penalty", 24 months',
      '近24个月“行政处罚”信息条数')]
    >>> for name in ("adm_penalty_count_6m", "housing_fund_overdue_count_24m"):
    ...     print(grid.refused[name])
    no record can fill it: final 6 months after service at the earliest unless its finality is stated, and looked at
    for 6 months
    no record can fill it: final 6 months after service at the earliest unless its finality is stated, and looked at
    for 3 months
    """
    day = to_day(date.today()) if day_of_use is None else to_day(day_of_use)
    edition = catalogue.policy(policy, day)
    kind_names = [*catalogue.kinds] if kinds is None else list(kinds)
    _check_axes(kind_names, tiers, catalogue)
    definitions, refused = {}, {}
    for kind, tier, aggregate, window in product(kind_names, tiers, aggregates, windows):
        name, entry = _cell(catalogue, kind, tier, aggregate, window)
        try:
            d = FeatureDefinition.from_dict({"name": name, **entry})
            d = replace(d, label_zh=label(d, "zh", catalogue), label_en=label(d, "en", catalogue))
            matching = matching_kinds(d.conditions, catalogue)
            check_definitions(
                [d], catalogue, max_look_back_months=max_look_back_months, record_monotone=record_monotone
            )
        except DefinitionErrors as errors:
            refused[name] = "; ".join(fault.removeprefix(f"feature {name!r}: ") for fault in errors.faults)
            continue
        why = _unfillable(d, matching, tier, edition, day, finality_stated)
        if why:
            refused[name] = why
        else:
            definitions[name] = d
    return Grid(tuple(definitions.values()), refused)


def _check_axes(kinds: Sequence[str], tiers: Sequence[str], catalogue: Catalogue) -> None:
    vocabularies = {"kind": (*catalogue.kinds, *POLARITIES), "tier": ("", *TIERS)}
    for axis, values in (("kind", kinds), ("tier", tiers)):
        for value in values:
            if value not in vocabularies[axis]:
                raise UserError(
                    f"a grid was asked for with {axis} {value!r}, unknown{did_you_mean(value, vocabularies[axis])}"
                )


def _cell(catalogue: Catalogue, kind: str, tier: str, aggregate: str, window: str) -> tuple[str, dict[str, object]]:
    """Return the name of a cell and the arguments of its definition."""
    form = _FORM.fullmatch(aggregate)
    if form is None:
        raise UserError(
            f"a grid was asked for aggregate {aggregate!r}; write AGGREGATE, AGGREGATE:OF or decayed_sum/HALF_LIFEd"
        )
    called, of, half_life = form["aggregate"], form["of"], form["half_life"]
    declared = AGGREGATES.get(called)
    short = declared.grid_name if declared and declared.grid_name else called
    parts = [kind, tier, short, of, f"{half_life}d" if half_life else "", window]
    name = "_".join(filter(None, parts)).replace("last_day:", "at_last_")
    polarity = kind if kind in POLARITIES else catalogue.kinds[kind].polarity
    where: dict[str, object] = {"polarity": kind} if kind in POLARITIES else {"kinds": [kind]}
    if tier:
        where["tier_at_least"] = tier
    entry: dict[str, object] = {"aggregate": called, "of": of, "window": window, "where": where, "reason": kind}
    is_told = called == "count_distinct" or of in (None, *_OF_ANY)  # whether more of a score is worse, nobody has said
    sense = _SENSE.get(polarity, 0) if is_told else 0
    if declared and declared.of_days:
        entry["trend"] = {1: "lower_is_worse", -1: "lower_is_better"}.get(sense)
    else:
        entry["trend"] = {1: "higher_is_worse", -1: "higher_is_better"}.get(sense)
    months = re.fullmatch(r"(\d+)([md])", window)
    if called == "recency_days" and months:  # never is the far end
        longest = int(months[1]) if months[2] == "d" else -(-int(months[1]) * 1461 // 48)
        entry |= {"cap": longest, "none": longest}
    if called == "max" and of in (*NUMBERS, "tier"):
        entry["none"] = 0
    if half_life:
        entry["half_life_days"] = int(half_life)
    return name, entry


def _unfillable(
    d: FeatureDefinition,
    kinds: Sequence[Kind],
    tier: str,
    edition: PolicyEdition,
    day: int,
    finality: bool | Collection[str],
) -> str:
    """Why no record of the kinds can ever be counted; empty where one can."""
    tiers = ("by_record", *TIERS[TIERS.index(tier) :]) if tier else ()
    requirements: tuple[tuple[str, Callable[[Kind], bool]], ...] = (
        ("is lawful on the day of use", lambda kind: kind.enabled and kind.is_lawful(day)),
        (f"is ever of tier {tier} or worse", lambda kind: not tier or kind.tier in tiers),
        (f"has an attribute {d.of}", lambda kind: d.of in (None, *_OF_ANY) or d.of in kind.attributes),
    )
    for what, holds in requirements:
        kinds = [kind for kind in kinds if holds(kind)]
        if not kinds:
            return f"no record can fill it: none of its kinds {what}"
    for kind in kinds:
        is_stated = finality if isinstance(finality, bool) else kind.code in finality
        waits = kind.finality == "appeal_period" and kind.polarity == "adverse" and not is_stated
        months = _months_in_use(kind, d, edition)
        if months is None or months > (_appeal_months(kind) if waits else 0):
            return ""
    return (
        f"no record can fill it: final {_appeal_months(kind):.3g} months after service at the earliest unless "
        f"its finality is stated, and looked at for {months:g} months"
    )


def _appeal_months(kind: Kind) -> float:
    """Return for how many months after service a decision of the kind may be appealed."""
    return kind.appeal.months if kind.appeal.days is None else kind.appeal.days * 12 / 366


def _months_in_use(kind: Kind, d: FeatureDefinition, edition: PolicyEdition) -> float | None:
    """For how many months after its decision a record may be counted: by the window, and by its use."""
    window = {"months": float(d.span.length), "days": d.span.length * 12 / 366}.get(d.span.unit)
    if d.window_on != "decided_on":
        window = None
    use: float | None = None
    if kind.use == "window" and kind.polarity == "adverse":
        tier = TIERS[-1] if kind.tier == "by_record" else kind.tier
        use = getattr(edition, tier)
    return min((months for months in (window, use) if months is not None), default=None)
