"""Samples into the bytes of the page."""
