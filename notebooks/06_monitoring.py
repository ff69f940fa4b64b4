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
# # A card in use
#
# **Question.** Inspections become twice as frequent for half a year, and nobody says so. When does the monitor see it, where first,
# and does it mistake inspection for conduct?
#
# The made city has such a shock: from June to November 2021 every penalty is 1.8 times as likely to be found. Only penalties are put on
# file here, so that the notebook is quick; the card is an example, not a result.

# %%
import tempfile

import matplotlib.pyplot as plt
import pandas as pd

import credit_model as cm

city = cm.synthesise(profile="R", people=100_000, seed=20261124)
penalties = city.records[city.records["kind"] == "adm_penalty"]
ledger = cm.Ledger.create(tempfile.mkdtemp() + "/ledger", policy="tier")
ledger.ingest(records=penalties, subjects=city.subjects)
by_month = penalties["decided_on"].astype("str").str[:7].value_counts().sort_index()
by_month.plot(figsize=(10, 2.5), color="#3a5a78", title="Penalties decided, by month")
plt.show()

# %% [markdown]
# ## The card's own world
# A run keeps counts of the people the card was learned from, by grade and by attribute, and no rows.

# %%
names = ("adverse_24m", "law_abiding_24m", "penalties_general_36m", "fines_36m")
definitions = [d for d in cm.library() if d.name in names]
sample = cm.build_sample(ledger, cm.Y12, ["2019-10-01"], definitions)
card = (
    cm.ScorecardClassifier(definitions, method="woe_logistic")
    .fit(sample.X, sample.y, sample.weight, sample.subject_id)
    .to_card("watched")
)
reference = cm.Reference.of(card, cm.Snapshot.take(ledger, card, ["2021-05-01"]))
print(reference.people, "people;", reference.off_reference, "off the reference score")
pd.DataFrame({name: pd.Series(cells.counts) for name, cells in reference.characteristics.items()})

# %% [markdown]
# ## Month by month

# %%
days = ["2021-06-01", "2021-08-01", "2021-10-01", "2021-12-01", "2022-02-01", "2022-04-01", "2022-06-01"]
months = {day: cm.monitor(ledger, card, reference, day) for day in days}
pd.DataFrame(
    {
        "decisions": {day: any(one.moved for one in found.intake) for day, found in months.items()},
        "characteristics": {
            day: [m.name for m in found.stability.out_of_limit if m.name] for day, found in months.items()
        },
        "mean score": {day: round(found.stability.mean_score_now, 3) for day, found in months.items()},
        "AUC to expect": {day: round(found.stability.expected_auc_now.value, 4) for day, found in months.items()},
    }
)

# %%
for alarm in months["2021-08-01"].alarms:
    print(alarm.text_en, "\n", alarm.text_zh, "\n")

# %%
for alarm in months["2022-06-01"].alarms:
    print(alarm.text_en, "\n", alarm.text_zh, "\n")

# %% [markdown]
# ## Without a label
# No outcome of 2021 was known in 2021: labels are mature nineteen months later. What can be told before is whether the card would still
# rank people, if its probabilities are right, and how many changed their grade within a month.

# %%
pd.DataFrame([vars(found.migration) for found in months.values()], index=days)

# %% [markdown]
# **Answer.** Decisions show it within two months, characteristics only once decisions are final and stand on enough files, and by then
# inspection is back to the usual: whoever looks at scores alone sees people getting worse half a year late. The text names the kind of
# decision and the months, and tells to ask the source before reading conduct into it.
