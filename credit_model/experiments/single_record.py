"""Read caps on what one record may cost, and which features may stand beside them.

With such caps a card is learned from features that keep records in the order of severity; positive records count by
policy points only; and a listing in use has policy points that no single past record exceeds.

In: the ``[card]`` table of an experiment, its features, the catalogue. Out: ``SingleRecordCaps``; what is wrong joins
the list of faults.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from credit_model.catalogue.catalogue import Catalogue
from credit_model.experiments.experiment import PolicyPoints
from credit_model.experiments.toml_table import Table, faults_of
from credit_model.features.definition import FeatureDefinition
from credit_model.foundation.errors import UserError
from credit_model.learning.single_record import SingleRecordCaps, cap_faults
from credit_model.scorecard.severity import counts_every_listing, least_severity, severity_fault

KEY: Final = "single_record"
_POSITIVE: Final = "counts no adverse record, and beside caps on single records only policy points may add"


def order_check(card: object, catalogue: Catalogue | None) -> Callable[[FeatureDefinition], str]:
    """Return a function that says why a feature may not be learned beside the caps of a card; all may without caps."""
    if catalogue is None or not isinstance(card, Mapping) or KEY not in card:
        return lambda definition: ""
    declared = card.get("policy_points")
    tables = declared if isinstance(declared, list) else []
    by_policy = {table.get("characteristic") for table in tables if isinstance(table, Mapping)}
    return lambda definition: "" if definition.name in by_policy else _fault(definition, catalogue)


def _fault(definition: FeatureDefinition, catalogue: Catalogue) -> str:
    if least_severity(definition, catalogue) is None:
        return _POSITIVE
    fault = severity_fault(definition, catalogue)
    return f"is out of the order of severity: it {fault}" if fault else ""


def read_caps(
    card: Table,
    features: Sequence[FeatureDefinition],
    policy_points: Sequence[PolicyPoints],
    catalogue: Catalogue | None,
) -> SingleRecordCaps | None:
    """Read ``[card.single_record]``; None where there is none, or where something is wrong."""
    if KEY not in card.raw:
        card.known.append(KEY)
        return None
    table = card.table(KEY)
    points = table.take("points", list, [])
    approver, ground = table.take("approver", str, ""), table.take("ground", str, "")
    table.close()
    faults = cap_faults(points, approver, ground)
    by_policy = {own.characteristic for own in policy_points}
    by_data = [definition for definition in features if definition.name not in by_policy]
    if not faults and catalogue is not None:
        faults = _beside(points, features, by_data, policy_points, catalogue)
    table.faults += [f"{table.where}{fault}" for fault in faults]
    if faults or catalogue is None:
        return None
    try:
        return SingleRecordCaps.of(points, approver, ground, by_data, catalogue)
    except UserError as error:
        table.faults += [f"{table.where}{fault}" for fault in faults_of(error)]
        return None


def _beside(
    points: Sequence[int],
    features: Sequence[FeatureDefinition],
    by_data: Sequence[FeatureDefinition],
    policy_points: Sequence[PolicyPoints],
    catalogue: Catalogue,
) -> list[str]:
    """Say what must stand beside the caps and does not."""
    faults = [f"{d.name!r} {_POSITIVE}" for d in by_data if least_severity(d, catalogue) is None]
    listings = {d.name for d in features if counts_every_listing(d, catalogue)}
    faults += [
        f"policy points for {own.characteristic!r} take up to {-min(own.points)}: beside caps on single records they "
        "may take for a listing in use alone"
        for own in policy_points
        if min(own.points) < 0 and own.characteristic not in listings
    ]
    cost = max((_cost_of_one(own) for own in policy_points if own.characteristic in listings), default=0)
    if cost < max(points):
        faults.append(
            f"a listing in use must cost at least as much as any single record, {max(points)} points, and policy "
            f"points take {cost} for it: give such points to listed_now"
        )
    return faults


def _cost_of_one(own: PolicyPoints) -> int:
    """Return what policy points take for one record."""
    cuts = [k + 0.5 for k in range(len(own.points) - 1)] if own.cuts is None else own.cuts
    return -own.points[sum(cut < 1 for cut in cuts)]
