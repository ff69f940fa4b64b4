"""Who a row is about: identity numbers are checked, turned into keyed pseudonyms, and go no further than here.

A citizen's credit code is his or her identity number; it tells birth date, sex and county. So it is never stored:
``subject_id`` is an HMAC-SHA256 of it under a key that lives outside the ledger. The same module recognises identity
numbers where they should not be, and blanks them out of what is kept of a refused row.

In: identity numbers, as they came. Out: pseudonyms, reasons for refusal; never the number.
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import os
import re
import unicodedata
from datetime import date

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from credit_model.foundation.errors import UserError

KEY_VARIABLE = "CREDIT_MODEL_PSEUDONYM_KEY"
ID_TYPES = ("resident_id", "hmt_residence_permit", "foreign_permanent_resident", "passport", "other")
WITHHELD = "[withheld]"

_WEIGHTS = (7, 9, 10, 5, 8, 4, 2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2)
_CHECK_DIGITS = "10X98765432"
_PREFIXES = {"hmt_residence_permit": ("81", "82", "83"), "foreign_permanent_resident": ("9",)}
_BIRTH = r"(?:0[1-9]|1[0-2])[ -]?(?:0[1-9]|[12][0-9]|3[01])"
_PROVINCES = r"(?:1[1-5]|2[1-3]|3[1-7]|4[1-6]|5[0-4]|6[1-5]|71|8[1-3])"
# By shape and birth date only: a number with a slip in it is as private as a right one. RE2 and re read it alike.
ID_PATTERN = (
    r"(?:^|[^0-9])(?:"
    rf"[1-9][0-9]{{5}}[ -]?(?:18|19|20)[0-9]{{2}}[ -]?{_BIRTH}[ -]?[0-9]{{3}}[ -]?[0-9Xx]"
    rf"|{_PROVINCES}[0-9]{{6}}{_BIRTH}[0-9]{{3}}"  # fifteen digits, abolished in 2013
    r")(?:$|[^0-9A-Za-z])"
)
_ID = re.compile(ID_PATTERN)


class IdNumberError(UserError):
    """An identity number that cannot be one; ``reason`` is the code of the reason, the number is not told."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason


def validate_id_number(number: str, id_type: str = "resident_id", on: date | None = None) -> str:
    """Check an identity number and give it in its normal form.

    Parameters
    ----------
    number : str
        As written; full-width characters, surrounding spaces and a lower-case ``x`` are put right.
    id_type : str
        ``resident_id`` and ``hmt_residence_permit``: eighteen characters with birth date and check digit
        (GB 11643-1999, ISO 7064 MOD 11-2). Of the others only the shape is checked.
    on : date, optional
        The day against which a birth date lies in the future; today unless given.

    Returns
    -------
    str

    Raises
    ------
    IdNumberError
        With ``reason`` ``unknown_id_type``, ``id_number_length``, ``id_number_characters``, ``id_number_birth_date``
        or ``id_number_check_digit``.

    Examples
    --------
    >>> validate_id_number("11010120231101217６")
    '110101202311012176'
    >>> validate_id_number("360426199101010072")
    Traceback (most recent call last):
    credit_model.catalogue.identity.IdNumberError: the check digit of the identity number is wrong
    """
    if id_type not in ID_TYPES:
        raise IdNumberError("unknown_id_type", f"the identity type is not one of {', '.join(ID_TYPES)}")
    number = unicodedata.normalize("NFKC", number).strip().upper()
    if id_type in ("passport", "other"):
        if not re.fullmatch(r"[0-9A-Z()/-]{4,30}", number):
            raise IdNumberError("id_number_characters", "the document number is not 4 to 30 letters and digits")
        return number
    if len(number) != 18:
        hint = " (fifteen-digit numbers were abolished in 2013)" if len(number) == 15 else ""
        raise IdNumberError("id_number_length", f"the identity number has {len(number)} characters, not 18{hint}")
    if not re.fullmatch(r"[1-9][0-9]{16}[0-9X]", number) or not number.startswith(_PREFIXES.get(id_type, "")):
        raise IdNumberError("id_number_characters", "the identity number has characters it cannot have")
    if id_type == "foreign_permanent_resident":
        return number
    try:
        born = date(int(number[6:10]), int(number[10:12]), int(number[12:14]))
    except ValueError:
        born = None
    if born is None or born > (on or date.today()) or born.year < 1850:
        raise IdNumberError("id_number_birth_date", "the birth date in the identity number cannot be")
    if _CHECK_DIGITS[sum(w * int(d) for w, d in zip(_WEIGHTS, number[:17], strict=True)) % 11] != number[17]:
        raise IdNumberError("id_number_check_digit", "the check digit of the identity number is wrong")
    return number


