"""The version of this package, as releases are numbered."""

__version__ = "0.1.0"
