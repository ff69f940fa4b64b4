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
# # Reading a card
#
# **Question.** What does a card say about a person, can it be added up by hand, and what would change it?
#
# The card is learned here on a small made city of profile `L` (more events than in life), so it is an example, not a result.

# %%
import tempfile

import matplotlib.pyplot as plt
import pandas as pd

import credit_model as cm

AS_OF = "2025-04-01"
city = cm.synthesise(profile="L", people=6_000, seed=20261124)
ledger = cm.Ledger.create(tempfile.mkdtemp() + "/ledger", policy="retention")
ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
definitions = [d for d in cm.library() if d.record_monotone]
sample = cm.build_sample(ledger, cm.Y12, ["2022-09-01", "2023-09-01"], definitions)
print(f"{len(sample)} rows of {sample.people} people, {sample.bads} bad")

# %%
classifier = cm.ScorecardClassifier(definitions, max_characteristics=8, method="woe_logistic")
classifier.fit(sample.X, sample.y, sample.weight, sample.subject_id)
card = classifier.to_card("example")
card.table()[["label_zh", "attribute_zh", "points", "share", "bad_rate", "reference"]]

# %% [markdown]
# ## It adds up
# Base points plus the points of each characteristic are the score, exactly, in every row.

# %%
X = cm.build_features(
    ledger, pd.DataFrame({"subject_id": sorted(set(city.subjects["subject_id"])), "as_of": AS_OF}), definitions
)
points, scored = card.explain(X[list(card.columns)]), card.score(X[list(card.columns)])
(points.sum(axis=1) == scored["score"]).all()

# %%
fig, (left, right) = plt.subplots(1, 2, figsize=(10, 3))
scored["score"].value_counts().sort_index().plot(
    ax=left, logy=True, style=".", color="#3a5a78", title="People by score (log scale)"
)
scored.drop_duplicates("score").sort_values("score").plot(
    x="score",
    y="probability_of_bad",
    ax=right,
    logy=True,
    legend=False,
    color="#b5533c",
    title="Probability of bad by score",
)
plt.show()

# %% [markdown]
# ## What it gives up for being a table
# Points less their mean are the SHAP values of the score, exactly. Beside them stands a challenger: boosted trees that learn
# from the same rows and are held to the same signs, but free in shape and interaction. Both are in points.

# %%
challenger = cm.BoostedChallenger(definitions).fit(sample.X, sample.y, sample.weight, sample.subject_id)
shap_values = points - card.explain(sample.X[list(card.columns)]).mean()
moves = {"card": shap_values.abs().mean(), "challenger": card.profile.factor * challenger.contributions(X).abs().mean()}
pd.DataFrame(moves).drop(index="base").sort_values("challenger", ascending=False).head(10).round(2)

# %%
later = cm.build_sample(ledger, cm.Y12, [AS_OF], definitions)
by_card = -card.score(later.X[list(card.columns)])["score"]
gained = cm.gini_difference(later.y, challenger.decision_function(later.X), by_card)
print(f"Gini, challenger minus card, {later.bads} bads: {gained.value:+.3f} ({gained.low:+.3f} to {gained.high:+.3f})")

# %% [markdown]
# ## What it says to one person
# Status, score, reasons with their records and the first day on which each can change. Statutory status stands beside it.

# %%
path = tempfile.mkdtemp() + "/card.json"
card.save(path)
person = sorted(set(city.subjects["subject_id"]))[int(scored["score"].to_numpy().argmin())]
assessment = cm.load_evaluator(path).assess(person, as_of=AS_OF, ledger=ledger, purpose="self_query")
pd.DataFrame([vars(reason) for reason in assessment.reasons])

# %%
print(assessment.status, assessment.score, assessment.grade, f"{assessment.probability_of_bad:.3f}")
print("statutory status:", assessment.statutory_status)

# %% [markdown]
# ## Only for a permitted purpose

# %%
try:
    cm.load_evaluator(path).assess(person, as_of=AS_OF, ledger=ledger, purpose="refuse_service")
except cm.UserError as refusal:
    print(refusal)

# %% [markdown]
# **Answer.** The card is a table that anyone can add up. Nothing on record is the reference row and costs no points. Each
# reason names its records and the day from which it costs less, and the score answers for incentives only. What a model
# without a table would gain is measured beside it.
