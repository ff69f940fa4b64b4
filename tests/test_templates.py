"""Features of one shape are said once: a template and its rows give what as many tables gave."""

from __future__ import annotations

from pathlib import Path

import pandas as pd
import pytest

from credit_model.catalogue.catalogue import load_catalogue
from credit_model.features.build import build_features
from credit_model.features.definition import DefinitionErrors
from credit_model.features.dictionary import load_definitions, save_definitions
from credit_model.ledger.ledger import Ledger

REGISTER = Path(__file__).parents[1] / "data" / "public" / "sf_restaurants"
LONG = """
schema = 1
[[feature]]
name = "last"
aggregate = "recency_days"
where = { kinds = ["violation"] }
window = "12m"
[[feature]]
name = "high"
aggregate = "count"
where = { kinds = ["violation"], tier_at_least = "serious" }
window = "12m"
trend = "higher_is_worse"
[[feature]]
name = "visits"
aggregate = "count"
where = { kinds = ["inspection"] }
window = "6m"
trend = "higher_is_worse"
"""
SHORT = """
schema = 1
[[feature]]
name = "last"
aggregate = "recency_days"
where = { kinds = ["violation"] }
window = "12m"
[[template]]
aggregate = "count"
where = { kinds = ["violation"] }
window = "12m"
trend = "higher_is_worse"
feature = [
  { name = "high", where = { tier_at_least = "serious" } },
  { name = "visits", where = { kinds = ["inspection"] }, window = "6m" },
]
"""


def write(folder: Path, text: str) -> Path:
    path = folder / "features.toml"
    path.write_text(text, encoding="utf-8")
    return path


def test_a_template_and_its_rows_are_the_tables_they_stand_for(tmp_path: Path) -> None:
    long = load_definitions(write(tmp_path, LONG))
    assert load_definitions(write(tmp_path, SHORT)) == long
    assert [definition.name for definition in long] == ["last", "high", "visits"]


def test_the_features_of_the_register_are_the_same_to_the_byte_in_both_forms(tmp_path: Path) -> None:
    short = load_definitions(REGISTER / "features.toml")
    long = load_definitions(save_definitions(short, tmp_path / "long.toml"))
    raw = {name: pd.read_parquet(REGISTER / f"{name}.parquet") for name in ("inspections", "violations")}
    few = raw["inspections"]["business_id"].drop_duplicates().head(40)
    excerpt = {name: frame[frame["business_id"].isin(few)] for name, frame in raw.items()}
    ledger = Ledger.create(tmp_path / "ledger", load_catalogue(REGISTER / "catalogue.toml"))
    ledger.ingest(records=excerpt, mapping=REGISTER / "mapping.toml")
    observations = pd.DataFrame({"subject_id": few.astype(str), "as_of": "2016-10-20"})
    one, two = (build_features(ledger, observations, features) for features in (short, long))
    assert list(one) == list(two)
    assert one.to_numpy().tobytes() == two.to_numpy().tobytes()
    assert one.notna().to_numpy().any()


def test_the_register_is_described_in_at_most_206_lines() -> None:
    """Half of the 412 that its catalogue, mapping, definitions and experiment took."""
    files = [REGISTER / f"{name}.toml" for name in ("catalogue", "mapping", "features")]
    files.append(REGISTER.parents[2] / "experiments" / "sf_restaurants.toml")
    lines = [line for file in files for line in file.read_text(encoding="utf-8").splitlines() if line.strip()]
    assert len(lines) <= 206


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ('[[template]]\naggregate = "count"', "template 1: feature must be a list of tables"),
        ('[[template]]\nfeature = [{ name = "n", agregate = "count" }]', "unknown key 'agregate'"),
        ("template = 3", r"there is no \[\[feature\]\] in it"),
        ("", r"there is no \[\[feature\]\] in it"),
    ],
)
def test_a_template_that_gives_no_feature_is_named(tmp_path: Path, text: str, fault: str) -> None:
    with pytest.raises(DefinitionErrors, match=fault):
        load_definitions(write(tmp_path, text))
