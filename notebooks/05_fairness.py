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
# # Does a card treat groups alike?
#
# **Question.** Who would be left out by a cut-off, how sure is that, and is a difference one of conduct or of inspection?
#
# The city is made (profile `L`), so the true risk of everybody is known. Districts are inspected more or less often there, by
# construction; sexes do not differ.

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import credit_model as cm

AS_OF = "2025-04-01"
city = cm.synthesise(profile="L", people=10_000, seed=20261124)
ledger = cm.Ledger.create(tempfile.mkdtemp() + "/ledger", policy="retention")
ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
definitions = [d for d in cm.library() if d.record_monotone]
learned = cm.build_sample(ledger, cm.Y12, ["2023-09-01"], definitions)
judged = cm.build_sample(ledger, cm.Y12, [AS_OF], definitions)
classifier = cm.ScorecardClassifier(definitions, max_characteristics=8, method="woe_logistic")
card = classifier.fit(learned.X, learned.y, learned.weight, learned.subject_id).to_card("example")
X = judged.X[list(card.columns)]
scored = card.score(X).assign(subject_id=judged.subject_id, as_of=AS_OF, y=judged.y)
scored["true_risk"] = city.true_risk(AS_OF).reindex(judged.subject_id).to_numpy()
print(f"{len(scored)} people, {judged.bads} bad")

# %% [markdown]
# ## Attributes stand beside the rows
# The feature frame has no such column, and a frame that has one is refused.

# %%
beside = judged.audit.assign(subject_id=judged.subject_id)
try:
    cm.audit_fairness(scored.assign(sex=judged.audit["sex"]), beside, card=card)
except cm.UserError as refusal:
    print(refusal)

# %% [markdown]
# ## Who is eligible

# %%
found = cm.audit_fairness(scored, beside, card=card, explanation=card.explain(X), features=judged.X)
rows = [
    {
        "attribute": a.name,
        "group": g.group,
        "cut-off": c.cutoff,
        "share": g.eligible.value,
        **vars(g.ratio),
        "is": g.verdict,
    }
    for a in found.attributes
    for c in a.cutoffs
    for g in c.groups
]
ratios = pd.DataFrame(rows)
ratios[ratios["cut-off"] == 806].round(3)

# %%
top = ratios[(ratios["cut-off"] == 806) & ratios["value"].notna()].reset_index(drop=True)
fig, axis = plt.subplots(figsize=(8, 4))
axis.axvspan(0.8, 1.25, color="#a5d2bb", alpha=0.4)
axis.hlines(top.index, top["low"], top["high"], color="#1d5f8a")
axis.plot(top["value"], top.index, "o", color="#1d5f8a")
axis.set_yticks(top.index, top["attribute"] + ": " + top["group"])
axis.set_title("Eligibility ratio from 806 points on, 95 % intervals")
plt.show()

# %% [markdown]
# ## Conduct or inspection?
# Events are what was found and written down. Beside them stand what the card expected and, in a made city only, the true risk.

# %%
district = next(a for a in found.attributes if a.name == "district")
pd.DataFrame(
    {
        "group": g.label_en,
        "recorded": g.counts.bad_rate,
        "expected": g.counts.mean_probability,
        "true risk": g.mean_true_risk,
        "observed / expected": g.measures["observed_to_expected"].value,
    }
    for g in district.groups
    if not g.counts.hidden
).round(4)

# %% [markdown]
# ## Which features know the group?

# %%
known = [
    {"attribute": a.name, "feature": p.text_en, "tells": p.group, "AUC": p.auc.value, "rho": p.rho}
    for a in found.attributes
    for p in a.proxies
]
pd.DataFrame(known).sort_values("AUC", ascending=False).head(8).round(3)

# %% [markdown]
# ## Would a bias be found?
# One in four eligible women is made not eligible: among everybody, among a tenth of the people, and among a fiftieth.

# %%
rng = np.random.default_rng(1)
eligible, sex = (scored["score"] >= 795).to_numpy(), judged.audit["sex"].to_numpy()
biased = eligible & ~((sex == "F") & (rng.random(len(sex)) < 0.25))
for share in (1.0, 0.1, 0.02):
    kept = rng.random(len(sex)) < share
    ratio = cm.eligibility_ratio(biased[kept], sex[kept], "M")["F"]
    print(f"{kept.sum():>6} people: {ratio.value:.2f} ({ratio.low:.2f} to {ratio.high:.2f}), found: {ratio.high < 0.8}")

# %% [markdown]
# ## What the cut-off decides, and what a simple rule would decide instead

# %%
table = [
    {"cut-off": r.cutoff, "eligible": r.share.value, "bad rate": r.bad_rate.value, "below": r.bad_rate_below.value}
    for r in cm.cutoff_table(scored, card.profile.grade_cuts)
]
pd.DataFrame(table).round(4)

# %%
swap = cm.swap_set(scored, -judged.X["adverse_24m"], 806)
pd.DataFrame({"cell": c.name, "people": c.counts.people, "bad rate": c.bad_rate.value} for c in swap.cells).round(4)

# %% [markdown]
# **Answer.** The audit compares decisions, with intervals: a ratio is found only where its whole interval is under 0.8, which needs
# enough people. A difference in recorded events may be one of inspection; observed against expected shows it, the label alone
# does not. Nothing found is no proof that there is nothing, and what is found is for people to judge.
