"""SHA-256 digests, by which caches and documents are named and alterations noticed.

In: text, bytes, plain values, files or source code. Out: digests as 64 hexadecimal digits.
"""

from __future__ import annotations

import ast
import hashlib
import json
from collections.abc import Iterable
from pathlib import Path


def sha256(data: str | bytes | memoryview) -> str:
    """Return the digest of some bytes, or of a text in UTF-8.

    Examples
    --------
    >>> sha256("")[:12]
    'e3b0c44298fc'
    """
    return sha256_parts([data])


def sha256_parts(parts: Iterable[str | bytes | memoryview]) -> str:
    """Return the digest of parts, as if they were joined.

    Examples
    --------
    >>> sha256_parts(["ab", b"c"]) == sha256("abc")
    True
    """
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part.encode() if isinstance(part, str) else part)
    return digest.hexdigest()


def sha256_file(path: Path) -> str:
    """Return the digest of a file, read in pieces."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def sha256_json(value: object) -> str:
    """Return the digest of plain values and dates, whatever the order of their keys.

    Examples
    --------
    >>> sha256_json({"a": 1, "b": 2}) == sha256_json({"b": 2, "a": 1})
    True
    """
    return sha256(json.dumps(value, sort_keys=True, default=str))


def sha256_code(files: Iterable[Path]) -> str:
    """Return the digest of what some sources compute: of Python its syntax, of any other file its bytes.

    Comments, docstrings and layout of Python do not count.
    """
    return sha256_parts(_syntax(file) if file.suffix == ".py" else file.read_bytes() for file in sorted(files))


def _syntax(file: Path) -> str:
    """Return the syntax tree of a module, without positions and strings that stand alone, as text."""
    tree = ast.parse(file.read_bytes())
    for node in ast.walk(tree):
        body = getattr(node, "body", None)
        if isinstance(body, list):
            body[:] = [statement for statement in body if not _is_docstring(statement)]
    return ast.dump(tree)


def _is_docstring(node: ast.stmt) -> bool:
    return isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant) and isinstance(node.value.value, str)


def canonical_json(value: object, *, ascii_only: bool = False) -> str:
    """Return the one JSON text of plain values: sorted keys, no spaces, no NaN.

    Examples
    --------
    >>> canonical_json({"b": [1, 2.5], "a": "信用"})
    '{"a":"信用","b":[1,2.5]}'
    """
    return json.dumps(value, sort_keys=True, ensure_ascii=ascii_only, separators=(",", ":"), allow_nan=False)
