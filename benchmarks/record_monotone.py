"""One more record of a person: an adverse one never raises the score, an honour or a kept commitment never lowers it.

A card is proved monotone from its structure; this is the smoke test of that proof. People with a record get one more
each, of a random kind, tier and day before the as-of date, and are scored again by the card of
``experiments/baseline.toml`` on a smaller city. Ends with exit code 3 at the first violation.

    python benchmarks/record_monotone.py
    python benchmarks/record_monotone.py --people 20000 --rounds 5 --json
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
from made_city import NoTracker, planned

from credit_model import Ledger, build_features, load_catalogue, synthesise
from credit_model.experiments.pipeline import run

AS_OF = "2025-04-01"
ADVERSE = ("adm_penalty", "commitment_breach", "judgment_unperformed", "dishonest_executee", "housing_fund_overdue")
POSITIVE = ("honour", "commitment_fulfilled", "volunteer_service", "adm_reward")


def main() -> int:
    """Count additions and violations."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=30_000)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", action="store_true")
    asked = parser.parse_args()
    card = run(planned("R", "tier", asked.people, 20261124), tracker=NoTracker()).card
    city, catalogue, rng = synthesise("R", asked.people, 20261124), load_catalogue(), np.random.default_rng(20261124)
    polarity = city.records["kind"].map({code: kind.polarity for code, kind in catalogue.kinds.items()})
    with_record = city.records.loc[polarity == "adverse", "subject_id"].unique()

    def scores(records: pd.DataFrame) -> np.ndarray:
        with tempfile.TemporaryDirectory() as folder:
            ledger = Ledger.create(Path(folder) / "ledger")
            report = ledger.ingest(records=records, amendments=city.amendments, subjects=city.subjects)
            if report.rejected:
                raise SystemExit(f"additions were refused: {report.rejected}")
            X = build_features(ledger, pd.DataFrame({"subject_id": with_record, "as_of": AS_OF}))
        return card.score(X[list(card.columns)])["score"].to_numpy()

    before, found = scores(city.records), {}
    for name, kinds, sign in (("adverse", ADVERSE, -1), ("positive", POSITIVE, 1)):
        added = moved = violations = 0
        for round_ in range(asked.rounds):
            more = pd.DataFrame({"subject_id": with_record, "kind": rng.choice(kinds, len(with_record))})
            decided = pd.Timestamp(AS_OF) - pd.to_timedelta(rng.integers(5, 1_800, len(more)), unit="D")
            more = more.assign(record_id=[f"X{round_}-{i}" for i in range(len(more))], decided_on=decided)
            more["known_on"] = more["decided_on"] + pd.Timedelta(days=3)
            more["final_on"] = more["decided_on"]
            tiered = np.where(
                more["kind"] == "adm_penalty", rng.choice(["minor", "general", "serious"], len(more)), None
            )
            more["tier"] = tiered
            change = scores(pd.concat([city.records, more], ignore_index=True)) - before
            added, moved = added + len(more), moved + int((change != 0).sum())
            violations += int((change * sign < 0).sum())
        found[name] = {"additions": added, "scores_moved": moved, "violations": violations}
    print(json.dumps(found) if asked.json else found)
    return 3 if any(count["violations"] for count in found.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
