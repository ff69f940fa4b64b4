"""Measures of ranking, calibration and stability: pure functions on arrays, with intervals."""
