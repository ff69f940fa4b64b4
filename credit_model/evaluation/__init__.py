"""One value that says how a card does: ranking, calibration, stability, fairness, decisions, comparison, gates."""