def pseudonym(number: str, id_type: str = "resident_id", key: bytes | None = None) -> str:
    """Return the ``subject_id`` of an identity number: HMAC-SHA256 of type and number, 160 bits in base 32.

    Base 32 has no long run of digits, so a pseudonym never looks like a number. Without ``key`` the one in
    ``CREDIT_MODEL_PSEUDONYM_KEY`` is used.

    Examples
    --------
    >>> pseudonym("360426199101010071", key=b"a key that is kept elsewhere")
    'tii73qxfh3vibrvzrr5mnisad6wl6hjz'
    """
    message = f"{id_type}\x1f{unicodedata.normalize('NFKC', number).strip().upper()}".encode()
    digest = hmac.digest(pseudonym_key() if key is None else key, message, "sha256")
    return base64.b32encode(digest[:20]).decode().lower()


def pseudonym_key() -> bytes:
    """Return the secret key, or refuse where there is none."""
    key = os.environ.get(KEY_VARIABLE, "")
    if not key:
        raise UserError(
            f"identity numbers were given (column id_number), but {KEY_VARIABLE} is not set: nothing was written; "
            "set it to a secret of at least 32 characters kept outside the ledger, and ingest again"
        )
    return key.encode()


def key_check(key: bytes) -> str:
    """Return a mark by which a ledger recognises its key, and which discloses nothing of it."""
    return hmac.digest(hashlib.sha256(key).digest(), b"credit_model ledger", "sha256").hex()[:16]


def pseudonyms(
    numbers: pa.Array, id_types: pa.Array, key: bytes, on: date | None = None
) -> tuple[pa.Array, dict[str, NDArray[np.bool_]]]:
    """Return the pseudonyms of a column of identity numbers, and the refused rows by reason.

    A refused number has a pseudonym too, of its own, so that what is kept of its row can be found again.

    Parameters
    ----------
    numbers, id_types : pyarrow.Array of string, shape (n,)
        ``id_types`` may be null: ``resident_id``.
    key : bytes
    on : date, optional

    Returns
    -------
    subject_ids : pyarrow.Array of string, shape (n,)
        Null where the number is.
    refused : dict of str to ndarray of bool, shape (n,)
    """
    id_types = pc.fill_null(id_types, "resident_id")
    pairs = pc.binary_join_element_wise(id_types, numbers, "\x1f").dictionary_encode()
    names, reasons = [], []
    for pair in pairs.dictionary.to_pylist():
        id_type, _, number = pair.partition("\x1f")
        try:
            number, reason = validate_id_number(number, id_type, on), ""
        except IdNumberError as error:
            reason = error.reason
        names.append(pseudonym(number, id_type if not reason else "refused", key))
        reasons.append(reason)
    subject_ids = pa.DictionaryArray.from_arrays(pairs.indices, pa.array(names, pa.string())).cast(pa.string())
    of_row = np.append(np.array(reasons, object), "")[pairs.indices.fill_null(len(reasons)).to_numpy()]
    return subject_ids, {reason: of_row == reason for reason in sorted(set(reasons) - {""})}


def looks_like_id_number(texts: pa.Array) -> NDArray[np.bool_]:
    """Return the rows of a string array that contain what looks like an identity number.

    Examples
    --------
    >>> looks_like_id_number(pa.array(["S000123", "见330602199003070016号", None])).tolist()
    [False, True, False]
    """
    if not pc.all(pc.string_is_ascii(texts), min_count=0).as_py():
        texts = pc.utf8_normalize(texts, form="NFKC")
    is_match: NDArray[np.bool_] = pc.fill_null(pc.match_substring_regex(texts, ID_PATTERN), False).to_numpy(
        zero_copy_only=False
    )
    return is_match


def redact(text: str, key: bytes | None) -> str:
    """Replace what looks like identity numbers by pseudonyms, or blank it where there is no key.

    Examples
    --------
    >>> redact("见330602199003070016号", None)
    '见[withheld]号'
    """

    def substitute(match: re.Match[str]) -> str:
        number = match.group()
        inner = re.sub(r"^[^0-9]|[^0-9A-Za-z]$", "", number)
        name = WITHHELD if key is None else pseudonym(re.sub(r"[ -]", "", inner), "refused", key)
        return number.replace(inner, name)

    text = unicodedata.normalize("NFKC", text)
    while _ID.search(text):  # neighbours share a separator
        text = _ID.sub(substitute, text)
    return text
