"""Write down every number a reader relies on, so that two commits can be compared key by key.

Features of the synthetic city of 2,000 people and of the public registers, byte for byte; the card, the evaluation and
200 assessments of every experiment under ``experiments/``. It uses only the public surface, so that it runs on commits
whose modules have other names.

    python benchmarks/unmoved.py write FOLDER            # in each checkout; about six minutes
    python benchmarks/unmoved.py compare FOLDER FOLDER   # every key that differs; exit 1 if one does
    python benchmarks/unmoved.py compare OLD NEW --renamed renamed.json   # {"old key": "new key"}, at any depth

Keys that name the code itself (version, commit, time), and digests that hang on them, are left out.
"""

from __future__ import annotations

import argparse
import dataclasses
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pandas as pd

import credit_model as cm

ROOT = Path(__file__).resolve().parents[1]
VOLATILE = {"commit", "created_at", "version", "dirty", "folder", "report", "run_id", "seconds", "author", "time"}
VOLATILE |= {"card_digest", "card_id", "digest", "reference_digest"}  # of documents that name the commit


class NoTracker:
    """Record nothing: a run needs somewhere to be recorded, and this comparison does not."""

    def log_run(self, experiment: str, **what: Any) -> str:
        return "none"

    def register(self, card: Any, run_id: str, **what: Any) -> Any:
        return type("Version", (), {"version": None, "name": "none"})()


def city_features() -> dict[str, str]:
    """Digest each column of the default dictionary for the synthetic city of 2,000 people, on three dates."""
    city = cm.synthesise(profile="R", people=2_000, seed=20261124)
    digests: dict[str, str] = {}
    with tempfile.TemporaryDirectory() as folder:
        for policy in ("tier", "retention"):
            ledger = cm.Ledger.create(Path(folder) / policy, policy=policy)
            ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
            people = city.subjects["subject_id"].drop_duplicates()
            for day in ("2022-04-01", "2024-04-01", "2025-04-01"):
                features = cm.build_features(ledger, pd.DataFrame({"subject_id": people, "as_of": day}))
                for name in features.columns:
                    digests[f"{policy} {day} {name}"] = hashlib.sha256(features[name].to_numpy().tobytes()).hexdigest()
    return digests


def experiment_numbers(path: Path) -> dict[str, Any]:
    """Run one experiment; return its card, its evaluation, and what 200 people of its ledger are answered."""
    result = cm.run(path, tracker=NoTracker(), author="numbers", progress=lambda text: print(text, file=sys.stderr))
    folder = Path(result.folder)
    card = json.loads((folder / "card.json").read_text(encoding="utf-8"))
    evaluation = json.loads((folder / "evaluation.json").read_text(encoding="utf-8"))
    ledger = cm.Ledger.open(result.ledger)
    evaluator = cm.load_evaluator(str(folder / "card.json"), ledger=ledger)
    day = (
        max(row["as_of"] for row in card["golden_rows"])
        if "as_of" in str(card.get("golden_rows", ""))
        else "2025-04-01"
    )
    people = sorted(set(ledger.as_of(day)["subject_id"]))[:: max(1, len(set(ledger.as_of(day)["subject_id"])) // 200)][
        :200
    ]
    answers = {}
    for subject in people:
        try:
            answer = evaluator.assess(subject, as_of=day, purpose="model_validation")
            answers[subject] = json.loads(json.dumps(dataclasses.asdict(answer), default=str))
        except cm.UserError as error:
            answers[subject] = {"error": str(error).splitlines()[0][:40]}
    return {"card": card, "evaluation": evaluation, "answers": answers}


def write(folder: Path) -> None:
    """Write ``features.json`` and one file an experiment."""
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory() as home:
        os.environ["CREDIT_MODEL_HOME"] = home
        (folder / "features.json").write_text(json.dumps(city_features(), indent=1), encoding="utf-8")
        for path in sorted((ROOT / "experiments").glob("*.toml")):
            print(path.stem, file=sys.stderr)
            numbers = experiment_numbers(path)
            (folder / f"{path.stem}.json").write_text(
                json.dumps(numbers, indent=1, ensure_ascii=False), encoding="utf-8"
            )


def differences(old: Any, new: Any, renamed: dict[str, str], where: str = "") -> Iterator[str]:
    """Yield every place where two documents differ, after renaming keys of the old one."""
    if isinstance(old, dict) and isinstance(new, dict):
        old = {renamed.get(key, key): value for key, value in old.items()}
        for key in sorted({*old, *new} - VOLATILE):
            if key not in old or key not in new:
                yield f"{where}/{key}: only in the {'new' if key in new else 'old'}"
            else:
                yield from differences(old[key], new[key], renamed, f"{where}/{key}")
    elif isinstance(old, list) and isinstance(new, list) and len(old) == len(new):
        for place, (one, other) in enumerate(zip(old, new, strict=True)):
            yield from differences(one, other, renamed, f"{where}/{place}")
    elif old != new:
        yield f"{where}: {str(old)[:80]} -> {str(new)[:80]}"


def compare(old: Path, new: Path, renamed: dict[str, str]) -> int:
    """Print every difference, counted by file; return 1 if there is one."""
    total = 0
    for path in sorted(old.glob("*.json")):
        if not (new / path.name).is_file():
            found = [f"{path.name} is missing"]
        else:
            texts = [(folder / path.name).read_text(encoding="utf-8") for folder in (old, new)]
            found = list(differences(json.loads(texts[0]), json.loads(texts[1]), renamed))
        print(f"{path.name}: {len(found)} differences")
        for line in found[:20]:
            print(f"  {line}")
        total += len(found)
    return int(total > 0)


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(dest="command", required=True)
    commands.add_parser("write").add_argument("folder", type=Path)
    comparing = commands.add_parser("compare")
    comparing.add_argument("old", type=Path)
    comparing.add_argument("new", type=Path)
    comparing.add_argument("--renamed", type=Path)
    request = parser.parse_args()
    if request.command == "write":
        write(request.folder)
        return 0
    renamed = json.loads(request.renamed.read_text(encoding="utf-8")) if request.renamed else {}
    return compare(request.old, request.new, renamed)


if __name__ == "__main__":
    sys.exit(main())
