"""The lawful attainable: how well public records can rank people at all, whatever card reads them.

A boosted regression of the *true* risk on every feature of the dictionary, with the signs the law asks for (an adverse
record never helps, a positive one never harms), learned on people of other made cities. A card is judged by the share
of its soft Gini: what the attainable does not see is not written in public records.

    python benchmarks/attainable.py                          # 1,000,000 people each
    python benchmarks/attainable.py --people 100000 --profile R --policy tier --out /tmp/attainable
    python benchmarks/attainable.py --check                  # the stored models again, on a city nobody has seen

In: profiles and policies of the made city.
Out: a LightGBM text model for each under ``data/synthetic/attainable/``, with ``attainable.json`` (what it was made of,
soft Gini on a fresh city) and ``SHA256SUMS``.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import lightgbm as lgb
import numpy as np

from credit_model.features.dictionary import library
from credit_model.ledger.ledger import Ledger
from credit_model.metrics.performance import soft_gini
from credit_model.sample.development import build_sample
from credit_model.sample.outcome import Y12
from credit_model.synthetic.city import synthesise

HOME = Path(__file__).resolve().parents[1] / "data" / "synthetic" / "attainable"
PROFILES, POLICIES = ("R", "L"), ("tier", "retention")
AS_OF, DAY_OF_USE, KNOWN_THROUGH = "2025-04-01", "2026-11-24", "2026-10-31"
FRESH_SEED, FIRST_SEED = 20261201, 20270101  # of the city that judges, and of the first one that teaches
BLOCK = 100_000  # people made at once: memory stays that of one such city

SETTINGS = {
    "objective": "cross_entropy",
    "learning_rate": 0.08,
    "num_leaves": 15,
    "min_data_in_leaf": 200,
    "min_sum_hessian_in_leaf": 1.0,
    "monotone_constraints_method": "intermediate",
    "deterministic": True,
    "force_row_wise": True,
    "num_threads": 1,
    "seed": 0,
    "verbose": -1,
}
ROUNDS = 160


def observe(profile: str, policy: str, people: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Features and true risk of the people of one city who would be scored and compared on the day."""
    city = synthesise(profile, people, seed)
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.create(Path(folder) / "ledger", policy=policy)
        ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects)
        sample = build_sample(ledger, Y12, [AS_OF], day_of_use=DAY_OF_USE, known_through=KNOWN_THROUGH)
    return sample.X.to_numpy(np.float32), city.true_risk(AS_OF).reindex(sample.subject_id).to_numpy()


def observations(profile: str, policy: str, people: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Cities of ``BLOCK`` people until there are enough."""
    for number, done in enumerate(range(0, people, BLOCK)):
        yield observe(profile, policy, min(BLOCK, people - done), FIRST_SEED + number)


def learn(profile: str, policy: str, people: int) -> lgb.Booster:
    """Fit the true risk with the lawful sign of every feature."""
    features, risks = zip(*observations(profile, policy, people), strict=True)
    names = [definition.name for definition in library()]
    data = lgb.Dataset(np.concatenate(features), np.concatenate(risks), feature_name=names, free_raw_data=True)
    signs = [definition.direction for definition in library()]
    return lgb.train({**SETTINGS, "monotone_constraints": signs}, data, ROUNDS)


def dictionary_digest() -> str:
    """SHA-256 of the definitions the models read."""
    said = [definition.to_dict() for definition in library()]
    return hashlib.sha256(json.dumps(said, sort_keys=True, ensure_ascii=False).encode()).hexdigest()


def judge(model: lgb.Booster, profile: str, policy: str, people: int) -> dict[str, float]:
    """Soft Gini on a city nobody has learned from, beside that of the true risk itself."""
    features, risk = observe(profile, policy, people, FRESH_SEED)
    reached = soft_gini(risk, model.predict(features, num_threads=1))
    return {
        "soft_gini": round(reached.value, 4),
        "soft_gini_low": round(reached.low, 4),
        "soft_gini_high": round(reached.high, 4),
        "soft_gini_of_truth": round(soft_gini(risk, risk).value, 4),
        "rows": len(risk),
        "true_rate": round(float(risk.mean()), 5),
    }


def write_index(out: Path, made: dict[str, Any]) -> None:
    """Say what the models are, and seal them."""
    index = out / "attainable.json"
    known = json.loads(index.read_text(encoding="utf-8")) if index.exists() else {}
    models = {**known.get("models", {}), **made}
    said = {
        "as_of": AS_OF,
        "day_of_use": DAY_OF_USE,
        "outcome": Y12.to_dict(),
        "dictionary_sha256": dictionary_digest(),
        "models": dict(sorted(models.items())),
    }
    index.write_text(json.dumps(said, indent=2) + "\n", encoding="utf-8")
    sums = [(hashlib.sha256(path.read_bytes()).hexdigest(), path.name) for path in sorted(out.glob("*.txt"))]
    (out / "SHA256SUMS").write_text("".join(f"{digest}  {name}\n" for digest, name in sums), encoding="ascii")


def faults(out: Path) -> list[str]:
    """List what is wrong with the stored models before they are even run."""
    said = json.loads((out / "attainable.json").read_text(encoding="utf-8"))
    found = [] if said["dictionary_sha256"] == dictionary_digest() else ["the dictionary of features has changed"]
    for line in (out / "SHA256SUMS").read_text(encoding="ascii").splitlines():
        digest, name = line.split()
        if hashlib.sha256((out / name).read_bytes()).hexdigest() != digest:
            found.append(f"{name} is not the file that was sealed")
    return found


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--people", type=int, default=1_000_000, help="people to learn from")
    parser.add_argument("--fresh", type=int, default=100_000, help="people to judge on")
    parser.add_argument("--profile", choices=PROFILES, action="append")
    parser.add_argument("--policy", choices=POLICIES, action="append")
    parser.add_argument("--out", type=Path, default=HOME)
    parser.add_argument("--check", action="store_true", help="judge the stored models, make none")
    parser.add_argument("--json", action="store_true", help="one object on stdout")
    asked = parser.parse_args()

    wrong = faults(asked.out) if asked.check else []
    made: dict[str, Any] = {}
    asked.out.mkdir(parents=True, exist_ok=True)
    for profile in asked.profile or PROFILES:
        for policy in asked.policy or POLICIES:
            name, start = f"{profile}_{policy}", time.perf_counter()
            path = asked.out / f"{name}.txt"
            if not asked.check:
                learn(profile, policy, asked.people).save_model(path)
            found = judge(lgb.Booster(model_file=path), profile, policy, asked.fresh)
            made[name] = {"people": asked.people, "first_seed": FIRST_SEED, "fresh_seed": FRESH_SEED, **found}
            print(f"{name}: {found}, {time.perf_counter() - start:.0f} s", file=sys.stderr, flush=True)
    if not asked.check:
        write_index(asked.out, made)
    if asked.json:
        print(json.dumps({"models": made, "faults": wrong}))
    for fault in wrong:
        print(fault, file=sys.stderr)
    return 3 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
