"""The evaluation service's door: a registered card answers over HTTP, and every query is kept.

The one room that speaks HTTP. It loads through :func:`credit_model.load_evaluator` only, answers nobody who does not
say who asks, for which purpose and under which authorisation, and sends no answer before its entry is in the query log.

In: a registry URI, a ledger, a folder for the log. Out: a running service; a log that can be verified.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from credit_model import lazy_exports

__getattr__, __dir__, __all__ = lazy_exports(
    __name__,
    {
        "LogReport": "query_log",
        "QueryLog": "query_log",
        "Service": "answering",
        "Settings": "settings",
        "create_app": "http",
        "load_settings": "settings",
        "serve": "http",
    },
)

if TYPE_CHECKING:
    from credit_model.service.answering import Service as Service
    from credit_model.service.http import create_app as create_app
    from credit_model.service.http import serve as serve
    from credit_model.service.query_log import LogReport as LogReport
    from credit_model.service.query_log import QueryLog as QueryLog
    from credit_model.service.settings import Settings as Settings
    from credit_model.service.settings import load_settings as load_settings
