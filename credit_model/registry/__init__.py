"""Runs, versions, approval and history in MLflow; the only package that imports it."""
