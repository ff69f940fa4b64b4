"""Faults made on purpose: processes struck at their writes, files cut and altered, inputs nobody would send."""
