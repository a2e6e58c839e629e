"""The benchmark: `python -m bench` measures a real exporter process against an API that answers from memory."""
