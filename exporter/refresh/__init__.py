"""Which days to fetch and when, and the health of each report."""
