"""The benchmark: `python -m bench` measures a real exporter process against an instant API and prints one table."""
