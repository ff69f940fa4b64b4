"""The command line: one command for every step from raw records to an assessed person.

Each command makes one call of the library and prints its result, for people or, with ``--json``, as one object on
stdout. Progress goes to stderr. A mistake of the caller is one line on stderr (with ``--json`` ``{"error": ...}`` on
stdout) and exit code 2, a gate that does not pass is 3, a fault of ours is 1.

In: folders, files, registry URIs.
Out: text or JSON on stdout, an exit code.
"""

from __future__ import annotations

import errno
import json
import os
import sys
from collections.abc import Sequence
from typing import Any

import typer

from credit_model.cli import data, evaluations, governance, monitoring, people, serving, upgrading
from credit_model.foundation.errors import UserError
from credit_model.foundation.extras import missing_extra

app = typer.Typer(
    name="credit-model",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
    help="Personal credit evaluation from public credit records: from raw records to a registered, explained card.",
)

_INTERRUPTED = 130  # as shells do
_REFUSALS = (
    errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EACCES, errno.EPERM, errno.EIO, errno.EISDIR,
    errno.ENOTDIR, errno.ENAMETOOLONG, errno.ELOOP, errno.EMFILE, errno.ENFILE,
)  # fmt: skip
for _group in (data, evaluations, governance, upgrading, people, serving, monitoring):
    app.registered_commands += _group.commands.registered_commands


def main(arguments: Sequence[str] | None = None) -> int:
    """Run one command; return 0, 2 (the caller's mistake), 3 (a gate does not pass) or 1 (our fault)."""
    arguments = list(sys.argv[1:] if arguments is None else arguments)
    usage_error: Any = typer.BadParameter.__base__  # click's UsageError, whichever click typer brings along
    try:
        code = app(args=arguments, prog_name="credit-model", standalone_mode=False) or 0
        line = "interrupted." if code == _INTERRUPTED else ""
    except ImportError as error:
        missing = missing_extra(error, " ".join(["credit-model", *arguments[:1]]))
        if missing is None and os.environ.get("CREDIT_MODEL_TRACEBACK"):
            raise
        line, code = _unexpected(error) if missing is None else (str(missing), 2)
    except UserError as error:
        line, code = str(error), getattr(error, "exit_code", 2)
    except usage_error as error:
        line, code = _usage(error), 2
    except (KeyboardInterrupt, typer.Abort):
        line, code = "interrupted.", _INTERRUPTED
    except Exception as error:
        if os.environ.get("CREDIT_MODEL_TRACEBACK"):
            raise
        line, code = _unexpected(error)
    if line:
        line, as_json = " ".join(line.split()), "--json" in arguments
        typer.echo(json.dumps({"error": line}, ensure_ascii=False) if as_json else f"error: {line}", err=not as_json)
    return int(code)


def _unexpected(error: Exception) -> tuple[str, int]:
    """Return line and exit code: the caller can mend a refusal of the machine; anything else is a fault of ours."""
    if isinstance(error, OSError) and error.errno in _REFUSALS:
        where = f" ({error.filename})" if error.filename else ""
        return (
            f"the machine refused: {error.strerror}{where}. Make room or give the right to it and run the same command "
            "again; what was finished is kept."
        ), 2
    # The message of an unexpected error may hold a person's values: name the kind of error only.
    kind = type(error).__name__
    return f"a fault of ours ({kind}). Run it again with CREDIT_MODEL_TRACEBACK=1 and report it.", 1


def _usage(error: Any) -> str:
    """Return click's message as one line; empty where the help was shown instead."""
    message = error.format_message().rstrip(".")
    return f"{message}. See `{error.ctx.command_path if error.ctx else 'credit-model'} --help`." if message else ""
