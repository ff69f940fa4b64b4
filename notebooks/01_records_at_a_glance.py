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
# # Records at a glance
#
# **Question.** What is on record in a city, how much of it may be used on a given day, and why is the rest left out?
#
# The city is made: nobody in it exists.

# %%
import tempfile

import matplotlib.pyplot as plt
import numpy as np
import pandas as pd

import credit_model as cm

plt.rcParams["font.family"] = cm.font_families()  # Chinese labels are letters where this machine has a font for them
AS_OF = "2025-04-01"
city = cm.synthesise(profile="R", people=2_000, seed=20261124)
ledger = cm.Ledger.create(tempfile.mkdtemp() + "/ledger", policy="tier")
report = ledger.ingest(records=city.records, amendments=city.amendments, subjects=city.subjects, audit=city.audit)
print(report)

# %% [markdown]
# ## What kinds of record there are
# Adverse records are few; most people have none at all.

# %%
kinds = pd.DataFrame(
    {code: (kind.label_zh, kind.label_en, kind.polarity) for code, kind in ledger.catalogue.kinds.items()},
    index=["中文", "English", "polarity"],
).T
on_file = kinds.assign(records=city.records["kind"].value_counts()).dropna().sort_values("records", ascending=False)
on_file

# %%
adverse_kinds = on_file[on_file["polarity"] == "adverse"].set_index("中文")["records"].iloc[::-1]
adverse_kinds.plot.barh(figsize=(8, 4), color="#b5533c", title="Adverse records on file, by kind", ylabel="")
plt.show()

# %%
by_month = city.records.assign(
    polarity=city.records["kind"].map(kinds["polarity"]),
    month=pd.to_datetime(city.records["decided_on"]).dt.to_period("Y"),
)
by_month = by_month.groupby(["month", "polarity"]).size().unstack(fill_value=0)
ax = by_month.plot.bar(
    stacked=True, figsize=(9, 3), color={"adverse": "#b5533c", "positive": "#4c7a5d", "neutral": "#9aa5b1"}
)
ax.set(title="Records by year of decision", xlabel="", ylabel="records")
plt.show()

# %% [markdown]
# ## What may be used on one day
# Every record is cut into segments: on each day it is *in force*, or left out on a ground that has a name.

# %%
segments = ledger.segments()
day = segments.at(cm.to_day(AS_OF))
polarity = np.array([ledger.catalogue.kinds[code].polarity for code in segments.kind_codes])[day.kind]
grounds = pd.crosstab(np.array(cm.STATUSES)[day.status], polarity, rownames=["status"], colnames=["polarity"])
grounds.sort_values("adverse", ascending=False)

# %% [markdown]
# ## One record through time
# The record with the most segments: what happened to it, and when it counted.

# %%
pieces = pd.Series(segments.record[segments.kind != segments.kind_codes.index("volunteer_service")]).value_counts()
busiest = int(pieces.index[0])
mine = segments.take(np.flatnonzero(segments.record == busiest))
pd.DataFrame(
    {
        "from": cm.from_days(mine.start),
        "status": np.array(cm.STATUSES)[mine.status],
        "kind": [segments.kind_codes[k] for k in mine.kind],
        "decided on": cm.from_days(mine.decided_on),
    }
)

# %% [markdown]
# ## The same as features
# A feature is a definition; `explain_feature` names the records behind a value and those left out.

# %%
people = sorted(set(city.subjects["subject_id"]))
X = cm.build_features(ledger, pd.DataFrame({"subject_id": people, "as_of": AS_OF}))
person = people[int(X["adverse_60m"].to_numpy().argmax())]
cm.explain_feature(ledger, person, AS_OF, "adverse_60m").rows

# %% [markdown]
# ## A grid of features to explore
# Kinds, aggregates and windows make a grid. What a card may not use, or no record can fill, is left out with its reason.

# %%
grid = cm.feature_grid(
    ledger.catalogue,
    ["adm_penalty", "judgment_unperformed"],
    ["count", "sum:amount", "mean:amount"],
    ["3m", "12m", "36m"],
)
explored = cm.build_features(ledger, pd.DataFrame({"subject_id": people, "as_of": AS_OF}), grid.definitions)
pd.DataFrame(
    {"中文": [d.label_zh for d in grid.definitions], "people": (explored > 0).sum().to_numpy()}, index=explored.columns
)

# %%
pd.Series(grid.refused, name="left out because")

# %%
adverse = grounds["adverse"]
empty = float((X.fillna(0) == X.mode().iloc[0].fillna(0)).all(axis=1).mean())
print(
    f"As of {AS_OF}, {adverse['in_force']} of {adverse.sum()} adverse records on file are in force; most of the rest: {adverse.drop('in_force').idxmax()}."
)
print(f"{empty:.0%} of people have an empty row of features.")

# %% [markdown]
# **Answer.** Most people have nothing in force. Of the adverse records on file most are left out, chiefly because their time
# of use is over or they were repaired; every record left out carries its ground, so that anyone can ask why.
