"""The type of parsed JSON, for documents whose fields are checked where they are read.

In: nothing. Out: a type.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

JsonObject = Mapping[str, Any]
"""An object of a JSON document as parsed: values of every type JSON has."""
