"""A simulated organisation and its Admin API, for the `demo` command, the tests and the bench.

`organization` and what it is made of (`story`, `people`, `sessions`, `traffic`, `prices`) is pure: no clock, no
network, the same numbers in every process. `api` shows it over HTTP as the Admin API would, `faults` makes that API
fail, `server` runs it on loopback.
"""
