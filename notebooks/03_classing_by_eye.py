# ---
# jupyter:
#   jupytext:
#     formats: ipynb,py:percent
#   kernelspec:
#     display_name: Python 3
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Classing by eye
#
# **Question.** What did optimal classing make of each column, what does a person see that it cannot, and what does an edit cost?
#
# The rows are made here, so the truth is known: risk falls with age and rises again late, a value of -999 means "not asked", and in one
# of three years a group was checked more often.

# %%
import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import credit_model as cm

rng = np.random.default_rng(20261124)
n = 20_000
year = rng.integers(2022, 2025, n)
X = pd.DataFrame(
    {
        "age": rng.integers(18, 85, n),
        "visits": rng.poisson(1.5, n),
        "months_since_payment": np.where(rng.random(n) < 0.15, -999, rng.gamma(2, 8, n).round()),
        "home": rng.choice(["own", "rent", "family", "other"], n, p=[0.45, 0.3, 0.2, 0.05]),
    }
)
z = -3 + 0.0015 * (X["age"] - 52) ** 2 + 0.5 * X["visits"] + 0.6 * (X["home"] == "rent")
z += 0.02 * X["months_since_payment"].clip(0) + 0.7 * ((year == 2024) & (X["visits"] == 1))
y = (rng.random(n) < 1 / (1 + np.exp(-z))).astype(int)
learn, new = slice(0, n // 2), slice(n // 2, n)

# %% [markdown]
# ## What was found
# `auto` lets a trend turn where that is worth it. Bars are shares, dots are bad rates: a dot on a short bar is worth little.

# %%
classed = cm.WoeTransformer(trend="auto", special_values={"months_since_payment": [-999]}).fit(X[learn], y[learn])
figure, axes = plt.subplots(2, 2, figsize=(11, 7), layout="constrained")
for name, ax in zip(X, axes.flat, strict=True):
    classed.plot(name, ax)
plt.show()

# %%
classed.table("months_since_payment").round(3)

# %% [markdown]
# ## What the columns say in each year
# The order by WOE should hold every year. Given the years, classing joins what one of them contradicts.

# %%
steady = cm.WoeTransformer(trend="auto").fit(X[learn], y[learn], periods=year[learn])
by_year = pd.DataFrame(
    {"attribute": classed.bins_["visits"].index(X["visits"].to_numpy(np.float32)), "year": year, "bad": y}
)
print("without years", classed.bins_["visits"].labels())
print("with years   ", steady.bins_["visits"].labels())
by_year[learn].pivot_table(index="attribute", columns="year", values="bad").round(3)

# %% [markdown]
# ## An edit, and its effect
# Pension starts at 60, so a cut at 59.5 is easier to explain than the one that was found, and two neighbours that differ little are one.
# Edits are values: the fit takes them, the card has them, a clone has them, and `[card.bins.NAME]` says them in an experiment.

# %%
found = cm.ScorecardClassifier(method="woe_logistic").fit(X[learn], y[learn])
edits = {"age": cm.BinEdits((("split", 59.5), ("merge", 0))), "home": cm.BinEdits((("move", "other", "family"),))}
edited = cm.ScorecardClassifier(bins=edits, method="woe_logistic").fit(X[learn], y[learn])
pd.concat(
    {
        who: clf.card_.table()
        .query("characteristic == 'age'")[["attribute_en", "points", "share"]]
        .reset_index(drop=True)
        for who, clf in (("found", found), ("edited", edited))
    },
    axis=1,
)

# %%
before, after = (-clf.card_.score(X[new][list(clf.card_.columns)])["score"] for clf in (found, edited))
change = cm.gini_difference(y[new], after, before)
print(f"Gini on new rows, edited minus found: {change.value:+.4f} ({change.low:+.4f} to {change.high:+.4f})")
print("scores that moved:", f"{(before != after).mean():.0%}")

# %% [markdown]
# **Answer.** Classing finds shape and order, and given years keeps only the order that holds in each. It cannot know that 60 is a
# pension age. An edit is three words, goes wherever the bins go, and its price is measured on new rows with its interval.
