"""A simulated organisation and its Admin API, for the `demo` command, the tests and the benchmark.

`organization` and its parts (`story`, `people`, `sessions`, `traffic`, `prices`) are pure: no clock, no network, the
same numbers in every process. `api` serves them over HTTP as the Admin API would, and `server` runs it on loopback.
"""
