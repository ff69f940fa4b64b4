"""Load public names on first use, so that importing a package costs nothing.

In: public names, and the module that defines each.
Out: the ``__getattr__``, ``__dir__`` and ``__all__`` of a package (PEP 562).
"""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping

from credit_model.foundation.extras import missing_extra


def lazy_exports(
    package: str, modules: Mapping[str, str]
) -> tuple[Callable[[str], object], Callable[[], list[str]], list[str]]:
    """Return the ``__getattr__``, ``__dir__`` and ``__all__`` of a package that loads its names on first use.

    Parameters
    ----------
    package : str
        Name of the package, for the message of an unknown name.
    modules : mapping of str to str
        Public name to the module that defines it.
    """

    def __getattr__(name: str) -> object:
        if name not in modules:
            raise AttributeError(f"module {package!r} has no attribute {name!r}")
        try:
            return getattr(importlib.import_module(modules[name]), name)
        except ImportError as error:
            missing = missing_extra(error, f"{package}.{name}")
            if missing is None:
                raise
            raise missing from None

    return __getattr__, lambda: sorted(modules), sorted(modules)
