"""From an experiment file to a registered version."""
