"""Incident Manager: alerts in, incidents out, live, under supervision."""

__all__ = ["__version__"]

__version__ = "0.1.0"
