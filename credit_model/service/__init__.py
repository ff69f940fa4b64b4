"""The evaluation service's door: a registered card answers over HTTP, and every query is kept.

The one room that speaks HTTP. It loads through :func:`credit_model.load_evaluator` only, answers nobody who does not
say who asks, for which purpose and under which authorisation, and sends no answer before its entry is in the query log.

In: a registry URI, a ledger, a folder for the log. Out: a running service; a log that can be verified.
"""
