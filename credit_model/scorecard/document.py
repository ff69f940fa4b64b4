"""A card on paper: canonical JSON with digests, so that any change is noticed and named.

Numbers are written by ``repr`` and read back as the same double. The digest is SHA-256 over the canonical form (sorted
keys, no spaces), so it does not depend on how the file is laid out. Beside it stands a short digest of every section
and characteristic: they say *what* was altered.

In: plain values, or the text of a card.
Out: the text of a card, or plain values whose digests hold.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import cast

from credit_model.foundation.digests import canonical_json, sha256
from credit_model.foundation.errors import UserError
from credit_model.foundation.json_values import JsonObject

_PART_LENGTH = 16


class CardError(UserError):
    """A card that cannot be trusted or used: altered, incomplete, inconsistent, or of a form not known here."""


def digest(value: object) -> str:
    """SHA-256 of the canonical form, as hexadecimal text."""
    return sha256(canonical_json(value))


def seal(content: JsonObject) -> str:
    """Return the text of a card: its content, laid out for readers, with its digests."""
    sealed = {**content, "digest": {"sha256": digest(content), "parts": _parts(content)}}
    return _lay_out(sealed) + "\n"


def unseal(text: str) -> JsonObject:
    """Return the content of a card's text, once its digests hold.

    Raises
    ------
    CardError
        Where the text is no JSON object, has no digest, or was altered; the altered parts are named.
    """
    try:
        sealed = json.loads(text, object_pairs_hook=_without_doubles, parse_constant=_no_constant)
        recorded = sealed.pop("digest", None) if isinstance(sealed, dict) else None
        whole, digests = digest(sealed), _parts(sealed if isinstance(sealed, dict) else {})
    except CardError:
        raise
    except (ValueError, RecursionError) as error:  # also a number that no double holds, half of a surrogate pair
        raise CardError(f"this is no card: the text is not JSON ({error}). Fetch the card again.") from None
    if not isinstance(recorded, dict) or not isinstance(recorded.get("parts"), dict):
        raise CardError("this is no card: it has no digest. Write cards with Card.save, and do not edit the file.")
    if recorded.get("sha256") == whole and recorded["parts"] == digests:
        return dict(sealed)
    altered = sorted(
        name for name in {*digests, *recorded["parts"]} if digests.get(name) != recorded["parts"].get(name)
    )
    places = ", ".join(altered) or "the digest itself"
    raise CardError(
        f"the card was altered after it was written: {places}. Fetch it again from the registry.", tuple(altered)
    )


def check_kernel(version: int | None) -> None:
    """Refuse a card whose features were made with another meaning than this package gives them."""
    if version is None:
        return
    from credit_model.features.kernel import KERNEL_VERSION, KERNEL_VERSIONS

    if version not in KERNEL_VERSIONS:
        raise CardError(
            f"the card was made for feature kernel {version}, this package has {KERNEL_VERSION}: its features would "
            "not mean the same. Use the package version that made the card, or make the card again."
        )


def _parts(content: JsonObject) -> dict[str, str]:
    """Short digests by part: every section of its own, the characteristics one by one and by their order."""
    parts = {key: digest(value)[:_PART_LENGTH] for key, value in content.items() if key != "characteristics"}
    characteristics = content.get("characteristics")
    names = []
    for number, table in enumerate(characteristics if isinstance(characteristics, list) else [], start=1):
        name = table.get("name") if isinstance(table, dict) else None
        names.append(name)
        parts[f"characteristic {name if isinstance(name, str) else number}"] = digest(table)[:_PART_LENGTH]
    return parts | {"order of characteristics": digest(names)[:_PART_LENGTH]}


def _without_doubles(pairs: list[tuple[str, object]]) -> dict[str, object]:
    table = dict(pairs)
    if len(table) != len(pairs):
        raise CardError("this is no card: a key stands twice in the same table")
    return table


def _no_constant(name: str) -> float:
    raise CardError(f"this is no card: {name} is no JSON number")


def _lay_out(value: object, depth: int = 0) -> str:
    """JSON with what is small on one line: a card can be read, and compared line by line."""
    pad, inner = " " * depth, " " * (depth + 1)
    flat = not isinstance(value, dict | list) or not any(isinstance(v, dict | list) for v in _children(value))
    if flat and depth:
        return json.dumps(value, ensure_ascii=False, allow_nan=False)
    if isinstance(value, dict):
        rows = [f"{json.dumps(k, ensure_ascii=False)}: {_lay_out(v, depth + 1)}" for k, v in value.items()]
        return "{\n" + ",\n".join(inner + row for row in rows) + f"\n{pad}}}"
    return "[\n" + ",\n".join(inner + _lay_out(v, depth + 1) for v in cast("list[object]", value)) + f"\n{pad}]"


def _children(value: Mapping[str, object] | list[object]) -> Iterable[object]:
    return value.values() if isinstance(value, dict) else value
