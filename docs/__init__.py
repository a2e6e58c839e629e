"""The documents. `docs.generate` writes the generated ones."""
