"""Development samples: observation dates, outcome, exclusions, split. Only the outcome looks forward."""
