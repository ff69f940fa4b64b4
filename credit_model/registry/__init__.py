"""The door to MLflow: runs, registered cards, gates, promotion and its history, the way from a URI to an evaluator.

Nothing else in the package imports mlflow, and this room does so inside its functions, so that reading a card from a
path needs no MLflow at all.

In: a card, figures, files; later a version and an approver, or a URI.
Out: a run id, a version, a promotion, an :class:`~credit_model.assessment.Evaluator`.
"""
