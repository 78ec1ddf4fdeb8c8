"""The version, where everything may read it without importing the package's front."""

__all__ = ["__version__"]

__version__ = "0.1.0"
