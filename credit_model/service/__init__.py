"""The evaluation service over HTTP."""
