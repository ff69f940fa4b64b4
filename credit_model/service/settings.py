"""Settings of an operator: limits, retention, how durable an answer's entry is, and who may ask.

In: a TOML file. Out: :class:`Settings`, with every fault of the file at once; :class:`Deployment`.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from credit_model.foundation.errors import UserError
from credit_model.foundation.toml_reader import TomlReader, read_toml
from credit_model.service.query_log import RETENTION_YEARS

CALLER: Final = r"[A-Za-z0-9._-]{1,64}"
FLUSH: Final = ("each", "soon")
_KEYS = {"log": ("retention_years", "flush"), "limits": ("body_bytes", "rows")}


class SettingsError(UserError):
    """A settings file that cannot be used; ``faults`` names everything that is wrong."""


@dataclass(frozen=True)
class Settings:
    """How the service runs.

    Parameters
    ----------
    retention_years : int
        How long a month of the query log is kept after its end.
    flush : {"each", "soon"}
        ``each``: the entry is forced to disk before its answer is sent. ``soon``: it is in the file before, and forced
        to disk within a twentieth of a second; a killed process loses nothing, a power cut the last answers' entries.
    body_bytes, rows : int
        Longest body, most rows in one request.
    callers : mapping of str to str
        SHA-256 of each caller's token, as hexadecimal text; where empty, callers name themselves in ``X-Caller``.
    """

    retention_years: int = RETENTION_YEARS
    flush: str = "each"
    body_bytes: int = 16 * 2**20
    rows: int = 10_000
    callers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Deployment:
    """What is served, from which files, and where.

    Parameters
    ----------
    source : str
        Registry URI, or the path of a card.
    ledger, log, log_head : path
        Folder of the ledger; folder of the query log; the file, elsewhere, that knows where the log ends.
    host, port : str, int
        Address to listen on; port 0 for any that is free.
    reload_seconds : float
        How often the alias is looked up.
    """

    source: str
    ledger: Path
    log: Path
    log_head: Path
    host: str = "127.0.0.1"
    port: int = 8000
    reload_seconds: float = 5.0


def load_settings(path: str | Path | None = None) -> Settings:
    r"""Read settings; the defaults without a file.

    Examples
    --------
    >>> import tempfile
    >>> file = Path(tempfile.mkdtemp(), "service.toml")
    >>> _ = file.write_text("[log]\nretention_years = 12\n")
    >>> load_settings(file).retention_years
    12
    """
    if path is None:
        return Settings()
    what = f"settings {path}"
    reader = TomlReader(read_toml(path, "settings", SettingsError), what, SettingsError)
    reader.keys(reader.raw, what, (), ("schema", "callers", *_KEYS))
    values: dict[str, Any] = {}
    for section, keys in _KEYS.items():
        table = reader.table(reader.raw.get(section, {}), section)
        reader.keys(table, section, (), keys)
        values |= {key: table[key] for key in keys if key in table}
    for key in ("retention_years", "body_bytes", "rows"):
        if key in values and (type(values[key]) is not int or values[key] < 1):
            reader.faults.append(f"{key}: must be a whole number above 0")
    if "flush" in values:
        reader.one_of(values["flush"], FLUSH, "log.flush")
    callers = reader.table(reader.raw.get("callers", {}), "callers")
    for name, digest in callers.items():
        if not re.fullmatch(CALLER, name):
            reader.faults.append(f"callers: {name!r} must be 1 to 64 letters, digits, '.', '_' or '-'")
        if not isinstance(digest, str) or not re.fullmatch(r"[0-9a-f]{64}", digest):  # never shown: it may be a token
            reader.faults.append(f"callers.{name}: must be the SHA-256 of the caller's token, 64 hexadecimal digits")
    reader.end()
    return Settings(**values, callers={name: str(digest) for name, digest in callers.items()})
