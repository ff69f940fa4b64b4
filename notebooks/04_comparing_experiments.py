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
# # Comparing experiments
#
# **Question.** Does a longer look-back make a better card, how sure is that, and how many characteristics does a card need?
#
# Two experiments, the same but for one line, on a small made city of profile `L` (more events than in life). The difference is measured on
# the same people, so its interval is far narrower than the two beside each other.

# %%
import os
import tempfile
from pathlib import Path
from types import SimpleNamespace

import matplotlib.pyplot as plt
import pandas as pd

import credit_model as cm

home = Path(tempfile.mkdtemp())
os.environ["CREDIT_MODEL_HOME"] = str(home)  # a real project leaves this out: everything is kept in .credit_model
EXPERIMENT = """
question = "Does a look-back of {months} months rank well?"
seed = 20261124
[ledger]
synthetic = {{ profile = "L", people = 12_000 }}
policy = "retention"
day_of_use = 2026-11-24
[outcome]
definition = "y12"
[sample]
out_of_time = 2025-04-01
development_dates = 2
[features]
include = ["adverse_*", "volunteer_*"]
max_look_back_months = {months}
[card]
max_characteristics = 12
max_bins = 5
"""
for months in (12, 60):
    (home / f"look_back_{months}.toml").write_text(EXPERIMENT.format(months=months))

# %% [markdown]
# ## Two runs
# `credit-model run` records each in MLflow; here nothing is recorded.

# %%
nowhere = SimpleNamespace(log_run=lambda *_, **__: "", register=lambda *_, **__: None)
runs = [cm.run(home / f"look_back_{months}.toml", tracker=nowhere) for months in (12, 60)]
pd.DataFrame({run.experiment: {name: value for name, (value, *_) in run.figures.items()} for run in runs}).round(3)

# %% [markdown]
# ## Side by side
# The same as `credit-model compare look_back_12.toml look_back_60.toml`. Both read what the runs left; nobody is observed again.

# %%
found = cm.compare(*(run.folder for run in runs))
print(f"{found.rows} rows, {found.bads} bad; {found.moved:.0%} change grade; {found.characteristics} characteristics")
table = pd.DataFrame(
    [
        (c.segment, c.measure, c.difference.value, c.difference.low, c.difference.high, c.verdict)
        for c in found.contests
    ],
    columns=["of whom", "measure", "second minus first", "low", "high", "better"],
)
table.round(4)

# %%
figure, ax = plt.subplots(figsize=(8, 2.5))
gini = table[table["measure"].isin(["gini", "soft_gini"])].iloc[::-1]
names = gini["of whom"] + ", " + gini["measure"]
ax.hlines(names, gini["low"], gini["high"], color="#3a5a78")
ax.plot(gini["second minus first"], names, "o", color="#b5533c")
ax.axvline(0, color="#999999", linewidth=0.8)
ax.set_title("Gini, 60 months minus 12, paired 95 % intervals")
plt.show()

# %% [markdown]
# ## How many characteristics?
# The best card of at most so many, judged on people of other folds of the development sample: the out-of-time rows are not touched.

# %%
ledger = cm.Ledger.open(runs[1].ledger)
definitions = list(cm.load_experiment(home / "look_back_60.toml").features)
sample = cm.build_sample(ledger, cm.Y12, ["2022-09-01", "2023-09-01"], definitions)
sizes = cm.frontier(
    cm.ScorecardClassifier(definitions, max_bins=5, method="woe_logistic"),
    sample.X,
    sample.y,
    sample.weight,
    sample.subject_id,
    sizes=(1, 2, 4, 8, 12),
    folds=3,
)
figure, ax = plt.subplots(figsize=(7, 3))
ax.fill_between(sizes["at_most"], sizes["auc_low"], sizes["auc_high"], color="#c9d3dc")
ax.plot(sizes["at_most"], sizes["auc"], "o-", color="#3a5a78")
ax.set_xlabel("most characteristics")
ax.set_title("AUC on people of other folds")
plt.show()
sizes[["at_most", "characteristics", "auc", "auc_given_up", "auc_given_up_low", "auc_given_up_high"]].round(4)

# %% [markdown]
# **Answer.** The comparison says by how much the second card is better and for whom, with an interval that knows both met the same
# luck; where it holds zero, nothing is shown. A few characteristics carry most of the ranking, and the frontier tells what the rest add.
# Who picks the winner has chosen on these rows: its next figure should come from a later date.
