"""Invented event logs in the columns of the road traffic fines: a few fines to read, or some thousand to learn from."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

ROOT = Path(__file__).parents[1]
EXPERIMENT = ROOT / "experiments" / "road_traffic_fines.toml"
VARIABLE = "CREDIT_MODEL_BENCHMARK_DATA"
CREATED, SENT, NOTIFIED = "Create Fine", "Send Fine", "Insert Fine Notification"
APPEALED, ANSWERED, JUDGED = (
    "Insert Date Appeal to Prefecture",
    "Receive Result Appeal from Prefecture",
    "Appeal to Judge",
)
PENALTY, PAID, COLLECTED = "Add penalty", "Payment", "Send for Credit Collection"
NUMBERS = ("amount", "resource", "totalPaymentAmount", "article", "points", "expense", "paymentAmount")
TEXTS = ("dismissal", "vehicleClass", "notificationType", "lastSent")
ARTICLES = np.array([157, 7, 158, 142, 181, 171, 80, 193, 146])


def event_log(rows: list[dict[str, Any]]) -> pd.DataFrame:
    """Rows of ``case_id, timestamp, activity`` and facts as the log has them, every column there, by day."""
    frame = pd.DataFrame(rows).reindex(columns=["case_id", "timestamp", "activity", *NUMBERS, *TEXTS])
    frame["timestamp"] = pd.to_datetime(frame["timestamp"])
    frame = frame.astype({**dict.fromkeys(NUMBERS, "float64"), **dict.fromkeys(TEXTS, "string")})
    frame = frame.sort_values("timestamp", kind="stable", ignore_index=True)
    return frame.assign(seq=frame.groupby("case_id").cumcount().astype("int16"))


def invented_log(fines: int = 3_000, seed: int = 20261124) -> pd.DataFrame:
    """Fines notified from 2000 to 2010; the dearer, the farther on its way, the likelier to be collected."""
    rng = np.random.default_rng(seed)
    created = np.datetime64("2000-01-01") + rng.integers(0, 3_750, fines)
    sent = created + rng.integers(20, 150, fines)
    notified = sent + rng.integers(2, 60, fines)
    amount = rng.choice([18.78, 31.30, 35.00, 62.59, 131.00], fines)
    article, points = rng.choice(ARTICLES, fines), rng.choice([0, 0, 0, 2, 5], fines)
    risk = 1 / (1 + np.exp(-(-0.2 + 0.02 * (amount - 35) + 0.02 * (notified - sent).astype(int) - (article == 7))))
    bad, paid_early = rng.random(fines) < risk, rng.random(fines) < 0.02
    collected = notified + rng.integers(300, 1_300, fines)  # some too late to count
    rows: list[dict[str, Any]] = []
    for i in range(fines):
        case = {"case_id": f"X{i:05}"}
        wrote = {"amount": amount[i], "article": article[i], "points": points[i], "resource": 1.0, "dismissal": "NIL"}
        rows.append(case | {"timestamp": created[i], "activity": CREATED, "vehicleClass": "A", **wrote})
        rows.append(case | {"timestamp": sent[i], "activity": SENT, "expense": 11.88})
        rows.append(case | {"timestamp": notified[i], "activity": NOTIFIED, "notificationType": "P", "lastSent": "P"})
        if paid_early[i]:
            rows.append(case | {"timestamp": notified[i] - 1, "activity": PAID, "paymentAmount": amount[i]})
        rows.append(case | {"timestamp": notified[i] + 60, "activity": PENALTY, "amount": 2 * amount[i]})
        if bad[i]:
            rows.append(case | {"timestamp": collected[i], "activity": COLLECTED})
        else:
            rows.append(case | {"timestamp": notified[i] + 30, "activity": PAID, "paymentAmount": amount[i]})
    log = event_log(rows)
    return log[log["timestamp"] <= "2013-06-18"]


def invented_tables(folder: Path, log: pd.DataFrame | None = None) -> Path:
    """A folder of benchmark data that holds the invented log in the place of the real one."""
    where = folder / "road_traffic_fines"
    where.mkdir(parents=True)
    (invented_log() if log is None else log).to_parquet(where / "events.parquet", index=False)
    return folder
