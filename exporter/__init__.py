"""Prometheus exporter for the usage and cost reports of an Anthropic organisation."""

__version__ = "0.1.0"
