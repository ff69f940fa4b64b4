"""A development sample of made-up public credit features, for the tests of the learner."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd

from credit_model.features.definition import FeatureDefinition

NEVER = 9999.0


def definitions() -> tuple[FeatureDefinition, ...]:
    """Seven record-monotone features: adverse counts, a recency, a positive count, honours."""
    adverse: dict[str, Any] = {"aggregate": "count", "where": {"polarity": "adverse"}, "trend": "higher_is_worse"}
    positive: dict[str, Any] = {"aggregate": "count", "where": {"polarity": "positive"}, "trend": "higher_is_better"}
    return (
        FeatureDefinition(name="adverse_12m", window="12m", reason="A101", label_zh="近12个月不良信息条数", **adverse),
        FeatureDefinition(name="adverse_36m", window="36m", reason="A102", **adverse),
        FeatureDefinition(name="serious_36m", window="36m", reason="A103", **adverse | {"where": {"tier": "serious"}}),
        FeatureDefinition(
            name="last_adverse", aggregate="recency_days", where={"polarity": "adverse"}, trend="lower_is_worse",
            none=NEVER, cap=NEVER, reason="A104",
        ),
        FeatureDefinition(name="noise_36m", window="36m", reason="A105", **adverse),
        FeatureDefinition(name="volunteer_24m", window="24m", reason="P101", **positive),
        FeatureDefinition(name="honours_60m", window="60m", reason="P102", **positive),
    )  # fmt: skip


def sample(n: int = 20_000, seed: int = 0, base: float = -5.0) -> tuple[pd.DataFrame, np.ndarray, np.ndarray]:
    """Features, outcomes (1 = bad) and true risks of ``n`` people, most of them with nothing on record."""
    rng = np.random.default_rng(seed)
    conduct = rng.normal(size=n)
    adverse = rng.poisson(0.06 * np.exp(0.9 * conduct))
    recent = rng.binomial(adverse, 0.4)
    serious = rng.binomial(adverse, 0.2)
    X = pd.DataFrame(
        {
            "adverse_12m": recent,
            "adverse_36m": adverse,
            "serious_36m": serious,
            "last_adverse": np.where(adverse > 0, rng.integers(1, 365, n) + 365 * (recent == 0), NEVER),
            "noise_36m": rng.poisson(0.05, n),
            "volunteer_24m": rng.poisson(0.3 * np.exp(-0.4 * conduct)),
            "honours_60m": rng.random(n) < 0.01,
        }
    ).astype(np.float32)
    risk = 1 / (1 + np.exp(-(base + 0.9 * conduct + 0.7 * recent + 1.2 * serious)))
    return X, (rng.random(n) < risk).astype(int), risk
