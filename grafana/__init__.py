"""The generator of the Grafana dashboard. It is not part of the distribution; only its JSON output is used."""
