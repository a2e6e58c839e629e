"""Read the Admin API: HTTP, the request budget, cursors, typed decoding, refusals. Knows no report."""
