"""The Prometheus web configuration file, TLS, passwords and limits. Knows nothing of Anthropic."""
